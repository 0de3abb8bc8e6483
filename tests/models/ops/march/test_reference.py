"""Boxes, bins and the shell: where samples go along rays."""

import torch

from models.ops.contract_points import boxes_of
from models.ops.march.reference import SHELL_END, bin_tables, box_intervals

CPU = torch.device("cpu")


def interval(
    half: tuple[float, float, float], near: float, origin: tuple[float, ...], direction: tuple[float, ...]
) -> tuple[float, float]:
    boxes = boxes_of(torch.zeros(1, 3), torch.tensor([half]), [0.0])
    ray = (torch.tensor([[numbers]]) for numbers in (origin, direction))
    enter, leave = box_intervals(boxes, torch.tensor([near]), *ray)
    return float(enter), float(leave)


def test_ray_through_the_middle_enters_and_leaves_at_the_faces() -> None:
    assert interval((1.0, 2.0, 3.0), 0.1, (0.0, 0.0, -10.0), (0.0, 0.0, 1.0)) == (7.0, 13.0)


def test_ray_that_misses_leaves_before_it_enters() -> None:
    enter, leave = interval((1.0, 2.0, 3.0), 0.1, (0.0, 0.0, -10.0), (0.0, 1.0, 0.0))
    assert leave < enter


def test_camera_inside_starts_at_near() -> None:
    assert interval((1.0, 1.0, 1.0), 0.25, (0.0, 0.0, 0.0), (0.0, 0.0, 1.0)) == (0.25, 1.0)


def test_bins_cover_the_box_without_gaps_and_end_with_it() -> None:
    start, length, *shell = bin_tables((6, 3), (0, 0), torch.float32, CPU)
    torch.testing.assert_close(start[0, 0], torch.arange(6) / 6)
    torch.testing.assert_close(length[:, 0], torch.tensor([[1 / 6] * 6, [1 / 3] * 3 + [0.0] * 3]))
    assert not any(table.any() for table in shell)


def test_shell_continues_where_the_box_ends_and_is_even_in_inverse_distance() -> None:
    """1 / m of the bins' edges m is even, so in contracted space every bin is as long as the next: 0.97 / 8."""
    start, length, first, beyond, contracted = (table[0, 0] for table in bin_tables((9,), (8,), torch.float32, CPU))
    assert (start[9:] == 1).all() and (length[9:] == 0).all() and float(first[9]) == 0
    torch.testing.assert_close((first + beyond)[9:-1], first[10:])
    assert float((first + beyond)[-1]) > 30
    torch.testing.assert_close(contracted[9:], torch.full((8,), SHELL_END / 8))
