"""One contraction, wherever it is used: as tensors and in compiled loops, forwards, backwards and by its slope."""

import numpy as np
import pytest
import torch

from models.ops import contract
from models.ops.space import Region
from models.osn.pose_kernels import ray_slope
from models.osn.space import Space
from models.semantic_flow import kernels

HALF = torch.tensor([2.0, 1.0, 0.5])


def by_hand(point: list[float], shell: float) -> list[float]:
    """The contraction of a point, as mip-NeRF 360 has it but by its largest coordinate, in a grid from -1 to 1."""
    relative = [value / half for value, half in zip(point, HALF.tolist(), strict=True)]
    largest = max(1.0, *(abs(value) for value in relative))
    return [value / largest * (1 + shell - shell / largest) / (1 + shell) for value in relative]


def points() -> torch.Tensor:
    """Inside of the box, on its face, and far outside."""
    generator = torch.Generator().manual_seed(0)
    near = torch.randn(40, 3, generator=generator) * HALF
    return torch.cat([near, 30 * near, torch.tensor([[2.0, 0.3, -0.1], [0.0, 0.0, 0.0], [1e5, 3.0, 2.0]])])


@pytest.mark.parametrize("shell", [0.25, 1.0])
def test_every_grid_contracts_alike(shell: float) -> None:
    expected = torch.tensor([by_hand(point.tolist(), shell) for point in points()])
    in_osn = Space(HALF, 0.1, shell).grid_points(points().T).T * 2 - 1
    in_tensors = Region(torch.zeros(3), HALF, shell).coordinates(points())
    region = np.array([0, 0, 0, *HALF.tolist(), shell], np.float32)
    in_loops = torch.tensor([kernels.contracted(*point.numpy(), region) for point in points()]) * 2 - 1
    for found in (in_osn, in_tensors, in_loops):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_the_box_stays_and_infinity_comes_to_the_outer_face() -> None:
    assert contract.contracted_distance(1.0, 0.3) == 1.0
    assert contract.contracted_distance(2.0, 0.5) == 1.25
    assert contract.contracted_distance(float("inf"), 0.3) == 1.3


def test_expansion_is_the_inverse() -> None:
    distance = torch.tensor([1.0, 1.5, 4.0, 1e3])
    contracted = contract.contracted_distance(distance, 0.4)
    torch.testing.assert_close(contract.expanded_distance(contracted, 0.4), distance, rtol=1e-2, atol=0)


@pytest.mark.parametrize("distance", [1.0, 1.7, 12.0])
def test_the_slope_is_the_derivative_of_the_factor(distance: float) -> None:
    shell = 0.3

    def factor(at: float) -> float:
        return float(contract.contracted_distance(at, shell)) / (at * (1 + shell))

    numeric = (factor(distance + 1e-5) - factor(distance - 1e-5)) / 2e-5
    assert contract.contraction_slope(distance, shell) == pytest.approx(numeric, abs=1e-6)
    one = np.float32(1)
    in_loops = contract.contraction_slope_in_loops(np.float32(distance), np.float32(shell), one)
    assert in_loops == pytest.approx(numeric, abs=1e-5)


def test_gradients_of_rays_beyond_the_box_pass_through_the_contraction() -> None:
    origin, direction = torch.tensor([[0.1, -0.2, 0.3]]), torch.tensor([[0.4, 0.2, 1.0]])
    origin.requires_grad_(), direction.requires_grad_()
    depth, wanted = torch.tensor([7.0]), torch.tensor([[0.3], [-1.0], [2.0]])
    reached = Space(HALF, 0.1, 0.3).grid_points((origin + depth * direction).T)
    expected = torch.autograd.grad((reached * wanted).sum(), [origin, direction])
    found = np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32)
    rays = origin.detach().numpy(), direction.detach().numpy()
    ray_slope(np.zeros(1, np.int64), depth.numpy(), wanted.numpy(), *rays, HALF.numpy(), np.float32(0.3), *found)
    for mine, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(mine), reference, rtol=1e-4, atol=1e-5)
