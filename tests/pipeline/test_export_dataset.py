"""Every exported data set is read by a reader written anew from the format's own words: points fall on the same pixels."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pycolmap
import pytest
import torch
import trimesh

from pipeline.cameras import Intrinsics, inverse, look_at, project, transform
from pipeline.config import DatasetFormat, ExportDatasetConfig
from pipeline.datasets.exports import nerfstudio
from pipeline.datasets.held_out_views import held_out_views
from pipeline.datasets.posed_video import HeldOutViews, PosedVideo, sparse_depth
from pipeline.export_dataset import WRITERS, export_dataset, posed_video
from pipeline.formats.frames_folder import read_frames
from pipeline.formats.lens import Lens, undistortion
from pipeline.formats.masks_file import read_masks
from pipeline.geometry.similarity_alignment import Similarity
from pipeline.rendering.dense_depth import dense_depth
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import Truth, known_views
from tests.analytic_world import analytic_scene, analytic_truth
from tests.pipeline.flat_method import DEPTH, FlatMethod
from tests.synthetic import FRAMES, HEIGHT, WIDTH, SyntheticScene, write_synthetic_scene

SIZE = (36, 48)
OFF_CENTRE = Intrinsics(50.0, 47.0, 21.3, 19.6, SIZE[1], SIZE[0])
OTHER = Intrinsics(44.0, 44.0, 24.6, 17.7, SIZE[1], SIZE[0])
POINTS = np.array([[0.3, -0.2, 0.1], [-0.6, 0.4, 0.9], [0.5, 0.3, -0.4]])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def video(scene: SyntheticScene) -> PosedVideo:
    return posed_video(scene.frames, scene.info, scene.masks, scene.reconstruction)


@pytest.fixture(scope="module")
def exported(scene: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    dataset = tmp_path_factory.mktemp("export") / "dataset"
    paths = (scene.frames, scene.info, scene.masks, scene.reconstruction, scene.geometry, None, None, None)
    export_dataset(*paths, dataset, ExportDatasetConfig())
    return dataset


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[PosedVideo, Path]:
    """Pixels that are not square, a principal point beside the middle, a frame without a pose; a dot for each point."""
    poses = np.stack([look_at(np.array([x, -0.3, -3.0]), np.zeros(3), np.array([0.1, 1.0, 0.0])) for x in (-1, 0.0, 1)])
    frame, point = (grid.ravel() for grid in np.mgrid[:3, : len(POINTS)])
    xy = project(OFF_CENTRE, transform(inverse(poses)[frame], POINTS[point]))
    images = np.stack([dots(xy[frame == t]) for t in range(3)])
    depth = sparse_depth(POINTS[point], xy, frame, inverse(poses), SIZE)
    ids = np.zeros((3, *SIZE), np.uint8)
    ids[:, 5:9, 7:12] = 1
    times = np.array([0.5, 1.0, 2.0])
    video = PosedVideo(
        images,
        ids,
        depth,
        np.array([0, 1, 3]),
        times,
        OFF_CENTRE,
        poses,
        POINTS,
        point,
        frame,
        xy,
        seen_from_elsewhere(POINTS),
    )
    folder = tmp_path_factory.mktemp("odd")
    for name, write in WRITERS.items():
        write(folder / name, video)
    return video, folder


def seen_from_elsewhere(points: np.ndarray) -> HeldOutViews:
    """Two test views of one time and one of another, whose camera is not the video's; a part of the first is not judged."""
    eyes = [np.array([0.4, -0.9, -2.8]), np.array([-0.5, 0.2, -3.1]), np.array([0.4, -0.9, -2.8])]
    poses = np.stack([look_at(eye, np.zeros(3), np.array([0.0, 1.0, 0.1])) for eye in eyes])
    images = np.stack([dots(project(OTHER, transform(inverse(pose), points))) for pose in poses])
    covisible = np.ones((3, *SIZE), bool)
    covisible[0, :10] = False
    return HeldOutViews(images, np.array([1, 1, 2]), [OTHER] * 3, poses, covisible)


