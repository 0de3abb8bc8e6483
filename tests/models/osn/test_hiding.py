"""How much of an object others would hide in its worst frame, counted by hand."""

import pytest
import torch

from models.osn.hiding import LEAST_RAYS, border_error, explained, with_margins, worst_hidden
from models.osn.z_buffer import SoloViews

RAYS = 2 * LEAST_RAYS


def views(own_opacity: float = 1.0) -> SoloViews:
    """Object 1 at depth 2 before a wall at 4, in frames 0 and 1; in frame 1 object 2 lies behind half of it, at depth 3."""
    depth = torch.tensor([4.0, 2.0, 3.0]).repeat(2 * RAYS, 1)
    opacity = torch.tensor([1.0, own_opacity, 0.0]).repeat(2 * RAYS, 1)
    frames = torch.arange(2).repeat_interleave(RAYS)
    opacity[RAYS : RAYS + RAYS // 2, 2] = 1.0
    ones = torch.ones(2 * RAYS, dtype=torch.bool)
    return SoloViews(depth, opacity, ones.long(), ones, frames)


def test_the_worst_frame_counts_and_not_the_mean_of_all() -> None:
    scales = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.6], [1.0, 1.6, 1.0], [1.0, 2.1, 1.0]])
    assert worst_hidden(views(), scales).tolist() == [0.0, 0.5, 0.5, 1.0]


def test_few_rays_of_an_object_say_nothing() -> None:
    few = views()[torch.cat([torch.arange(RAYS), torch.arange(RAYS, RAYS + LEAST_RAYS - 1)])]
    assert worst_hidden(few, torch.tensor([[1.0, 1.0, 0.6]])).tolist() == [0.0]
    assert worst_hidden(views()[: LEAST_RAYS - 1], torch.tensor([[1.0, 9.0, 1.0]])).tolist() == [0.0]


def test_rays_on_which_the_own_field_is_not_solid_are_its_error_and_hide_nothing_where_it_is_empty() -> None:
    assert border_error(views()) == 0 and border_error(views(own_opacity=0.3)) == 1
    assert worst_hidden(views(own_opacity=0.05), torch.tensor([[1.0, 9.0, 0.1]])).tolist() == [0.0]
    mixed = views()
    mixed.opacity[: RAYS // 2, 1] = 0.4
    assert border_error(mixed) == pytest.approx(0.25)


def test_rays_that_no_likely_scale_explains_judge_nothing() -> None:
    faulty = views()
    faulty.depth[: RAYS // 3, 1] = 9.0  # as if the object lay behind the wall, whatever its scale within the range
    faulty.opacity[-1, 1] = 0.0
    scales = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.9, 1.0], [1.0, 1.1, 1.0]])
    assert worst_hidden(faulty, scales).min() == pytest.approx(1 / 3)
    judging = explained(faulty, scales, 0.01)
    assert len(judging.objects) == 2 * RAYS - RAYS // 3
    assert worst_hidden(judging, scales).tolist() == [0, 0, 0] and border_error(judging) > 0


def test_at_worst_what_is_seen_is_farther_and_all_else_nearer() -> None:
    """Object 1 at 2 and the wall at 4: with margins of a tenth they are at 2.2 and 3.6, and meet at a scale of 1.64, not 2."""
    at_worst = with_margins(views(), torch.tensor([0.1, 0.1, 0.1]))
    scales = torch.tensor([[1.0, 1.6, 9.0], [1.0, 1.7, 9.0], [1.0, 1.9, 9.0]])
    assert worst_hidden(at_worst, scales).tolist() == [0.0, 1.0, 1.0]
    assert worst_hidden(views(), scales).tolist() == [0.0, 0.0, 0.0]


def test_nothing_is_certain_beside_an_object_of_unknown_depth() -> None:
    at_worst = with_margins(views(), torch.tensor([0.0, 0.0, 1e3]))
    assert worst_hidden(at_worst, torch.tensor([[1.0, 0.5, 1.5]])).tolist() == [0.5]  # in the half that it lies behind
    at_worst = with_margins(views(), torch.tensor([0.0, 1e3, 0.0]))
    assert worst_hidden(at_worst, torch.tensor([[1.0, 0.01, 1.0]])).tolist() == [1.0]
