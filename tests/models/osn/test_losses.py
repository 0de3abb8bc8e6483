"""Losses worked by hand."""

import math

import torch

from models.osn.compositing import PerObjectSums
from models.osn.losses import depth_loss, distortion_loss, segmentation_loss, silhouette_loss

ALL = torch.ones(2)
TOLD, NOT_TOLD = torch.tensor(True), torch.tensor(False)


def sums(weights: list[float], depths: list[float]) -> PerObjectSums:
    """One ray through one object."""
    weight, log_depth = torch.tensor(weights), torch.tensor(depths).log()
    moments = ((weight * part).sum().view(1, 1) for part in (1, torch.tensor(depths), log_depth, log_depth.square()))
    return PerObjectSums(*moments, torch.zeros(1, 1, 3), torch.zeros(1, 1, 0), torch.full((1, 1), float(len(weights))))


def test_depth_loss_counts_every_sample_by_its_log_distance():
    value = depth_loss(sums([0.75, 0.25], [2.0, 4.0]), torch.tensor([0]), torch.tensor([2.0]), torch.tensor([1.5]))
    assert torch.allclose(value, torch.tensor(0.25 * math.log(2) ** 2), atol=1e-6)


def test_depth_loss_does_not_know_units():
    one = depth_loss(sums([0.5, 0.25], [2.0, 4.0]), torch.tensor([0]), torch.tensor([3.0]), torch.tensor([1.0]))
    other = depth_loss(sums([0.5, 0.25], [20.0, 40.0]), torch.tensor([0]), torch.tensor([30.0]), torch.tensor([1.0]))
    assert torch.allclose(one, other, atol=1e-5)


def test_depth_variance_is_the_variance_of_log_depth():
    value = distortion_loss(sums([0.5, 0.5], [1.0, math.e]))
    assert torch.allclose(value, torch.tensor(0.25), atol=1e-5)
    assert float(distortion_loss(sums([1.0], [7.0]))) < 1e-5


def test_segmentation_loss_is_the_cross_entropy_of_shares():
    value = segmentation_loss(torch.tensor([[0.3, 0.1], [0.0, 0.5]]), torch.tensor([0, 1]), ALL)
    assert torch.allclose(value, torch.tensor(-math.log(0.75) / 2), atol=1e-6)


def test_silhouette_punishes_an_object_only_where_the_background_is_seen():
    weight = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.9]], requires_grad=True)
    value = silhouette_loss(weight, torch.tensor([0, 1]), ALL, TOLD)
    assert torch.allclose(value, torch.tensor(math.log(2) / 2), atol=1e-6)
    value.backward()
    assert weight.grad is not None and weight.grad[1, 2] == 0  # object 2 may be behind object 1


def test_silhouettes_ask_the_background_to_be_opaque_only_where_depth_says_at_which_place():
    """What passes through it is its far colour; the first ray's background holds back a fifth of the light, and may."""
    weight = torch.tensor([[0.2, 0.5, 0.0], [0.0, 0.25, 0.9]], requires_grad=True)
    value = silhouette_loss(weight, torch.tensor([0, 1]), ALL, NOT_TOLD)
    assert torch.allclose(value, torch.tensor(math.log(2 * 4) / 2), atol=1e-6)
    value.backward()
    assert weight.grad is not None and not weight.grad[:, 0].any()
    assert torch.allclose(weight.grad[:, 1], torch.tensor([1 / 0.5, -1 / 0.25]) / 2)
    told = silhouette_loss(weight, torch.tensor([0, 1]), ALL, TOLD)
    assert torch.allclose(told, torch.tensor(math.log(5 * 2 * 4) / 2), atol=1e-6)
    assert silhouette_loss(weight[:, :1], torch.tensor([0, 0]), ALL, NOT_TOLD) == 0  # a scene of which nothing moves


def test_rays_say_which_object_they_see_as_far_as_they_are_trusted():
    weight, trust = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.9]]), torch.tensor([1.0, 0.0])
    value = silhouette_loss(weight, torch.tensor([0, 1]), trust, TOLD)
    assert torch.allclose(value, torch.tensor(math.log(2)), atol=1e-6)
    assert segmentation_loss(weight, torch.tensor([0, 2]), 1 - trust) > 0.7
    assert segmentation_loss(weight, torch.tensor([0, 2]), 0 * trust) == 0
    parts = [segmentation_loss(weight, torch.tensor([0, 2]), torch.eye(2)[i]) for i in range(2)]
    together = segmentation_loss(weight, torch.tensor([0, 2]), torch.tensor([1.0, 0.5]))
    assert torch.allclose(together, (parts[0] + 0.5 * parts[1]) / 1.5)
