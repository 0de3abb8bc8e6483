"""Reconstruction finds what made the tracks, names what it cannot know, and says the same twice."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from pipeline import reconstruct_objects as stage
from pipeline.config import ExtractFramesConfig, ReconstructObjectsConfig
from pipeline.correspondence.lucas_kanade import smooth_image
from pipeline.extract_frames import extract_frames
from pipeline.formats.geometry_file import Geometry, read_geometry
from pipeline.formats.lens import Lens, Undistortion, undistortion
from pipeline.formats.tracks_file import read_tracks
from pipeline.reconstruct_objects import first_camera, reconstruct_objects
from pipeline.sfm.background import Reconstructed
from pipeline.sfm.colmap import read_tracked_model
from pipeline.sfm.mapping import MappingOptions
from pipeline.sfm.motion_prior import World, carried
from pipeline.sfm.radial_term import RadialTerm, straightened
from pipeline.sfm.rigid_model import Observations, RigidModel, triangulate
from pipeline.sfm.self_calibration import uncalibrated
from pipeline.sfm.straight_background import StraightBackground
from pipeline.sfm.verdicts import Judgement
from pipeline.truth.correspondences import truth_intrinsics
from tests.pipeline.tracked_body import FRAMES, pose_errors, solid, tracked, turning_poses
from tests.synthetic import SyntheticScene, camera_from_object, synthetic_truth, write_synthetic_scene


def test_the_camera_is_taken_from_the_surest_source() -> None:
    info = {"height": 100, "width": 200, "source": {"height": 200, "width": 400}, "focal_px": 180.0}
    given = ReconstructObjectsConfig(intrinsics=(400.0, 410.0, 200.0, 100.0))
    camera, source = first_camera(info, given, None)
    assert source == "given" and camera.values.tolist() == [200, 205, 100, 50]
    assert first_camera(info, ReconstructObjectsConfig(), None)[0].fx == 180
    camera, source = first_camera({**info, "focal_px": None}, ReconstructObjectsConfig(default_focal=1.2), None)
    assert source == "default" and camera.fx == pytest.approx(240)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("geometry"))


def run(scene: SyntheticScene, folder: Path, poses: Path | None = None, **settings: object) -> tuple[Path, Geometry]:
    inputs = (scene.frames, scene.info, scene.tracks, scene.masks, scene.objects, poses)
    config = ReconstructObjectsConfig.model_validate(settings)
    reconstruct_objects(*inputs, folder / "reconstruction", folder / "geometry.json", config)
    return folder / "reconstruction", read_geometry(folder / "geometry.json")


def test_the_stage_reconstructs_a_scene_from_exact_tracks(scene: SyntheticScene, tmp_path: Path) -> None:
    truth = synthetic_truth()
    values = tuple(truth_intrinsics(truth).values.tolist())
    folder, geometry = run(scene, tmp_path, intrinsics=values, guided_matching_rounds=0)
    assert [entry.id for entry in geometry.objects] == [0, 1, 2]
    assert (geometry.camera, geometry.intrinsics_source) == ("moving", "given")
    for entry in geometry.objects:
        model, _ = read_tracked_model(folder / str(entry.id), len(truth.train.images))
        assert pose_errors(model, camera_from_object(truth, entry.id))[0] < 1.0


def test_the_same_images_give_the_same_poses_bit_for_bit(scene: SyntheticScene, tmp_path: Path) -> None:
    values = tuple(truth_intrinsics(synthetic_truth()).values.tolist())
    (first, _), (second, _) = (run(scene, tmp_path / name, intrinsics=values) for name in ("a", "b"))
    for file in sorted(first.rglob("*.bin")):
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes()


def test_given_poses_come_out_to_a_millionth(
    scene: SyntheticScene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truth = synthetic_truth()
    with caplog.at_level(logging.INFO):
        folder, geometry = run(scene, tmp_path, scene.reconstruction / "0")
    background = geometry.objects[0]
    assert (background.method, background.verdict, geometry.intrinsics_source) == ("imported", "ok", "given")
    assert geometry.intrinsics[0] == pytest.approx(truth.focal_px)
    model, _ = read_tracked_model(folder / "0", len(truth.train.images))
    np.testing.assert_allclose(model.camera_from_object, camera_from_object(truth, 0), atol=1e-6)


def standing_in(view: Undistortion | None, told: list[MappingOptions]):
    """A background that is known already, in the place of the search for one; what is known of the focal length is its curve."""

    def background(seen: Observations, options: MappingOptions) -> StraightBackground:
        told.append(options)
        own = straightened(seen, view) if view else seen
        camera = view.camera if view else options.camera
        poses = camera_from_object(synthetic_truth(), 0)
        model = triangulate(RigidModel(poses, np.full((own.track_count, 3), np.nan), camera, "known"), own)
        calibration = uncalibrated(camera, options.focal_prior) if options.focal_prior else None
        found = Reconstructed(model, own, Judgement("ok", "known", {}), 1.0, calibration)
        return StraightBackground(
            found, "moving", RadialTerm(-0.25, 0.01, (view.lens.camera if view else camera).fx), view
        )

    return background


def test_the_focal_length_of_images_with_exif_reaches_the_curve(
    scene: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, told = tmp_path / "shots", []
    folder.mkdir()
    for number, image in enumerate(synthetic_truth().train.images):
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 33
        Image.fromarray(image).save(folder / f"{number}.jpg", exif=exif)
    frames, info = tmp_path / "frames", tmp_path / "frames.json"
    extract_frames(folder, None, frames, info, ExtractFramesConfig(find_overlays=False))
    monkeypatch.setattr(stage, "straight_background", standing_in(None, told))
    monkeypatch.setattr(stage, "reconstruct_moving", lambda *_: {})
    _, geometry = run(scene._replace(frames=frames, info=info), tmp_path)
    focal = 33 * 80 / 43.267  # 33 mm on film whose diagonal is 43.27 mm; that of the images is 80 px
    assert told[0].camera.fx == pytest.approx(focal, rel=1e-4) and told[0].focal_known
    assert geometry.intrinsics_source == "metadata" and geometry.focal_curve is not None
    low, high = geometry.focal_curve.interval_68
    assert 0.9 * focal < low < focal < high < 1.3 * focal
    best = geometry.focal_curve.focal_px[int(np.argmax(geometry.focal_curve.log_posterior))]
    assert best == pytest.approx(focal, rel=0.02)


def test_a_lens_is_undone_for_all_that_objects_are_reconstructed_from(
    scene: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, given = synthetic_truth(), {}
    height, width = truth.size
    view = undistortion(Lens("SIMPLE_RADIAL", (truth.focal_px, width / 2, height / 2, -0.25), width, height))

    def moving(seen, object_ids, options, images, world):
        given.update(seen=seen, object_ids=object_ids, camera=options.camera, image=images(1).image(2))
        return {}

    monkeypatch.setattr(stage, "straight_background", standing_in(view, []))
    monkeypatch.setattr(stage, "reconstruct_moving", moving)
    folder, geometry = run(scene, tmp_path)
    assert geometry.lens == view.lens.values and geometry.intrinsics == pytest.approx(view.camera.values)
    assert geometry.radial is not None and geometry.radial.corner_px == pytest.approx(
        view.lens.displacement_px, abs=1e-2
    )
    model, _ = read_tracked_model(folder / "0", len(truth.train.images))
    assert model.camera.values == pytest.approx(view.camera.values) and given["camera"] == view.camera
    np.testing.assert_array_equal(given["object_ids"][2], view.apply(truth.train.object_ids[2], exact=True))
    straight = torch.from_numpy(smooth_image(view.apply(truth.train.images[2]))).permute(2, 0, 1)
    torch.testing.assert_close(given["image"], straight)
    tracks = read_tracks(scene.tracks)
    own = (tracks.object_ids == 1)[tracks.observation_track]
    expected = view.points(tracks.observation_xy[own])
    inside = ((expected >= 0) & (expected < [width, height])).all(1)
    np.testing.assert_allclose(given["seen"][1].xy, expected[inside], atol=1e-6)


def test_a_hidden_span_is_carried_near_the_truth_and_marked() -> None:
    poses = turning_poses()
    model, _ = tracked(poses, solid(20))
    hidden = replace(
        model, camera_from_object=np.where(np.isin(np.arange(FRAMES), [5, 6])[:, None, None], np.nan, poses)
    )
    world = World(np.tile(np.eye(4), (FRAMES, 1, 1)), 10.0)
    found = carried(hidden, {"rotation_std_deg": 0.1}, world)
    assert [pose.frame for pose in found] == [5, 6]
    np.testing.assert_allclose(found[0].camera_from_object, poses[5, :3], atol=0.02)
    assert carried(hidden, {}, world) == []  # a flat picture
