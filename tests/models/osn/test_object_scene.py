"""Laws of rendering several objects, on random fields."""

from dataclasses import replace

import pytest
import torch

from models.osn.gradients import LossWeights, accumulate_gradients
from models.osn.object_scene import FieldShape, ObjectScene, SceneGeometry
from models.osn.rendering import render_world
from models.osn.training import StepLosses
from models.rays import Rays

SHAPE = FieldShape(
    density_channels=2,
    colour_channels=3,
    features=4,
    shader_width=8,
    density_shift=0.0,
    density_scale=25.0,
    outer_bins=8,
)


def rotation(angle: float) -> torch.Tensor:
    cosine, sine = torch.cos(torch.tensor(angle)), torch.sin(torch.tensor(angle))
    matrix = torch.eye(4)
    matrix[0, 0], matrix[0, 2], matrix[2, 0], matrix[2, 2] = cosine, sine, -sine, cosine
    return matrix


def losses_of_colour(total: torch.Tensor) -> StepLosses:
    """A step whose whole loss is one number."""
    return StepLosses(**(dict.fromkeys(StepLosses.__dataclass_fields__, total.detach() * 0) | {"colour": total}))


def weights_of(**parts: float) -> LossWeights:
    """Weights of which all others are zero."""
    return LossWeights(**(dict.fromkeys(LossWeights.__dataclass_fields__, 0.0) | parts))


@pytest.fixture
def scene() -> ObjectScene:
    """A room with one object in front of the camera, seen in two frames."""
    generator = torch.Generator().manual_seed(3)
    poses = torch.stack([torch.stack([rotation(0.1 * t), rotation(-0.5 * t)]) for t in range(2)], dim=1)
    poses[1, :, :3, 3] = torch.tensor([0.0, 0.0, -4.0])
    half = torch.tensor([[8.0, 8.0, 8.0], [1.0, 1.0, 1.0]])
    geometry = SceneGeometry(poses, torch.ones(2, 2, dtype=torch.bool), half, near=0.5, far=30.0)
    scene = ObjectScene(geometry, SHAPE, [(12, 12, 12), (9, 10, 11)], generator)
    for field in scene.fields:
        for plane in field.density_planes:
            plane.data.mul_(20)
    for shader in scene.shaders:
        shader.second.data.normal_(generator=generator).mul_(0.1)
    return scene


def camera_rays(scene: ObjectScene, frame: int, count: int = 40) -> tuple[torch.Tensor, Rays]:
    """Random rays of one frame's camera: directions in the camera, and the same in the world."""
    generator = torch.Generator().manual_seed(1)
    directions = torch.cat([torch.rand(count, 2, generator=generator) * 0.8 - 0.4, torch.ones(count, 1)], dim=1)
    pose = scene.object_from_camera[0, frame]
    return directions, Rays(
        pose[:3, 3].expand(count, 3), directions @ pose[:3, :3].T, torch.full((count,), frame, dtype=torch.int64)
    )


def pairs(scene: ObjectScene, scales: torch.Tensor | None, frame: int = 1, present: tuple[bool, bool] = (True, True)):
    """What each object adds to the rays of a frame's camera."""
    directions, world = camera_rays(scene, frame)
    rays = scene.observed_rays(world.frames, directions)
    rays.present[:] &= torch.tensor(present)[:, None]
    per_ray = None if scales is None else scales.expand(len(directions), -1).contiguous()
    with torch.no_grad():
        return scene.render_per_object(scene.density_grids(), rays, world.frames, per_ray)


@pytest.mark.parametrize("even_depth", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_loops_agree_with_tensor_code_in_values_and_gradients(scene, together, even_depth):
    """The tensor code is the slow reference: every sum on every ray, and every parameter's gradient."""
    scene.shape = replace(scene.shape, even_depth=even_depth)
    directions, world = camera_rays(scene, 1, 200)
    rays = scene.observed_rays(world.frames, directions)
    scales = torch.tensor([1.0, 1.4]).expand(200, -1).contiguous() if together else None
    found = []
    for scene.loops in (True, False):

        def losses(shard, grids, buffer):
            sums = scene.render_per_object(
                grids, rays, world.frames, scales, torch.Generator().manual_seed(2), buffer=buffer
            )
            values = [sums.weight, sums.depth, sums.log_depth, sums.log_depth_squared, sums.colour, sums.features]
            weights = [torch.randn(v.shape, generator=torch.Generator().manual_seed(7)) for v in values]
            found.append(values)
            total = torch.stack([(v * w).sum() for v, w in zip(values, weights, strict=True)]).sum()
            return losses_of_colour(total)

        accumulate_gradients(scene, losses, 1, weights_of(variation=0.1), map)
        found.append([parameter.grad for parameter in scene.parameters() if parameter.grad is not None])
    loops, by_loops, tensors, by_tensors = found
    assert loops[0].max() > 0.3 and len(by_loops) == len(by_tensors) > 20
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(loops, tensors, strict=True))
    assert all(torch.allclose(a, b, atol=2e-3, rtol=1e-3) for a, b in zip(by_loops, by_tensors, strict=True))


def test_mixed_precision_changes_colours_little_and_opacity_and_depth_not_at_all(scene):
    scene.loops = False
    exact = pairs(scene, torch.tensor([1.0, 1.2]))
    scene.mixed = True
    mixed = pairs(scene, torch.tensor([1.0, 1.2]))
    assert torch.equal(exact.weight, mixed.weight) and torch.equal(exact.depth, mixed.depth)
    assert mixed.colour.dtype == torch.float32 and 0 < (exact.colour - mixed.colour).abs().max() < 0.02


