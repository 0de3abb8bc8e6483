"""Requests for edits: which are shown together, in words, and as motions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.cameras import inverse, transform
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.scene.edit_requests import edit_caption, edits_by_video, object_centres, placement
from tests.synthetic import write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder: Path = tmp_path_factory.mktemp("edit_requests")
    return read_scene(write_synthetic_scene(folder).scene)


def test_edits_of_one_video_are_together_and_others_alone() -> None:
    first, second, third, fourth = (
        Edit(object=name, action="remove", video=video)
        for name, video in zip("abcd", ("x", None, "x", None), strict=True)
    )
    assert edits_by_video([first, second, third, fourth]) == [[first, third], [second], [fourth]]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"action": "remove"}, "ball removed"),
        ({"action": "isolate"}, "ball alone"),
        ({"action": "recolour", "colour": (1, 2, 3)}, "ball in colour (1, 2, 3)"),
        ({"action": "duplicate", "rotation": (0, 90, 0)}, "ball repeated turned by (0.0, 90.0, 0.0) degrees"),
        (
            {"action": "move", "offset": (0.5, 0, 0), "rotation": (0, 0, 90)},
            "ball moved by (0.5, 0.0, 0.0), turned by (0.0, 0.0, 90.0) degrees",
        ),
    ],
)
def test_an_edit_in_words(values: dict[str, object], words: str) -> None:
    assert edit_caption(Edit.model_validate({"object": "ball", **values})) == words


@pytest.mark.parametrize(
    ("values", "message"),
    [({"action": "recolour"}, "needs colour"), ({"action": "move"}, "give offset"), ({"action": "eat"}, "remove")],
)
def test_an_edit_that_says_too_little_is_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Edit.model_validate({"object": "ball", **values})


def test_a_thing_is_turned_about_its_centre_and_shifted_along_the_first_view(scene: Scene) -> None:
    edit = Edit(object="x", action="move", offset=(0.5, 0, 0), rotation=(0, 0, 90))
    centres = np.arange(3.0 * scene.frame_count).reshape(-1, 3)
    placed = placement(edit, scene, centres)
    axes = scene.object_from_camera[0, 0, :3, :3].astype(float)
    moved = np.einsum("tij,tj->ti", placed[:, :3, :3], centres) + placed[:, :3, 3]
    np.testing.assert_allclose(moved, centres + 0.5 * axes[:, 0], atol=1e-6)
    np.testing.assert_allclose(placed[4, :3, :3] @ axes[:, 0], axes[:, 1], atol=1e-6)


def test_a_centre_is_as_far_from_the_camera_as_its_scale_says(scene: Scene) -> None:
    poses = scene.object_from_camera.astype(np.float64)
    in_camera = transform(inverse(poses[0]), object_centres(scene, 1, 2.5))
    np.testing.assert_allclose(in_camera, 2.5 * inverse(poses[1])[:, :3, 3], atol=1e-6)


def test_an_object_without_a_pose_takes_the_nearest_frames_place(scene: Scene) -> None:
    visible = scene.visible.copy()
    visible[1, :2] = False
    places = object_centres(replace(scene, visible=visible), 1, 1.0)
    np.testing.assert_array_equal(places[:2], np.broadcast_to(places[2], (2, 3)))
