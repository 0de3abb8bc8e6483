"""The README's moving picture: where its second camera stands, and that the file keeps colours and times."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks.readme_animation import cameras_aside, margins_px, two_valid_scales, write_animation
from pipeline.formats.scene_file import Scene
from tests.analytic_world import FRAMES, HEIGHT, WIDTH, analytic_scene, analytic_truth


def scene_with_object(x: float, depth: float) -> Scene:
    """A camera that stays at the world's origin, and an object of half extent 0.1 to the right of its axis."""
    scene = analytic_scene(analytic_truth(), objects=2)
    poses = np.tile(np.eye(4, dtype=np.float32), (2, FRAMES, 1, 1))
    poses[1, :, :3, 3] = [-x, 0.0, -depth]
    return replace(
        scene,
        intrinsics=np.array([WIDTH / 2, WIDTH / 2, WIDTH / 2, HEIGHT / 2]),
        object_from_camera=poses,
        box_half_extent=np.array([[1.0, 1.0, 1.0], [0.1, 0.05, 0.1]], np.float32),
        observation_depth=np.full_like(scene.observation_depth, 2.0),
    )


def test_margin_is_the_distance_of_an_objects_edge_from_the_border() -> None:
    scene, scales = scene_with_object(0.5, depth=2.0), np.array([[1.0, 1.0], [1.0, 0.5]])
    cameras = np.tile(np.eye(4), (FRAMES, 1, 1))
    # In the middle of the height, with a radius of f * 0.1 / 2: a scale changes nothing from the video's own camera.
    own = HEIGHT / 2 - WIDTH / 2 * 0.05
    np.testing.assert_allclose(margins_px(scene, scales, cameras), np.full((2, 1, FRAMES), own))
    cameras[:, 0, 3] = 1.2
    # From 1.2 to the right, with f = c: x = c + f * (0.5 - 1.2) / 2 and c + f * (0.25 - 1.2) / 1, the nearer one at the border.
    near = WIDTH / 2 * (1 - 0.95 - 0.05)
    np.testing.assert_allclose(margins_px(scene, scales, cameras)[1], np.full((1, FRAMES), near), atol=1e-6)


@pytest.mark.parametrize(("x", "side"), [(0.8, 1.0), (-0.8, -1.0)])
def test_camera_stands_where_objects_stay_in_the_picture(x: float, side: float) -> None:
    """A near object moves against the camera: the camera moves to the side on which the object is."""
    cameras = cameras_aside(scene_with_object(x, depth=1.0), np.array([[1.0, 1.0], [1.0, 0.6]]))
    assert np.all(np.sign(cameras[:, 0, 3]) == side)


def test_second_scene_is_the_valid_one_nearest_to_smaller_objects() -> None:
    valid = np.array([[1.0, 1.0, 2.0], [1.0, 0.9, 0.3], [1.0, 0.55, 1.25], [1.0, 0.1, 0.1]], np.float32)
    method = SimpleNamespace(scales=SimpleNamespace(numpy=lambda: valid))
    np.testing.assert_array_equal(two_valid_scales(method), valid[[0, 2]])


def test_small_things_keep_their_colour_and_all_times_are_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = []
    for time in range(5):
        pixels = rng.integers(100, 160, (60, 80, 3), np.uint8) // [1, 2, 1]
        pixels[:4, 10 * time : 10 * time + 4] = [0, 220, 220]
        pictures.append(Image.fromarray(pixels.astype(np.uint8)))
    write_animation(tmp_path / "a.gif", pictures)
    found = Image.open(tmp_path / "a.gif")
    assert found.n_frames == 5 and found.info["loop"] == 0
    for time in range(5):
        found.seek(time)
        shown = np.asarray(found.convert("RGB"))[:4, 10 * time : 10 * time + 4].astype(int)
        assert np.abs(shown - [0, 220, 220]).max() < 30