def dots(places: np.ndarray) -> np.ndarray:
    """An image with a round spot at each place, on black."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    far = ((x - places[:, 0, None, None]) ** 2 + (y - places[:, 1, None, None]) ** 2).min(0)
    return np.repeat(np.rint(250 * np.exp(-far / 4)).astype(np.uint8)[..., None], 3, axis=-1)


def centroid(image: np.ndarray, near: np.ndarray) -> np.ndarray:
    """The middle of a spot, pixel centres at +0.5."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    weight = np.where((x - near[0]) ** 2 + (y - near[1]) ** 2 < 16, image.astype(float), 0)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def seen_by(video: PosedVideo, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Points that a frame shows, and where."""
    points = video.points[video.observed_point[video.observed_frame == frame]]
    return points, project(video.camera, transform(inverse(video.world_from_camera[frame]), points))


def project_dycheck(folder: Path, name: str, points: np.ndarray) -> np.ndarray:
    """DyCheck's camera: orientation is world-to-camera, y is scaled by the aspect ratio."""
    camera = json.loads((folder / "camera" / f"{name}.json").read_text())
    assert camera["skew"] == 0 and not any(camera["radial_distortion"] + camera["tangential_distortion"])
    x, y, z = np.array(camera["orientation"]) @ (points - np.array(camera["position"])).T
    focal, (cx, cy) = camera["focal_length"], camera["principal_point"]
    return np.stack([focal * x / z + cx, focal * camera["pixel_aspect_ratio"] * y / z + cy], axis=1)


def project_opengl(
    matrix: list[list[float]], focal: tuple[float, float], centre: tuple[float, float], points: np.ndarray
) -> np.ndarray:
    """A camera that looks along -z with y up."""
    world = np.array(matrix)
    x, y, z = world[:3, :3].T @ (points - world[:3, 3]).T
    return np.stack([focal[0] * x / -z + centre[0], focal[1] * y / z + centre[1]], axis=1)


def test_dycheck_sees_points_where_the_frames_show_them(video: PosedVideo, exported: Path) -> None:
    ids = json.loads((exported / "dycheck" / "dataset.json").read_text())["ids"]
    assert ids == [f"0_{number:05d}" for number in range(FRAMES)]
    for frame, name in enumerate(ids):
        points, places = seen_by(video, frame)
        np.testing.assert_allclose(project_dycheck(exported / "dycheck", name, points), places, atol=1e-6)
        np.testing.assert_allclose(places, video.observed_xy[video.observed_frame == frame], atol=0.5)


