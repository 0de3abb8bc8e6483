"""Volume rendering of flat samples against products written out, and against a loop."""

import math

import torch

from models.ops.composite import composite


def weighed(
    optical_depth: torch.Tensor, depth: torch.Tensor, ray: torch.Tensor, owner: torch.Tensor, alone: bool = False
) -> torch.Tensor:
    colours = torch.zeros(len(ray), 3, dtype=depth.dtype)
    return composite(optical_depth, colours, depth, ray, owner, int(ray.max()) + 1, int(owner.max()) + 1, alone)[2]


def test_three_samples_weigh_what_the_products_say() -> None:
    alpha = [1 - math.exp(-0.5), 1 - math.exp(-1.0), 1 - math.exp(-2.0)]
    expected = [alpha[0], (1 - alpha[0]) * alpha[1], (1 - alpha[0]) * (1 - alpha[1]) * alpha[2]]
    ray = torch.zeros(3, dtype=torch.int64)
    found = weighed(torch.tensor([0.5, 1.0, 2.0]), torch.tensor([1.0, 2.0, 3.0]), ray, ray)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_every_ray_begins_with_full_light() -> None:
    ray, depth = torch.tensor([3, 8, 8]), torch.tensor([1.0, 1.0, 2.0])
    found = weighed(torch.tensor([50.0, 1.0, 1.0]), depth, ray, torch.zeros_like(ray))
    torch.testing.assert_close(found[1], torch.tensor(1 - math.exp(-1.0)))


def test_an_object_behind_another_gets_no_weight_unless_it_is_alone() -> None:
    ray, owner, depth = torch.zeros(2, dtype=torch.int64), torch.tensor([0, 1]), torch.tensor([5.0, 2.0])
    together = weighed(torch.tensor([1.0, 100.0]), depth, ray, owner)
    assert together[0] < 1e-6 and together[1] > 1 - 1e-6
    assert float(weighed(torch.tensor([1.0, 100.0]), depth, ray, owner, alone=True)[0]) > 0.6


def test_unsorted_samples_agree_with_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    optical_depth = torch.rand(60, generator=generator)
    ray, depth = torch.randint(7, (60,), generator=generator), torch.rand(60, generator=generator)
    expected = torch.zeros(60)
    for r in range(7):
        through = 1.0
        for sample in sorted((ray == r).nonzero()[:, 0].tolist(), key=lambda i: float(depth[i])):
            alpha = 1 - math.exp(-float(optical_depth[sample]))
            expected[sample], through = through * alpha, through * (1 - alpha)
    found = weighed(optical_depth, depth, ray, torch.randint(2, (60,), generator=generator))
    assert torch.allclose(found, expected, atol=1e-6)


def test_sums_go_to_their_ray_and_object_and_those_beyond_the_rays_nowhere() -> None:
    opaque, ray, owner = torch.tensor([0.5, 0.25, 9.0]), torch.tensor([0, 1, 2]), torch.tensor([0, 1, 0])
    features = torch.tensor([[0.0, 40.0, -40.0, 7.0]]).repeat(3, 1)
    sums = composite(opaque, features, torch.tensor([2.0, 4.0, 1.0]), ray, owner, 2, 2, False)[0]
    first, second = 1 - math.exp(-0.5), 1 - math.exp(-0.25)
    torch.testing.assert_close(sums[..., 0], torch.tensor([[first, 0.0], [0.0, second]]))
    torch.testing.assert_close(sums[..., 1], torch.tensor([[2 * first, 0.0], [0.0, 4 * second]]))
    torch.testing.assert_close(sums[0, 0, 4:], first * torch.tensor([0.5, 1.0, 0.0, 7.0]))
