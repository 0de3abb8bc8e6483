"""Weights that can be checked by hand."""

import torch

from models.ops.blend.reference import blend as blend_in_tensors
from models.rays import Rays
from models.semantic_flow.marching import SampleWeights, blend, march


def optical(alpha: torch.Tensor) -> torch.Tensor:
    return -torch.log1p(-alpha)


def rays(count: int) -> Rays:
    directions = torch.tensor([[0.0, 0, 1]]).expand(count, 3)
    return Rays(torch.zeros(count, 3), directions, torch.zeros(count, dtype=torch.long))


def test_without_a_blending_weight_only_the_static_field_is_seen() -> None:
    alpha = torch.tensor([[0.5, 0.2, 0.9]])
    weights = blend(optical(alpha), optical(torch.full((1, 3), 0.7)), torch.zeros(1, 3))
    torch.testing.assert_close(weights.static, torch.tensor([[0.5, 0.5 * 0.2, 0.5 * 0.8 * 0.9]]))
    assert weights.dynamic.sum() == 0


def test_with_a_full_blending_weight_only_the_dynamic_field_is_seen() -> None:
    alpha = torch.tensor([[0.5, 0.2, 0.9]])
    weights = blend(optical(torch.full((1, 3), 0.7)), optical(alpha), torch.ones(1, 3))
    torch.testing.assert_close(weights.dynamic, torch.tensor([[0.5, 0.5 * 0.2, 0.5 * 0.8 * 0.9]]))
    assert weights.static.sum() == 0


def test_the_weights_of_both_fields_sum_to_the_opacity() -> None:
    generator = torch.Generator().manual_seed(0)
    static, dynamic, blending = (torch.rand(50, 8, generator=generator) for _ in range(3))
    weights = blend(optical(0.9 * static), optical(0.9 * dynamic), blending)
    left = ((1 - 0.9 * static * (1 - blending)) * (1 - 0.9 * dynamic * blending)).prod(1)
    torch.testing.assert_close(weights.both.sum(1), 1 - left)


def test_a_wall_is_found_at_its_depth() -> None:
    def wall(pieces):  # type: ignore[no-untyped-def]
        opaque = 100.0 * (pieces.depth > 4.0) * pieces.length
        return opaque, torch.zeros_like(opaque), torch.zeros_like(opaque)

    pieces = march(wall, 1.0, 10.0, 64, 24, rays(3), torch.Generator().manual_seed(1))
    weights = blend(*wall(pieces))
    depth = (weights.both * pieces.depth).sum(1) / weights.both.sum(1)
    assert bool((depth - 4.0).abs().max() < 0.1)


def test_blending_in_a_loop_has_the_values_and_gradients_of_the_tensor_code() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.rand(20, 9, generator=generator) for _ in range(3)]
    inputs[0][:, 4] *= 30.0
    inputs = [values.requires_grad_() for values in inputs]
    counted = torch.randn(2, 20, 9, generator=generator)
    found = []
    for how in (blend, blend_in_tensors):
        weights = how(*inputs)
        weights = weights if isinstance(weights, SampleWeights) else SampleWeights(*weights)
        total = (weights.static * counted[0] + weights.dynamic * counted[1]).sum()
        found.append([weights.static, weights.dynamic, *torch.autograd.grad(total, inputs)])
    for mine, reference in zip(*found, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-3, atol=1e-5)