def test_dycheck_has_its_lists_sizes_and_normalisation(
    scene: SyntheticScene, video: PosedVideo, exported: Path
) -> None:
    folder = exported / "dycheck"
    said = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    train = json.loads((folder / "splits" / "train.json").read_text())
    assert train["time_ids"] == list(range(FRAMES)) and train["camera_ids"] == [0] * FRAMES
    assert said["metadata"]["0_00004"] == {"camera_id": 0, "warp_id": 4, "appearance_id": 4}
    assert said["extra"]["fps"] == pytest.approx(10) and said["extra"]["factor"] == 1
    full = cv2.imread(str(folder / "rgb" / "1x" / "0_00004.png"), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_array_equal(full, read_frames(scene.frames)[4])
    half = cv2.imread(str(folder / "rgb" / "2x" / "0_00004.png"), cv2.IMREAD_UNCHANGED)
    assert half.shape == (HEIGHT // 2, WIDTH // 2, 3)
    normal = (np.load(folder / "points.npy") - said["scene"]["center"]) * said["scene"]["scale"]
    eyes = (video.world_from_camera[:, :3, 3] - said["scene"]["center"]) * said["scene"]["scale"]
    distance = np.linalg.norm(normal[:, None] - eyes, axis=-1)
    assert said["scene"]["near"] < distance.min() and distance.max() < said["scene"]["far"]
    assert np.abs(normal).max() <= 0.5 + 1e-6


def test_dycheck_depth_is_along_the_axis_and_zero_where_unknown(video: PosedVideo, exported: Path) -> None:
    points, _ = seen_by(video, 3)
    depth = np.load(exported / "dycheck" / "depth" / "1x" / "0_00003.npy")
    half = np.load(exported / "dycheck" / "depth" / "2x" / "0_00003.npy")
    assert depth.shape == (HEIGHT, WIDTH, 1) and (depth == 0).any()
    z = transform(inverse(video.world_from_camera[3]), points)[:, 2]
    column, row = np.floor(video.observed_xy[video.observed_frame == 3]).astype(int).T
    assert (depth[row, column, 0] <= z + 1e-5).all() and np.median(np.abs(depth[row, column, 0] - z)) < 1e-5
    known = half[row // 2, column // 2, 0]
    assert (known > 0).all() and (known <= depth[row, column, 0]).all()


def test_nerfstudio_sees_points_where_the_frames_show_them(video: PosedVideo, exported: Path) -> None:
    data = json.loads((exported / "nerfstudio" / "transforms.json").read_text())
    assert "applied_transform" not in data and not any(data[key] for key in ("k1", "k2", "p1", "p2"))
    assert [entry["time"] for entry in data["frames"]] == pytest.approx(np.linspace(0, 1, FRAMES))
    for frame, entry in enumerate(data["frames"]):
        points, places = seen_by(video, frame)
        there = project_opengl(
            entry["transform_matrix"], (data["fl_x"], data["fl_y"]), (data["cx"], data["cy"]), points
        )
        np.testing.assert_allclose(there, places, atol=1e-6)


def test_nerfstudio_has_masks_depth_and_points(scene: SyntheticScene, video: PosedVideo, exported: Path) -> None:
    folder = exported / "nerfstudio"
    entry = json.loads((folder / "transforms.json").read_text())["frames"][2]
    mask = cv2.imread(str(folder / entry["mask_path"]), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, np.where(read_masks(scene.masks)[2] == 0, 255, 0))
    depth = cv2.imread(str(folder / entry["depth_file_path"]), cv2.IMREAD_ANYDEPTH)
    assert depth.dtype == np.uint16
    np.testing.assert_allclose(depth * 1e-3, video.depth[2], atol=0.5001e-3)
    cloud = trimesh.load(folder / "sparse_pc.ply")
    theirs, ours = (np.lexsort(points.round(4).T) for points in (np.asarray(cloud.vertices), video.points))
    np.testing.assert_allclose(cloud.vertices[theirs], video.points[ours], atol=1e-4)
    np.testing.assert_array_equal(cloud.colors[theirs, :3], video.colours[ours])


def test_colmap_reads_poses_tracks_and_colours(scene: SyntheticScene, video: PosedVideo, exported: Path) -> None:
    model = pycolmap.Reconstruction(exported / "colmap" / "sparse" / "0")
    assert model.num_reg_images() == FRAMES and model.num_points3D() == len(video.points)
    for image in model.images.values():
        assert (exported / "colmap" / "images" / image.name).is_file()
        mask = cv2.imread(str(exported / "colmap" / "masks" / f"{image.name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask > 0, read_masks(scene.masks)[image.image_id - 1] == 0)
        points, places = seen_by(video, image.image_id - 1)
        camera = model.camera(image.camera_id)
        there = camera.img_from_cam(image.cam_from_world() * points)
        np.testing.assert_allclose(there, places, atol=1e-6)
        for seen in image.points2D:
            point = model.point3D(seen.point3D_id)
            assert np.linalg.norm(image.project_point(point.xyz) - seen.xy) < 0.5
    colours = np.array([model.point3D(number).color for number in sorted(model.point3D_ids())])
    np.testing.assert_array_equal(colours, video.colours)


def test_dnerf_sees_points_where_the_frames_show_them(video: PosedVideo, exported: Path) -> None:
    folder = exported / "dnerf"
    applied = json.loads((folder / "dataparser_transforms.json").read_text())
    for split in ("train", "val", "test"):
        data = json.loads((folder / f"transforms_{split}.json").read_text())
        assert data["frames"][0]["time"] == 0.0  # D-NeRF refuses another start
    data = json.loads((folder / "transforms_train.json").read_text())
    focal = 0.5 * WIDTH / np.tan(0.5 * data["camera_angle_x"])
    for frame, entry in enumerate(data["frames"]):
        points, places = seen_by(video, frame)
        moved = applied["scale"] * (
            points @ np.array(applied["transform"])[:, :3].T + np.array(applied["transform"])[:, 3]
        )
        there = project_opengl(entry["transform_matrix"], (focal, focal), (WIDTH / 2, HEIGHT / 2), moved)
        np.testing.assert_allclose(there, places, atol=1e-6)
        image = cv2.imread(str(folder / f"{entry['file_path']}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image[..., 2::-1], video.images[frame])
        assert (image[..., 3] == 255).all()
        assert np.linalg.norm(moved - np.array(entry["transform_matrix"])[:3, 3], axis=1).min() > 2


def test_odd_cameras_see_the_dots_where_points_project(odd: tuple[PosedVideo, Path]) -> None:
    video, folder = odd
    data = json.loads((folder / "nerfstudio" / "transforms.json").read_text())
    flat = json.loads((folder / "dnerf" / "transforms_train.json").read_text())
    applied = json.loads((folder / "dnerf" / "dataparser_transforms.json").read_text())
    focal = 0.5 * SIZE[1] / np.tan(0.5 * flat["camera_angle_x"])
    names = json.loads((folder / "dycheck" / "dataset.json").read_text())["ids"]
    assert names == ["0_00000", "0_00001", "0_00003", "1_00001", "2_00001", "1_00003"]
    names = names[:3]
    assert [entry["time"] for entry in flat["frames"]] == pytest.approx([0, 1 / 3, 1])
    moved = applied["scale"] * (POINTS + np.array(applied["transform"])[:, 3])
    for frame, name in enumerate(names):
        entry, image = data["frames"][frame], video.images[frame, ..., 0]
        there = project_opengl(
            entry["transform_matrix"], (data["fl_x"], data["fl_y"]), (data["cx"], data["cy"]), POINTS
        )
        np.testing.assert_allclose(there, project_dycheck(folder / "dycheck", name, POINTS), atol=1e-6)
        np.testing.assert_allclose([centroid(image, place) for place in there], there, atol=0.05)
        there = project_opengl(
            flat["frames"][frame]["transform_matrix"], (focal, focal), (SIZE[1] / 2, SIZE[0] / 2), moved
        )
        image = cv2.imread(str(folder / "dnerf" / "train" / f"r_{frame:03d}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_allclose([centroid(image[..., 0], place) for place in there], there, atol=0.05)
        assert (image[..., 3] == 0).any()  # what the video did not show


def test_test_views_see_the_dots_where_their_own_cameras_have_them(odd: tuple[PosedVideo, Path]) -> None:
    video, folder = odd
    assert video.held_out is not None
    images = video.held_out.images[..., 0]
    said = json.loads((folder / "dycheck" / "splits" / "val.json").read_text())
    assert (said["frame_names"], said["camera_ids"]) == (["1_00001", "2_00001", "1_00003"], [1, 2, 1])
    assert said["time_ids"] == [1, 1, 3]
    data = json.loads((folder / "nerfstudio" / "transforms.json").read_text())
    flat = json.loads((folder / "dnerf" / "transforms_test.json").read_text())
    applied = json.loads((folder / "dnerf" / "dataparser_transforms.json").read_text())
    moved = applied["scale"] * (POINTS + np.array(applied["transform"])[:, 3])
    focal = 0.5 * SIZE[1] / np.tan(0.5 * flat["camera_angle_x"])
    assert data["test_filenames"] == [entry["file_path"] for entry in data["frames"][3:]]
    assert [entry["time"] for entry in flat["frames"]] == pytest.approx([1 / 3, 1 / 3, 1])
    for row, name in enumerate(said["frame_names"]):
        there = project_dycheck(folder / "dycheck", name, POINTS)
        np.testing.assert_allclose([centroid(images[row], place) for place in there], there, atol=0.05)
        entry = data["frames"][3 + row]
        own = project_opengl(
            entry["transform_matrix"], (entry["fl_x"], entry["fl_y"]), (entry["cx"], entry["cy"]), POINTS
        )
        np.testing.assert_allclose(own, there, atol=1e-6)
        image = cv2.imread(str(folder / "dnerf" / f"{flat['frames'][row]['file_path']}.png"))[..., 0]
        matrix = flat["frames"][row]["transform_matrix"]
        shown = project_opengl(matrix, (focal, focal), (SIZE[1] / 2, SIZE[0] / 2), moved)
        np.testing.assert_allclose([centroid(image, place) for place in shown], shown, atol=0.08)
    judged = cv2.imread(str(folder / "dycheck" / "covisible" / "1x" / "val" / "1_00001.png"), cv2.IMREAD_UNCHANGED)
    mask = cv2.imread(str(folder / "nerfstudio" / data["frames"][3]["mask_path"]), cv2.IMREAD_UNCHANGED)
    assert video.held_out.covisible is not None
    for seen in (judged, mask):
        np.testing.assert_array_equal(seen > 0, video.held_out.covisible[0])


def test_truths_test_views_come_into_the_world_of_the_reconstruction(video: PosedVideo) -> None:
    """A world that is turned, three times as large and elsewhere: what truth sees is then where it was."""
    turn = look_at(np.array([1.0, 2.0, 3.0]), np.zeros(3), np.array([0.0, 1.0, 0.2]))
    similarity = Similarity(3.0, turn[:3, :3], turn[:3, 3])
    count, size = len(video.number), video.images.shape[1:3]
    intrinsics = np.tile(video.camera.values, (count, 1))
    true = similarity.poses(video.world_from_camera)
    own = known_views(size, true, np.arange(count), intrinsics=intrinsics)
    test = known_views(size, true[[2, 5]], np.array([4, 99]), images=video.images[[2, 5]], intrinsics=intrinsics[:2])
    truth = Truth(own, test, np.zeros((1, count, *size)), video.camera.fx)
    info = {"frames": [{"source_index": index} for index in range(count)]}
    views = held_out_views(truth, info, video.number, video.world_from_camera, video.camera, 3.0)
    assert views is not None and views.frame.tolist() == [4]
    np.testing.assert_allclose(views.world_from_camera[0], video.world_from_camera[2], atol=1e-9)
    np.testing.assert_allclose(views.cameras[0].values, video.camera.values)
    np.testing.assert_array_equal(views.images[0], video.images[2])
    still = np.repeat(video.world_from_camera[:1], count, axis=0)
    assert held_out_views(truth, info, video.number, still, video.camera, 3.0) is None


def test_dense_depth_is_that_of_a_method_in_the_units_of_the_video() -> None:
    scene = analytic_scene(analytic_truth())
    number = np.array([1, 3])
    moved = scene.object_from_camera[0, number].astype(float)
    moved[:, :3, 3] *= 2.5
    depth = dense_depth(FlatMethod(scene, torch.ones(1, 3), torch.ones(1)), number, moved, 700)
    np.testing.assert_allclose(depth, 2.5 * DEPTH, rtol=1e-5)
    assert depth.shape == (2, *scene.size)


def test_depth_that_16_bits_cannot_hold_is_named(
    odd: tuple[PosedVideo, Path], caplog: pytest.LogCaptureFixture
) -> None:
    nerfstudio.warn_of_depth(replace(odd[0], depth=odd[0].depth * 30))
    assert "exceed 65.5 units" in caplog.text
    nerfstudio.warn_of_depth(replace(odd[0], depth=odd[0].depth / 100))
    assert "in steps of 0.001" in caplog.text
    assert nerfstudio.depth_image(np.array([[0.0, 0.0126, 70.0]])).tolist() == [[0, 13, 0]]


def test_a_lens_of_the_frames_is_undone(scene: SyntheticScene, video: PosedVideo) -> None:
    height, width = video.images.shape[1:3]
    view = undistortion(Lens("SIMPLE_RADIAL", (60.8, width / 2, height / 2, -0.1), width, height))
    straight = posed_video(scene.frames, scene.info, scene.masks, scene.reconstruction, view)
    np.testing.assert_array_equal(straight.images[2], view.apply(video.images[2]))
    background = view.apply(video.background[2].astype(np.uint8), exact=True) > 0
    np.testing.assert_array_equal(straight.background[2], background)


def test_only_the_formats_asked_for_are_written(scene: SyntheticScene, tmp_path: Path) -> None:
    paths = (scene.frames, scene.info, scene.masks, scene.reconstruction, scene.geometry, None, None, None)
    export_dataset(*paths, tmp_path / "dataset", ExportDatasetConfig(formats=["dnerf"]))
    assert [path.name for path in (tmp_path / "dataset").iterdir()] == ["dnerf"]


def test_a_background_without_points_is_refused(scene: SyntheticScene, tmp_path: Path) -> None:
    empty = pycolmap.Reconstruction(scene.reconstruction / "0")
    for number in list(empty.point3D_ids()):
        empty.delete_point3D(number)
    (tmp_path / "0").mkdir()
    empty.write_binary(tmp_path / "0")
    with pytest.raises(StageError, match="9 frames with a pose and 0 points"):
        posed_video(scene.frames, scene.info, scene.masks, tmp_path)


def test_every_format_has_a_writer() -> None:
    assert tuple(WRITERS) == get_args(DatasetFormat)
    assert all(write.__module__.endswith(f".{name}") for name, write in WRITERS.items())