def test_loops_and_tensor_code_agree_on_the_gradients_of_poses(scene):
    """Those of the tensor code are the graph's; some rays leave the room's box, so the contraction takes part."""
    directions, world = camera_rays(scene, 1, 300)
    scene.fields[0].density_shift = scene.fields[1].density_shift = -7.0  # so that rays leave the room
    scene.corrections = torch.nn.Parameter(0.02 * torch.randn(2, 2, 6, generator=torch.Generator().manual_seed(5)))
    found = []
    for scene.loops in (True, False):

        def losses(shard, grids, buffer):
            rays = scene.observed_rays(world.frames, directions)
            jitter = torch.Generator().manual_seed(2)
            scales = torch.tensor([1.0, 1.4]).expand(300, -1).contiguous()
            sums = scene.render_per_object(grids, rays, world.frames, scales, jitter, buffer=buffer)
            assert (sums.depth[:, 0] > 10 * sums.weight[:, 0]).sum() > 5
            values = [sums.weight, sums.depth, sums.colour, sums.features]
            weights = [torch.randn(v.shape, generator=torch.Generator().manual_seed(7)) for v in values]
            total = torch.stack([(v * w).sum() for v, w in zip(values, weights, strict=True)]).sum()
            return losses_of_colour(total)

        accumulate_gradients(scene, losses, 1, weights_of(), map)
        found.append(scene.corrections.grad.clone())
    by_loops, by_tensors = found
    assert (by_tensors[:, 1].abs().amax(dim=1) > 0.1).all() and (by_tensors[:, 0] == 0).all()
    assert torch.allclose(by_loops, by_tensors, rtol=1e-3, atol=1e-3)


def test_composing_one_object_equals_rendering_it_alone(scene):
    alone = pairs(scene, None, present=(False, True))
    composed = pairs(scene, torch.ones(2), present=(False, True))
    assert alone.weight[:, 1].max() > 0.1
    assert torch.allclose(alone.colour, composed.colour, atol=1e-5)
    assert torch.allclose(alone.depth, composed.depth, atol=1e-4)


def test_scaling_one_object_alone_leaves_its_image_and_scales_its_depth(scene):
    one = pairs(scene, torch.tensor([1.0, 1.0]), present=(False, True))
    other = pairs(scene, torch.tensor([1.0, 2.5]), present=(False, True))
    assert torch.allclose(one.colour, other.colour, atol=1e-5)
    assert torch.allclose(one.weight, other.weight, atol=1e-5)
    assert torch.allclose(2.5 * one.depth, other.depth, rtol=1e-4, atol=1e-4)


def test_sampling_as_in_the_released_code_makes_large_scales_more_opaque(scene):
    scene.shape = replace(scene.shape, even_depth=True, bins_per_node=20.0)
    scene.fields[1].density_shift = -5.0
    weights = [pairs(scene, torch.tensor([1.0, s]), present=(False, True)).weight[:, 1] for s in (0.7, 1.0, 1.4)]
    partly = (weights[1] > 0.05) & (weights[1] < 0.95)
    assert partly.sum() > 5 and weights[0][partly].mean() < weights[1][partly].mean() < weights[2][partly].mean()


def test_world_rays_of_the_videos_own_camera_see_what_it_saw(scene):
    scales = torch.tensor([1.0, 1.7])
    directions, world = camera_rays(scene, 1)
    observed = scene.observed_rays(world.frames, directions)
    local = scene.world_rays(world, scales)
    assert torch.allclose(observed.origins, local.origins, atol=1e-5)
    assert torch.allclose(observed.directions, local.directions, atol=1e-5)


def test_a_moved_camera_sees_a_scaled_object_elsewhere(scene):
    """A point X of the object lies at s (camera_from_object X): rays through it must pass the same object point."""
    scales, camera_from_object = torch.tensor([1.0, 1.5]), torch.linalg.inv(scene.object_from_camera[1, 1])
    point = torch.tensor([0.2, -0.1, 0.3])
    in_camera = scales[1] * (camera_from_object[:3, :3] @ point + camera_from_object[:3, 3])
    pose = scene.object_from_camera[0, 1]
    in_world = pose[:3, :3] @ in_camera + pose[:3, 3]
    origin = torch.tensor([2.0, 0.5, -1.0])
    rays = scene.world_rays(Rays(origin[None], (in_world - origin)[None] / 3, torch.tensor([1])), scales)
    reached = rays.origins[1, 0] + 3 / scales[1] * rays.directions[1, 0]
    assert torch.allclose(reached, point, atol=1e-4)


def test_object_with_unknown_pose_is_not_rendered(scene):
    scene.visible[1, 1] = False
    assert pairs(scene, torch.ones(2)).weight[:, 1].sum() == 0


def test_shares_of_a_rendering_sum_to_one_and_colours_are_colours(scene):
    _, world = camera_rays(scene, 0)
    rendering = render_world(scene, scene.density_grids(), world, torch.ones(2))
    assert torch.allclose(rendering.object_weights.sum(1), torch.ones(40), atol=1e-5)
    assert rendering.colour.min() >= 0 and rendering.colour.max() <= 1 and (rendering.depth > 0).all()
