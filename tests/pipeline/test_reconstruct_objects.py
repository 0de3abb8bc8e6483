"""Reconstruction finds what made the tracks, names what it cannot know, and says the same twice."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ReconstructObjectsConfig
from pipeline.formats.geometry_file import Geometry, read_geometry
from pipeline.reconstruct_objects import carried, first_camera, reconstruct_objects
from pipeline.sfm.background import Reconstructed
from pipeline.sfm.colmap import read_tracked_model
from pipeline.sfm.motion_prior import World
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


def test_a_hidden_span_is_carried_near_the_truth_and_marked() -> None:
    poses = turning_poses()
    model, seen = tracked(poses, solid(20))
    hidden = replace(
        model, camera_from_object=np.where(np.isin(np.arange(FRAMES), [5, 6])[:, None, None], np.nan, poses)
    )
    world = World(np.tile(np.eye(4), (FRAMES, 1, 1)), 10.0)
    known = Reconstructed(hidden, seen, Judgement("ok", "", {"rotation_std_deg": 0.1}))
    found = carried(known, world)
    assert [pose.frame for pose in found] == [5, 6]
    np.testing.assert_allclose(found[0].camera_from_object, poses[5, :3], atol=0.02)
    assert carried(Reconstructed(hidden, seen, Judgement("weak", "a flat picture", {})), world) == []
