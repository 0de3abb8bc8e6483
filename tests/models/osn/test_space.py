"""Boxes, bins and the shell."""

import torch

from models.osn.space import SHELL_END, Space, box_interval, ray_bins


def test_ray_through_the_middle_enters_and_leaves_at_the_faces():
    space = Space(torch.tensor([1.0, 2.0, 3.0]), near=0.1)
    origins, directions = torch.tensor([[0.0, 0.0, -10.0]] * 2), torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    enter, leave, hit = box_interval(space, origins, directions)
    assert hit.tolist() == [True, False]
    assert torch.allclose(enter[0], torch.tensor(7.0)) and torch.allclose(leave[0], torch.tensor(13.0))


def test_camera_inside_starts_at_near():
    space = Space(torch.ones(3), near=0.25)
    enter, leave, hit = box_interval(space, torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]]))
    assert bool(hit[0]) and float(enter[0]) == 0.25 and float(leave[0]) == 1.0


def test_bins_cover_the_box_without_gaps():
    space = Space(torch.ones(3), near=0.1)
    enter, leave = torch.tensor([2.0]), torch.tensor([5.0])
    bins = ray_bins(space, torch.tensor([[0.0, 0.0, 1.0]]), enter, leave, inner=6, outer=4)
    assert bins.start.shape == (1, 6)
    assert torch.allclose(bins.start[0], torch.tensor([2.0, 2.5, 3.0, 3.5, 4.0, 4.5]))
    assert torch.allclose(bins.length, torch.full((1, 6), 0.5))


def test_shell_continues_where_the_box_ends():
    space = Space(torch.ones(3), near=0.1, shell=0.3)
    bins = ray_bins(space, torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([0.1]), torch.tensor([1.0]), 9, 8)
    ends = bins.start + bins.length
    assert torch.allclose(ends[0, :-1], bins.start[0, 1:], atol=1e-5)
    assert float(ends[0, -1]) > 30  # far beyond the box, which ends at 1


def test_optical_lengths_in_the_shell_are_those_of_contracted_space():
    """1 / m of the bins' edges m is even, so every bin is as long as the next: 0.97 / 8."""
    space = Space(torch.ones(3), near=0.1, shell=0.3)
    bins = ray_bins(space, torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([0.1]), torch.tensor([1.0]), 9, 8)
    assert torch.allclose(bins.optical_length[0, :9], torch.full((9,), 0.1))
    assert torch.allclose(bins.optical_length[0, 9:], torch.full((8,), SHELL_END / 8), atol=1e-5)


def test_contraction_is_monotone_and_stays_inside():
    space = Space(torch.tensor([1.0, 1.0, 1.0]), near=0.1, shell=0.3)
    distances = torch.tensor([0.0, 0.5, 1.0, 1.5, 4.0, 1e4])
    along = space.grid_points(distances * torch.tensor([[1.0], [0.2], [0.0]]))[0]
    assert (along.diff() > 0).all() and float(along[-1]) < 1
    assert torch.allclose(along[2], torch.tensor(0.5 + 0.5 / 1.3))


def test_what_a_unit_box_calls_deep_does_not_depend_on_its_size():
    depths = []
    for size in (1.0, 7.0):
        space = Space(torch.full((3,), size), near=1e-3)
        direction = torch.tensor([[0.1, 0.0, 1.0]])
        enter, leave, _ = box_interval(space, torch.tensor([[0.0, 0.0, -3.0]]) * size, direction)
        depths.append(ray_bins(space, direction, enter, leave, 5, 0).optical_length)
    assert torch.allclose(depths[0], depths[1], atol=1e-5)
