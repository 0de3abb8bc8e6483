"""Losses of baselines by hand."""

import math

import torch

from models.baselines.losses import Batch, background_entropy, depth_loss, point_colour_loss
from models.baselines.model import Samples, Seen
from models.rays import Rays


def test_depth_counts_where_it_is_known_and_relative_to_itself() -> None:
    zeros = torch.zeros(3, 3)
    batch = Batch(
        Rays(zeros, zeros, torch.zeros(3).long()), zeros, torch.tensor([2.0, 4.0, 0.0]), torch.tensor([1.0, 2.0, 0.0])
    )
    seen = Seen(zeros, torch.tensor([3.0, 3.0, 9.0]), torch.zeros(3))
    assert math.isclose(depth_loss(seen, batch).item(), (1 * 0.5 + 2 * 0.25 + 0) / 3, rel_tol=1e-6)


def test_entropy_of_the_background_is_zero_where_rays_end_or_pass() -> None:
    assert background_entropy(torch.tensor([0.0, 1.0])).item() < 1e-4
    assert math.isclose(background_entropy(torch.tensor([0.5])).item(), math.log(2), rel_tol=1e-5)


def test_a_samples_own_colour_counts_by_its_weight() -> None:
    weights = torch.tensor([[0.5, 0.0], [0.25, 0.75]])
    chosen = torch.tensor([0, 2, 3])
    colours = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    cells = torch.zeros(2, 2).long()
    samples = Samples(cells, weights, weights, chosen, colours)
    # ray 0 should be black: .5 * 1; ray 1 too: .25 * 0 + .75 * 4
    assert math.isclose(point_colour_loss(samples, torch.zeros(2, 3)).item(), (0.5 + 3.0) / 2, rel_tol=1e-6)
