"""Miniatures of data sets with pixel centres at +0.5: DyCheck, HyperNeRF, D-NeRF and nerfstudio.

The world and the ray caster are those of tests/dataset_miniatures.py.
"""

from pathlib import Path

import cv2
import numpy as np

from pipeline.cameras import Intrinsics, inverse, project, transform, unproject
from pipeline.datasets.imported_scene import ImportedScene
from pipeline.datasets.posed_video import HeldOutViews, PosedVideo
from pipeline.truth.truth_file import TruthViews
from tests.dataset_miniatures import GL, Shot, save_array, save_image, save_json, shoot
from tests.synthetic import synthetic_cameras

TIMES, HEIGHT, WIDTH = 8, 36, 48
MISSING = (2, 5)  # times that the last camera lacks
HOLE = (slice(4, 7), slice(10, 14))
CAMERAS = (
    Intrinsics(46.0, 46.0, 23.1, 18.4, WIDTH, HEIGHT),
    Intrinsics(44.0, 45.1, 24.6, 17.2, WIDTH, HEIGHT),
    Intrinsics(48.0, 48.0, 24.0, 18.0, WIDTH, HEIGHT),
)
FIRST = synthetic_cameras(np.linspace(-0.3, 0.3, TIMES), -1.6)
STANDING = synthetic_cameras(np.array([-0.2, 0.25]), -1.3)


def pose_of(camera: int, time: int) -> np.ndarray:
    """The first camera moves, the others stand."""
    return FIRST[time] if camera == 0 else STANDING[camera - 1]


def shot_of(camera: int, time: int) -> Shot:
    return shoot(CAMERAS[camera], pose_of(camera, time), time)


def nerfies_json(camera: int, time: int) -> dict:
    """camera/ID.json, written down by the layout's words."""
    own, pose = CAMERAS[camera], pose_of(camera, time)
    tangential = "tangential" if camera == 1 else "tangential_distortion"  # the first release's name
    return {
        "orientation": pose[:3, :3].T.tolist(),
        "position": pose[:3, 3].tolist(),
        "focal_length": own.fx,
        "principal_point": [own.cx, own.cy],
        "image_size": [WIDTH, HEIGHT],
        "skew": 0.0,
        "pixel_aspect_ratio": own.fy / own.fx,
        "radial_distortion": [0.0, 0.0, 0.0],
        tangential: [0.0, 0.0],
    }


