"""Edits that are tried live: one for each part, in the words of config.yaml."""

import numpy as np
import pytest

from pipeline.live.edit_desk import EditDesk, edit_entries, joined_entries
from pipeline.live.parts import parts_of
from tests.analytic_world import analytic_method, analytic_scene, analytic_truth

NONE = (0.0, 0.0, 0.0)


@pytest.fixture
def desk() -> EditDesk:
    scene = analytic_scene(analytic_truth())
    return EditDesk(scene, parts_of(analytic_method(scene)))


def test_moved_part_goes_along_the_axes_of_the_first_view(desk: EditDesk) -> None:
    desk.set(desk.parts[1], "move", (0.0, 0.5, 0.0), NONE)
    motion = desk.motion(1, np.array([1.0, 2.0, 3.0]), 3)
    assert motion is not None
    np.testing.assert_allclose(motion[:3, :3], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(motion[:3, 3], 0.5 * desk.scene.object_from_camera[0, 0, :3, 1], atol=1e-6)


def test_shift_in_the_world_and_offset_are_each_others_inverse(desk: EditDesk) -> None:
    desk.set(desk.parts[2], "move", desk.offset(np.array([0.3, -0.1, 0.2])), NONE)
    motion = desk.motion(2, np.zeros(3), 0)
    assert motion is not None
    np.testing.assert_allclose(motion[:3, 3], [0.3, -0.1, 0.2], atol=1e-4)


def test_turned_part_keeps_its_centre(desk: EditDesk) -> None:
    desk.set(desk.parts[1], "move", NONE, (0.0, 90.0, 0.0))
    centre = np.array([1.0, 2.0, 3.0])
    motion = desk.motion(1, centre, 0)
    assert motion is not None
    np.testing.assert_allclose(motion[:3, :3] @ centre + motion[:3, 3], centre, atol=1e-6)


def test_what_changes_nothing_is_no_edit(desk: EditDesk) -> None:
    desk.set(desk.parts[1], "remove", NONE, NONE)
    desk.set(desk.parts[1], "move", NONE, NONE)
    desk.set(desk.parts[2], "as it is", (1.0, 0.0, 0.0), NONE)
    assert not desk.edits() and desk.motion(1, np.zeros(3), 0) is None


def test_film_of_the_same_name_is_replaced_and_others_stay() -> None:
    held = [{"object": "1", "action": "remove"}, {"object": "2", "action": "remove", "video": "mine"}]
    new = [{"object": "1", "action": "isolate", "video": "mine"}]
    assert joined_entries(held, new) == [held[0], new[0]]
    assert edit_entries([], "mine") == []
