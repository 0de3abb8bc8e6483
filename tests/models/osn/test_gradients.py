"""Gradients of a step: what is added to them, and how the shards' are summed."""

import pytest
import torch

from models.osn.gradients import LossWeights, accumulate_gradients, add_density_gradients, summed
from models.osn.loops import SampleGradients
from models.osn.object_scene import FieldShape, Grids, ObjectScene, SceneGeometry
from models.osn.training import StepLosses
from tests.simulated_cuda import simulated_cuda


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


def kernels_of_a_step(objects: int, fused: bool) -> int:
    """Kernels of the gradients of a step on the simulated device, of a room and more objects with grids of several sizes."""
    with simulated_cuda(fused) as card:
        generator = torch.Generator("cuda").manual_seed(0)
        poses = torch.eye(4, device="cuda").repeat(objects, 2, 1, 1)
        poses[..., 2, 3] = -3
        half = torch.ones(objects, 3, device="cuda")
        geometry = SceneGeometry(poses, torch.ones(objects, 2, dtype=torch.bool, device="cuda"), half, 0.5, 30.0)
        shape = FieldShape(density_channels=2, colour_channels=3, features=4, shader_width=8, refined_poses=True)
        scene = ObjectScene(geometry, shape, [(6 + k % 3, 7, 8 - k % 2) for k in range(objects)], generator)
        scene.most_samples = 200
        frames, scales = torch.zeros(20, dtype=torch.int64, device="cuda"), torch.ones(20, objects, device="cuda")
        directions = torch.randn(20, 3, device="cuda") * 0.2 + torch.eye(3, device="cuda")[2]

        def losses(shard: int, grids: Grids, buffer: list[SampleGradients]) -> StepLosses:
            rays = scene.observed_rays(frames, directions)
            sums = scene.render_per_object(grids, rays, frames, scales, generator, buffer=buffer)
            part = sums.colour.sum() + sums.weight.sum() + sums.depth.sum()
            return StepLosses(part, part * 0, part * 0, part * 0, sums.samples.sum())

        weights = LossWeights(depth=0.0, objects=0.0, distortion=0.0, variation=0.1, density=0.1)
        for _ in range(2):
            with card.watched() as seen:
                accumulate_gradients(scene, losses, 1, weights, map)
        assert all(parameter.grad is not None for name, parameter in scene.named_parameters() if "far" not in name)
        return seen.kernels


@pytest.mark.parametrize("fused", [False, True])
def test_on_gpus_a_step_costs_as_many_kernels_with_eight_objects_as_with_one(fused: bool) -> None:
    """But for a few that one box alone does not need; so many are what rendering, its gradients and regularisers launch."""
    one, eight = (kernels_of_a_step(objects, fused) for objects in (1, 8))
    assert one <= eight <= one + 12 and eight <= (370 if fused else 670), (one, eight)