def write_nerfies(folder: Path, ids: dict[str, tuple[int, int]]) -> None:
    """What all three layouts share: IDs of (camera, time), images at factors 1 and 2, cameras."""
    for name, (camera, time) in ids.items():
        image = np.dstack([shot_of(camera, time).image, np.full((HEIGHT, WIDTH), 255, np.uint8)])
        if (camera, time) in ((0, 1), (1, 1)):
            image[HOLE] = 0
        save_image(folder / "rgb" / "1x" / f"{name}.png", image)
        half = cv2.resize(image, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        save_image(folder / "rgb" / "2x" / f"{name}.png", half)
        save_json(folder / "camera" / f"{name}.json", nerfies_json(camera, time))
    listed = {name: {"camera_id": c, "warp_id": t, "appearance_id": t} for name, (c, t) in ids.items()}
    save_json(folder / "metadata.json", listed)
    save_json(folder / "scene.json", {"center": [0.1, -0.8, 0.0], "scale": 0.1, "near": 0.1, "far": 1.2})


def split_file(ids: dict[str, tuple[int, int]], cameras: set[int]) -> dict:
    """A list of splits/."""
    chosen = {name: pair for name, pair in ids.items() if pair[0] in cameras}
    cameras_of, times_of = (list(column) for column in zip(*chosen.values(), strict=True))
    return {"frame_names": list(chosen), "camera_ids": cameras_of, "time_ids": times_of}


def marked_points() -> np.ndarray:
    """(3, 3) points of the room that the first camera sees above the boxes at its first time."""
    column, row = np.array([[20, 8, 30], [8, 6, 9]])
    seen = unproject(CAMERAS[0], np.stack([column, row], axis=1) + 0.5, shot_of(0, 0).depth[row, column].astype(float))
    return transform(FIRST[0], seen)


def keypoints_at(time: int) -> list[list[float]]:
    """These points as the loader has them, without the half pixel of centres; one is not marked at every third time."""
    places = project(CAMERAS[0], transform(inverse(FIRST[time]), marked_points()))
    return [[*(xy - 0.5).tolist(), float(time % 3 > 0 or j > 0)] for j, xy in enumerate(places)]


def write_dycheck(folder: Path, unit: float = 1.0) -> None:
    """Camera 0 trains, with depth in `unit`; cameras 1 and 2 test, the latter without two times."""
    ids = {f"{c}_{t:05d}": (c, t) for c in range(3) for t in range(TIMES) if not (c == 2 and t in MISSING)}
    write_nerfies(folder, ids)
    save_json(folder / "dataset.json", {"count": len(ids), "ids": list(ids)})
    save_json(folder / "extra.json", {"factor": 2, "fps": 30})
    save_json(folder / "splits" / "train.json", split_file(ids, {0}))
    save_json(folder / "splits" / "val.json", split_file(ids, {1, 2}))
    for factor in (1, 2):
        for time in range(TIMES):
            points = [[x / factor, y / factor, seen] for x, y, seen in keypoints_at(time)]
            save_json(folder / "keypoint" / f"{factor}x" / "train" / f"0_{time:05d}.json", points)
    for name, (camera, time) in ids.items():
        depth = shot_of(camera, time).depth.copy()
        depth[:3] = 0
        seen = np.where(shot_of(camera, time).ids < 2, 255, 0).astype(np.uint8)
        for factor in (1, 2):
            if camera == 0:
                save_array(folder / "depth" / f"{factor}x" / f"{name}.npy", depth[::factor, ::factor, None] / unit)
            else:
                save_image(folder / "covisible" / f"{factor}x" / "val" / f"{name}.png", seen[::factor, ::factor])


def write_hypernerf(folder: Path) -> None:
    """Two cameras that see every time; no splits/."""
    ids = {f"{side}1_{t:06d}": (c, t) for t in range(TIMES) for c, side in enumerate(("left", "right"))}
    write_nerfies(folder, ids)
    names = list(ids)
    lists = {"train_ids": names[::2], "val_ids": names[1::2]}
    save_json(folder / "dataset.json", {"count": len(ids), "ids": names, **lists})


def write_dnerf(folder: Path) -> None:
    """A centred camera; transparent where the room is; the test camera stands."""
    camera = Intrinsics.centred(46.0, HEIGHT, WIDTH)
    for split, poses in (("train", FIRST), ("test", np.repeat(STANDING[:1], TIMES, axis=0))):
        frames = []
        for time, pose in enumerate(poses):
            shot = shoot(camera, pose, time)
            alpha = np.where(shot.ids > 0, 255, 0).astype(np.uint8)
            save_image(folder / split / f"r_{time:03d}.png", np.dstack([shot.image, alpha]))
            matrix = (pose @ GL).tolist()
            said = {"file_path": f"./{split}/r_{time:03d}", "time": time / (TIMES - 1), "transform_matrix": matrix}
            frames.append(said)
        angle = 2 * float(np.arctan(WIDTH / 2 / camera.fx))
        save_json(folder / f"transforms_{split}.json", {"camera_angle_x": angle, "frames": frames})


def write_nerfstudio(folder: Path) -> None:
    """The first camera trains, the second tests; masks leave out the boxes; one image is missing."""
    frames, lists = [], {"train_filenames": [], "test_filenames": []}
    for camera, key in ((0, "train_filenames"), (1, "test_filenames")):
        for time in range(TIMES):
            shot, own, name = shot_of(camera, time), CAMERAS[camera], f"images/{camera}_{time:03d}.png"
            lists[key].append(name)
            mask, depth = (f"{part}/{camera}_{time:03d}.png" for part in ("masks", "depths"))
            if (camera, time) != (1, 3):
                save_image(folder / name, shot.image)
            save_image(folder / mask, np.where(shot.ids == 0, 255, 0).astype(np.uint8))
            save_image(folder / depth, np.rint(shot.depth * 1000).astype(np.uint16))
            said = {"fl_x": own.fx, "fl_y": own.fy, "cx": own.cx, "cy": own.cy, "time": time / (TIMES - 1)}
            matrix = (pose_of(camera, time) @ GL).tolist()
            paths = {"file_path": name, "mask_path": mask, "depth_file_path": depth}
            frames.append(paths | said | {"transform_matrix": matrix})
    save_json(folder / "transforms.json", {"w": WIDTH, "h": HEIGHT, **lists, "frames": frames})


def video_of(scene: ImportedScene) -> PosedVideo:
    """The video of an imported scene, to be exported; its points are what the first frame shows along a column."""
    depth = np.full(scene.images.shape[:3], 4.0) if scene.depth is None else scene.depth.astype(float)
    count = len(scene.names)
    return PosedVideo(
        images=scene.images,
        object_ids=np.zeros(scene.images.shape[:3], np.uint8) if scene.masks is None else scene.masks,
        depth=depth,
        number=np.arange(count),
        times_s=scene.times,
        camera=scene.lenses[0].camera,
        world_from_camera=scene.world_from_camera,
        points=np.random.default_rng(0).uniform(-1, 1, (12, 3)),
        observed_point=np.arange(12),
        observed_frame=np.zeros(12, int),
        observed_xy=np.full((12, 2), 5.5),
        held_out=None if scene.test is None else held_out_of(scene.test),
    )


def held_out_of(test: TruthViews) -> HeldOutViews:
    """Test views that are all of times of the video."""
    assert test.intrinsics is not None
    cameras = [Intrinsics.from_values(values, *test.size) for values in test.intrinsics]
    return HeldOutViews(test.images, test.time, cameras, test.world_from_camera, test.covisible)


def assert_same_tests(found: ImportedScene, wanted: ImportedScene) -> None:
    """Two scenes have the same test views: images, times, poses, cameras, and what is to be judged."""
    ours, theirs = found.test, wanted.test
    assert ours is not None and theirs is not None and ours.intrinsics is not None and theirs.intrinsics is not None
    np.testing.assert_array_equal(ours.time, theirs.time)
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_allclose(ours.world_from_camera, theirs.world_from_camera, atol=1e-9)
    np.testing.assert_allclose(ours.intrinsics, theirs.intrinsics, atol=1e-9)
    assert (ours.covisible is None) == (theirs.covisible is None)
    if ours.covisible is not None:
        np.testing.assert_array_equal(ours.covisible, theirs.covisible)
