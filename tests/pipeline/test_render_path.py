"""A camera path becomes a film of the trained fields."""

from pathlib import Path

import numpy as np
import pytest

from pipeline import render_path as stage
from pipeline.formats.camera_path_file import CameraPath, PathView, write_camera_path
from pipeline.formats.renders_folder import read_renders, read_set_images
from pipeline.formats.scene_file import Scene, write_scene
from pipeline.runtime.errors import StageError
from tests.analytic_world import CAMERA, FOCAL, HEIGHT, WIDTH, analytic_method, analytic_scene, analytic_truth


def path_of(scene: Scene, frames: list[int], scales: list[float]) -> CameraPath:
    """The film's own views of some frames."""
    fov = float(np.degrees(2 * np.arctan(HEIGHT / 2 / FOCAL)))
    poses = scene.object_from_camera[0, frames].astype(float).tolist()
    views = [
        PathView.model_validate({"frame": t, "world_from_camera": pose, "fov_y_deg": fov})
        for t, pose in zip(frames, poses, strict=True)
    ]
    return CameraPath(seconds=1.0, fps=5.0, height=HEIGHT, width=WIDTH, scales=scales, views=views)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = analytic_scene(analytic_truth())
    write_scene(tmp_path / "scene.h5", scene, {})
    monkeypatch.setattr(stage, "load_method", lambda checkpoint, packed, device: analytic_method(packed))
    return scene


def render(folder: Path) -> None:
    stage.render_path(folder / "osn" / "c.pt", folder / "scene.h5", folder / "mine.json", folder / "out")


def test_film_begins_and_ends_with_the_views_that_were_laid(tmp_path: Path, scene: Scene) -> None:
    write_camera_path(tmp_path / "mine.json", path_of(scene, [1, 5], analytic_method(scene).scales[25].tolist()))
    render(tmp_path)
    (entry,) = read_renders(tmp_path / "out").sets
    assert entry.name == "mine" and entry.frames == [1, 2, 3, 4, 5] and (tmp_path / "out" / "mine.mp4").exists()
    images = read_set_images(tmp_path / "out", entry).astype(float)
    assert images.shape[1:3] == (CAMERA.height, CAMERA.width)
    for shown, frame in ((0, 1), (4, 5)):
        assert np.median(np.abs(images[shown] - scene.images[frame])) < 3


def test_path_of_another_scene_is_refused(tmp_path: Path, scene: Scene) -> None:
    write_camera_path(tmp_path / "mine.json", path_of(scene, [1, 5], [1.0, 1.0]))
    with pytest.raises(StageError, match=r"mine\.json is of a scene with 2 objects, this one has 3"):
        render(tmp_path)
    assert not (tmp_path / "out").exists()
