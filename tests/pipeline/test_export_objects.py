"""Meshes and places of trained objects."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from pipeline import export_objects as stage
from pipeline.cameras import transform
from pipeline.config import ExportObjectsConfig
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.formats.splat_file import Splats, read_splats
from pipeline.formats.splats_folder import write_object_splats
from pipeline.osn.method import OsnMethod
from pipeline.runtime.errors import StageError
from tests.pipeline.flat_method import FlatMethod
from tests.pipeline.trained_balls import SCALES, trained_balls
from tests.synthetic import write_synthetic_scene

DEFAULT = ExportObjectsConfig()


def write_some_splats(folder: Path, scene: Scene) -> None:
    """One splat in the middle of each object."""
    folder.mkdir()
    shapes = ((1, 3), (1, 3), (1, 4), (1,), (1, 3))
    write_object_splats(folder, {int(entry["id"]): Splats(*map(np.ones, shapes)) for entry in scene.objects})


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A scene whose objects are balls, exported."""
    path = write_synthetic_scene(tmp_path).scene
    scene = read_scene(path)
    method = trained_balls(scene)
    halves = [space.half_extent for space in method.fields.spaces]
    monkeypatch.setattr(stage, "load_method", lambda checkpoint, scene, device: method)
    write_some_splats(tmp_path / "splats", scene)
    stage.export_objects(tmp_path / "checkpoint.pt", path, tmp_path / "splats", tmp_path / "objects", DEFAULT)
    return scene, halves, tmp_path / "objects"


def test_mesh_of_a_ball_is_a_ball_turned_outwards_and_as_coloured_points(exported):
    scene, halves, folder = exported
    for entry, half in zip(scene.objects, halves, strict=True):
        mesh = trimesh.load(folder / f"{entry['id']}.glb", force="mesh")
        radius = 0.6 * float(half.min())
        cell = 2 * float(half.max()) / 29
        assert np.allclose(np.linalg.norm(mesh.vertices, axis=1), radius, atol=0.75 * cell)
        assert mesh.volume > 0.7 * 4 / 3 * np.pi * radius**3
        points = trimesh.load(folder / f"{entry['id']}.ply")
        assert len(points.vertices) > 500 and len(np.unique(points.colors, axis=0)) > 10


def test_object_lies_in_the_world_where_its_scale_puts_it(exported):
    """x_world = P0 (s camera_from_object X), worked through the camera."""
    scene, _, folder = exported
    listed = json.loads((folder / "poses.json").read_text())["objects"]
    point, t = np.array([0.1, -0.2, 0.3]), 2
    for k, entry in enumerate(listed):
        in_camera = float(SCALES[0, k]) * transform(np.linalg.inv(scene.object_from_camera[k, t].astype(float)), point)
        expected = transform(scene.object_from_camera[0, t].astype(float), in_camera)
        assert np.allclose(transform(np.array(entry["world_from_object"][t]), point), expected, atol=1e-5)
        assert abs(entry["scale"] - float(SCALES[0, k])) < 1e-6


def test_numbered_scenes_hold_every_objects_splats_where_it_is_then(exported):
    scene, _, folder = exported
    listed = json.loads((folder / "poses.json").read_text())["objects"]
    assert len(list((folder / "scenes").iterdir())) == scene.frame_count
    places = read_splats(folder / "scenes" / "000002.ply").places
    expected = [transform(np.array(entry["world_from_object"][2]), np.ones(3)) for entry in listed]
    assert np.allclose(places, expected, atol=1e-5)


def test_places_are_those_of_the_valid_scene_nearest_to_wanted_scales(exported, tmp_path):
    (scene,) = tmp_path.rglob("scene.h5")
    made = tmp_path / "checkpoint.pt", scene, tmp_path / "splats", tmp_path / "near"
    stage.export_objects(*made, ExportObjectsConfig(scales=[0.9, 1.1]))
    listed = json.loads((made[3] / "poses.json").read_text())["objects"]
    assert np.allclose([entry["scale"] for entry in listed], SCALES[1])
    with pytest.raises(StageError, match="has 1 scales, the scene 2 moving objects"):
        stage.export_objects(*made, ExportObjectsConfig(scales=[0.9]))


def test_method_without_objects_is_refused(exported, tmp_path, monkeypatch):
    (scene,) = tmp_path.rglob("scene.h5")
    flat = FlatMethod(exported[0], torch.ones(1, 3), torch.ones(1))
    monkeypatch.setattr(stage, "load_method", lambda checkpoint, scene, device: flat)
    with pytest.raises(StageError, match="without objects of their own"):
        stage.export_objects(tmp_path / "checkpoint.pt", scene, tmp_path / "splats", tmp_path / "other", DEFAULT)
    assert not (tmp_path / "other").exists()


def test_an_object_whose_field_is_empty_gets_no_file_and_is_named(exported, tmp_path, monkeypatch, caplog):
    scene, *_ = exported
    (path,) = tmp_path.rglob("scene.h5")
    method = stage.load_method(path, scene, torch.device("cpu"))
    method.grids[1] = torch.full_like(method.grids[1], -100.0)
    stage.export_objects(tmp_path / "checkpoint.pt", path, tmp_path / "splats", tmp_path / "other", DEFAULT)
    assert {file.name for file in (tmp_path / "other").iterdir()} == {
        "0.glb",
        "0.ply",
        "2.glb",
        "2.ply",
        "poses.json",
        "scenes",
    }
    assert f"object {scene.objects[1]['name']} has no surface" in caplog.text


def test_scales_that_the_video_contradicts_are_said_to_be(exported, tmp_path, caplog, monkeypatch):
    (scene,) = tmp_path.rglob("scene.h5")
    monkeypatch.setattr(OsnMethod, "validity", lambda _, scales: torch.zeros(len(scales)))
    config = ExportObjectsConfig(scales=[0.9, 1.1])
    stage.export_objects(tmp_path / "checkpoint.pt", scene, tmp_path / "splats", tmp_path / "near", config)
    assert "the scales [0.9, 1.1] do not explain the video" in caplog.text
