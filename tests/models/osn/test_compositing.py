"""Volume rendering of flat samples against products written out, and against a loop."""

import math

import torch

from models.osn.compositing import accumulate_per_object, ray_weights, weights_by_depth


def test_three_samples_weigh_what_the_products_say():
    optical_depth = torch.tensor([0.5, 1.0, 2.0])
    alpha = [1 - math.exp(-0.5), 1 - math.exp(-1.0), 1 - math.exp(-2.0)]
    expected = [alpha[0], (1 - alpha[0]) * alpha[1], (1 - alpha[0]) * (1 - alpha[1]) * alpha[2]]
    weights = ray_weights(optical_depth, torch.tensor([0, 0, 0]))
    assert torch.allclose(weights, torch.tensor(expected))


def test_every_ray_begins_with_full_light():
    optical_depth = torch.tensor([50.0, 1.0, 1.0])
    weights = ray_weights(optical_depth, torch.tensor([3, 8, 8]))
    assert torch.allclose(weights[1], torch.tensor(1 - math.exp(-1.0)))


def test_occluded_object_gets_no_weight():
    optical_depth, depth = torch.tensor([1.0, 100.0]), torch.tensor([5.0, 2.0])
    weights = weights_by_depth(optical_depth, torch.tensor([0, 0]), depth)
    assert weights[0] < 1e-6 and weights[1] > 1 - 1e-6


def test_unsorted_samples_agree_with_a_loop():
    generator = torch.Generator().manual_seed(0)
    optical_depth = torch.rand(60, generator=generator)
    ray, depth = torch.randint(7, (60,), generator=generator), torch.rand(60, generator=generator)
    expected = torch.zeros(60)
    for r in range(7):
        through = 1.0
        for sample in sorted((ray == r).nonzero()[:, 0].tolist(), key=lambda i: float(depth[i])):
            alpha = 1 - math.exp(-float(optical_depth[sample]))
            expected[sample], through = through * alpha, through * (1 - alpha)
    assert torch.allclose(weights_by_depth(optical_depth, ray, depth), expected, atol=1e-6)


def test_gradient_of_weights_agrees_with_finite_differences():
    generator = torch.Generator().manual_seed(0)
    optical_depth = torch.rand(12, generator=generator, dtype=torch.float64).requires_grad_()
    segment = torch.tensor([0, 0, 0, 1, 1, 1, 1, 4, 4, 4, 4, 4])
    assert torch.autograd.gradcheck(lambda tau: ray_weights(tau, segment), (optical_depth,))


def test_sums_go_to_their_ray_and_object():
    pair = torch.tensor([0, 3, 3])  # two objects: ray 0 object 0, ray 1 object 1
    channels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    sums = accumulate_per_object(pair, torch.tensor([0.5, 0.25, 0.5]), torch.tensor([2.0, 4.0, 8.0]), channels, 2, 2)
    assert sums.weight.tolist() == [[0.5, 0.0], [0.0, 0.75]]
    assert sums.depth.tolist() == [[1.0, 0.0], [0.0, 5.0]]
    assert sums.colour[1, 1].tolist() == [0.0, 0.25, 0.5]
    assert sums.samples.tolist() == [[1.0, 0.0], [0.0, 2.0]]
