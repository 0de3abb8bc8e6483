"""Gradients of a step: what is added to them, and how the shards' are summed."""

import torch

from models.osn.gradients import LossWeights, add_density_gradients, summed
from models.osn.training import StepLosses


def test_density_regulariser_is_the_gradient_of_the_mean_density():
    grid = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (expected,) = torch.autograd.grad(torch.nn.functional.softplus(grid).mean(), grid)
    found = torch.ones(3, 4, 5)
    add_density_gradients([grid.detach()], [found], 0.3)
    assert torch.allclose(found, 1 + 0.3 * expected)


def test_gradients_of_shards_are_summed_in_order_and_missing_ones_count_nothing():
    one, two = torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])
    total = summed([[one.clone(), None, None], [two.clone(), two.clone(), None]])
    assert total[0].tolist() == [11.0, 22.0] and total[1].tolist() == [10.0, 20.0] and total[2] is None
    assert summed([]) == []


def test_colour_counts_once_and_the_rest_by_its_weight():
    losses = StepLosses(*(torch.tensor(value) for value in (1.0, 2.0, 3.0, 4.0, 99.0)))
    assert LossWeights(depth=10.0, objects=100.0, distortion=1000.0, variation=5.0).total(losses) == 4321.0
