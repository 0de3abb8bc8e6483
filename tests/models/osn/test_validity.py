"""Why scales are invalid, on views whose every pixel is known."""

import pytest
import torch

from models.osn.validity import conflict_text, conflicts, contact_scales, limits
from models.osn.z_buffer import SoloViews, visibility_accuracy

RANGE = torch.tensor([[1.0, 1.0], [0.2, 4.0], [0.2, 4.0]])


def views(depths: list[list[float]], seen: list[int], frames: list[int]) -> SoloViews:
    """Depth 0 means that the object is not there."""
    depth = torch.tensor(depths)
    certain = torch.ones(len(seen), dtype=torch.bool)
    return SoloViews(depth, (depth > 0).float(), torch.tensor(seen), certain, torch.tensor(frames))


def crossing() -> SoloViews:
    """Object 1 before the wall in frames 0 and 1, and before object 2 in frame 1; object 2 before the wall in frame 2."""
    depths = [[4.0, 2.0, 0.0], [4.0, 2.0, 3.0], [4.0, 0.0, 3.0], [4.0, 0.0, 0.0]]
    return views(depths, [1, 1, 2, 0], [0, 1, 2, 3])


def valid(scales: torch.Tensor) -> torch.Tensor:
    return (visibility_accuracy(crossing(), scales, None) > 0.99).float()


def test_nothing_is_wrong_at_valid_scales():
    assert conflicts(crossing(), torch.ones(3)) == []


def test_who_hides_whom_and_when():
    (found,) = conflicts(crossing(), torch.tensor([1.0, 1.7, 1.0]))
    assert (found.seen, found.shown, found.share, found.frames) == (1, 2, 0.25, [1])
    assert conflict_text(found, ["wall", "ball", "box"]) == "box would hide ball (25.0 % of pixels; frames 1)"
    sunk = conflicts(crossing(), torch.tensor([1.0, 2.5, 1.4]))
    assert {(c.seen, c.shown): c.frames for c in sunk} == {(1, 0): [0, 1], (2, 0): [2]}


def test_every_limit_is_where_the_first_pixel_changes():
    found = {(limit.object, limit.above): limit for limit in limits(crossing(), valid, torch.ones(3), RANGE)}
    assert found[1, True].scale == pytest.approx(1.5, rel=0.03)
    assert (found[1, True].conflict.seen, found[1, True].conflict.shown) == (1, 2)
    assert found[2, True].scale == pytest.approx(4 / 3, rel=0.03)
    assert (found[2, True].conflict.seen, found[2, True].conflict.shown) == (2, 0)
    assert found[2, False].scale == pytest.approx(2 / 3, rel=0.03)
    assert (found[2, False].conflict.seen, found[2, False].conflict.shown) == (1, 2)
    assert found[1, False].scale == pytest.approx(0.2) and found[1, False].conflict is None


def test_a_network_that_is_a_little_too_strict_is_still_told_what_breaks():
    """Its limit lies 3 % before the one of the views; just past it, 5 % farther, the box hides the ball."""
    strict = [
        limit for limit in limits(crossing(), lambda s: valid(s * torch.tensor([1, 1.03, 1])), torch.ones(3), RANGE)
    ]
    (above,) = [limit for limit in strict if (limit.object, limit.above) == (1, True)]
    assert above.scale < 1.5 and (above.conflict.seen, above.conflict.shown) == (1, 2)


def test_what_was_wrong_all_along_limits_nothing():
    hole = crossing()
    hole.depth[3], hole.opacity[3], hole.objects[3] = torch.tensor([4.0, 0.0, 0.0]), torch.tensor([1.0, 0.0, 0.0]), 2
    found = limits(hole, valid, torch.ones(3), RANGE)
    assert {(limit.conflict.seen, limit.conflict.shown) for limit in found if limit.conflict} == {(1, 2), (2, 0)}


def test_contact_is_where_an_object_touches_what_lies_behind_it():
    assert contact_scales(crossing()).tolist() == pytest.approx([1.0, 2.0, 4 / 3])
    alone = views([[4.0, 2.0, 0.0]], [0], [0])
    assert contact_scales(alone).tolist() == [1.0, 1.0, 1.0]
