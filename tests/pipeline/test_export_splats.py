"""Splats of trained balls."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.osn.scale_network import ScaleNetwork
from pipeline import export_splats as stage
from pipeline.config import ExportSplatsConfig
from pipeline.evaluation.splats import splats_findings
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.formats.splat_file import read_splats
from pipeline.formats.splats_folder import read_likeness, read_object_splats, read_scale_record
from pipeline.osn.method import OsnMethod
from pipeline.runtime.errors import StageError
from tests.pipeline.flat_method import FlatMethod
from tests.pipeline.trained_balls import RADIUS, SCALES, trained_balls
from tests.synthetic import write_synthetic_scene

FEW = ExportSplatsConfig(background_splats=600, object_splats=60, steps=60, observed_views=4, turned_views=2)


@pytest.fixture(scope="module")
def balls(tmp_path_factory: pytest.TempPathFactory):
    """The scene's path, the method, and its splats."""
    folder = tmp_path_factory.mktemp("balls")
    path = write_synthetic_scene(folder).scene
    scene = read_scene(path)
    network = ScaleNetwork(torch.from_numpy(scene.scale_range), torch.Generator().manual_seed(3))
    method = trained_balls(scene, network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "load_method", lambda checkpoint, scene, device: method)
        stage.export_splats(folder / "checkpoint.pt", path, folder / "splats", FEW)
    return path, method, folder / "splats"


def test_splats_of_a_ball_lie_on_it(balls: tuple[Path, OsnMethod, Path]) -> None:
    _, method, folder = balls
    for index in (1, 2):
        splats = read_splats(folder / f"{method.object_ids[index]}.ply")
        radius = RADIUS * float(method.fields.spaces[index].half_extent.min())
        distance = np.linalg.norm(splats.places, axis=1) / radius
        assert 30 < len(distance) <= FEW.object_splats
        assert 0.75 < np.median(distance) < 1.05 and np.mean(np.abs(distance - 0.9) < 0.3) > 0.9  # centres lie within


def test_likeness_is_measured_of_each_object_and_of_all(balls: tuple[Path, OsnMethod, Path]) -> None:
    _, method, folder = balls
    likeness = read_likeness(folder)
    assert list(likeness.objects) == method.object_ids and min(likeness.objects.values()) > 15
    rows = {(row.item, row.metric): row.value for row in splats_findings("osn", likeness).rows}
    assert rows["1", "splats_psnr_db"] == likeness.objects[1]
    assert rows["observed", "psnr_db"] == likeness.frames_db and rows["all", "splats_psnr_db"] == likeness.field_db


def test_the_kept_scale_network_scores_as_the_method_does(balls: tuple[Path, OsnMethod, Path]) -> None:
    """Written out in NumPy, as any other program would."""
    _, method, folder = balls
    record = read_scale_record(folder)
    np.testing.assert_allclose(record.samples, SCALES, rtol=1e-6)
    scales = np.exp(np.random.default_rng(0).uniform(np.log(0.5), np.log(2), (20, 3)))
    low, high = record.scale_range[1:].T
    hidden = 2 * (scales[:, 1:] - low) / (high - low) - 1
    for weight, bias in zip(record.weights[:-1], record.biases[:-1], strict=True):
        hidden = np.maximum(hidden @ weight + bias, 0)
    score = 1 / (1 + np.exp(-(hidden @ record.weights[-1] + record.biases[-1])[:, 0] - record.shift))
    expected = method.validity(torch.from_numpy(scales).float()).numpy()
    np.testing.assert_allclose(score, expected, atol=1e-5)


def test_places_are_those_of_the_first_scene(balls: tuple[Path, OsnMethod, Path]) -> None:
    path, _, folder = balls
    poses = json.loads((folder / "poses.json").read_text())
    scene: Scene = read_scene(path)
    assert [entry["scale"] for entry in poses["objects"]] == pytest.approx(SCALES[0].tolist())
    assert len(poses["objects"][1]["world_from_object"]) == scene.frame_count


def test_an_empty_object_gets_no_file_and_is_named(balls, tmp_path: Path, monkeypatch, caplog) -> None:
    path, _, _ = balls
    method = trained_balls(read_scene(path))
    method.grids[2] = torch.full_like(method.grids[2], -100.0)
    monkeypatch.setattr(stage, "load_method", lambda checkpoint, scene, device: method)
    stage.export_splats(tmp_path / "c.pt", path, tmp_path / "splats", FEW.model_copy(update={"steps": 1}))
    assert list(read_object_splats(tmp_path / "splats")) == [0, 1]
    assert "has no splats: its field is empty" in caplog.text
    assert read_scale_record(tmp_path / "splats").weights == []


def test_a_method_without_objects_is_refused(balls, tmp_path: Path, monkeypatch) -> None:
    path, _, _ = balls
    flat = FlatMethod(read_scene(path), torch.ones(1, 3), torch.ones(1))
    monkeypatch.setattr(stage, "load_method", lambda checkpoint, scene, device: flat)
    with pytest.raises(StageError, match="without objects of their own has no splats"):
        stage.export_splats(tmp_path / "c.pt", path, tmp_path / "splats", FEW)
    assert not (tmp_path / "splats").exists()
