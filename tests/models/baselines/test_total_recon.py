"""Total-Recon's joint losses: what scales, depths and the order of samples tell, by hand and by laws."""

import math

import pytest
import torch

from models.baselines.total_recon import DEPTH_ERROR, at_scales, colour_slope, joint_losses, robust_weight
from models.osn.compositing import PerObjectSums
from models.osn.losses import depth_loss
from models.osn.object_scene import FieldShape, ObjectScene, SceneGeometry
from models.osn.training import composed
from models.osn.training_pixels import PixelBatch

RESOLUTION = (16, 16, 16)


def sums_of_one(weight: float, depth: float) -> PerObjectSums:
    """One sample of object 1 on one ray, at a depth of the scene; nothing of the background."""
    row = torch.tensor([[0.0, weight]])
    log = math.log(depth)
    nothing = torch.zeros(1, 2, 3)
    return PerObjectSums(row, row * depth, row * log, row * log**2, nothing, nothing, row)


def test_depth_grows_with_its_scale_and_its_logarithm_by_the_weight() -> None:
    """A sample of weight 0.5 at own depth 2 under scale 3: depth 0.5 * 6, its derivative by the scale 0.5 * 2."""
    scale = torch.tensor([[1.0, 3.0]], requires_grad=True)
    sums = at_scales(sums_of_one(0.5, 6.0), scale)
    assert sums.depth[0, 1].item() == pytest.approx(3.0)
    assert torch.autograd.grad(sums.depth.sum(), scale, retain_graph=True)[0][0].tolist() == pytest.approx([0, 1.0])
    by_log = torch.autograd.grad(sums.log_depth.sum(), scale, retain_graph=True)[0]
    assert by_log[0, 1].item() == pytest.approx(0.5 / 3)
    by_square = torch.autograd.grad(sums.log_depth_squared.sum(), scale)[0]
    assert by_square[0, 1].item() == pytest.approx(2 * 0.5 * math.log(6) / 3)


def test_loss_of_depth_pulls_a_scale_to_where_its_depth_is_the_one_told() -> None:
    """w (log s z' - log D)^2 / 1 with w 1, z' 2, s 1, D 3: by log s it is 2 log(2/3)."""
    log_scale = torch.zeros(1, requires_grad=True)
    scales = torch.cat([torch.ones(1), log_scale.exp()])[None]
    loss = depth_loss(at_scales(sums_of_one(1.0, 2.0), scales), torch.tensor([1]), torch.tensor([3.0]), torch.ones(1))
    assert loss.item() == pytest.approx(math.log(1.5) ** 2, rel=1e-5)
    assert torch.autograd.grad(loss, log_scale)[0].item() == pytest.approx(2 * math.log(2 / 3), rel=1e-5)


def test_errors_beyond_the_limit_count_as_absolute_ones() -> None:
    sums, one = sums_of_one(1.0, 1.0), torch.tensor([1])
    assert robust_weight(sums, one, torch.tensor([1.0])).item() == 1.0
    far = torch.tensor([math.exp(4 * DEPTH_ERROR)])
    assert robust_weight(sums, one, far).item() == pytest.approx(0.25, rel=1e-5)
    assert robust_weight(sums_of_one(0.0, 1.0), one, far).item() == 1.0  # nothing there: no error is known


def ball_before_a_wall() -> tuple[ObjectScene, list[torch.Tensor], PixelBatch, torch.Tensor]:
    """A red ball of radius 0.3, 2 before the camera at scale 1, and a blue wall at depth 3; what it shows at scale 1."""
    pose = torch.eye(4).expand(2, 1, 4, 4).clone()
    pose[1, 0, 2, 3] = -2.0  # the camera, in the frame of the ball
    geometry = SceneGeometry(
        pose, torch.ones(2, 1, dtype=torch.bool), torch.tensor([[4.0] * 3, [0.4] * 3]), near=0.1, far=8.0
    )
    shape = FieldShape(density_channels=1, colour_channels=1, shell=0.0, learnt_scales=True)
    scene = ObjectScene(geometry, shape, [(48, 48, 48), RESOLUTION], torch.Generator().manual_seed(0))
    for field, tint in zip(scene.fields, ((-6.0, -6.0, 6.0), (6.0, -6.0, -6.0)), strict=True):
        torch.nn.init.zeros_(field.basis)
        field.tint.data[:3] = torch.tensor(tint)
    axis = torch.linspace(-0.4, 0.4, RESOLUTION[0])
    distance = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0)
    depth = torch.linspace(-4.0, 4.0, 48).expand(48, 48, 48)
    grids = [(depth - 3.0) * 100, (0.3 - distance) * 100]
    side = torch.linspace(-0.3, 0.3, 16)
    xy = torch.stack(torch.meshgrid(side, side, indexing="ij"), dim=-1).view(-1, 2)
    count = len(xy)
    directions = torch.cat([xy, torch.ones(count, 1)], dim=1)
    frames, ones = torch.zeros(count, dtype=torch.int64), torch.ones(count)
    with torch.no_grad():
        rays = scene.observed_rays(frames, directions)
        sums = scene.render_per_object(grids, rays, frames, torch.ones(count, 2))
        colour, _ = composed(scene, sums, rays.directions[0])
    objects = (sums.weight[:, 1] > 0.5).long()
    depth = sums.depth.sum(1)
    batch = PixelBatch(frames, directions, colour, objects, ones.bool(), ones, depth, ones)
    return scene, grids, batch, torch.ones(count, 2)


def test_colours_tell_a_scale_only_where_objects_change_their_order() -> None:
    """The ball shows the same wherever it is before the wall, and pulls itself out where it has sunk into the wall."""
    scene, grids, batch, scales = ball_before_a_wall()
    assert 0.05 < batch.objects.float().mean() < 0.5
    for free in (0.5, 1.3):
        assert colour_slope(scene, grids, batch, scales * torch.tensor([1.0, free]), 0)[1].item() == 0.0
    sunk = colour_slope(scene, grids, batch, scales * torch.tensor([1.0, 1.6]), 0)
    assert sunk[0].item() == 0.0 and sunk[1].item() > 1e-3


@pytest.mark.parametrize("wrong", [0.9, 1.15])
def test_scale_alone_is_learnt_from_depth(wrong: float) -> None:
    """A law: depth of a ray is s z', so of all scales only the true one has the depths that were told."""
    scene, grids, batch, told = ball_before_a_wall()
    assert scene.log_scales is not None
    scene.log_scales.data.fill_(math.log(wrong))
    adam = torch.optim.Adam([scene.log_scales], lr=0.04, betas=(0.5, 0.9))
    decay = torch.optim.lr_scheduler.ExponentialLR(adam, 0.85)
    for step in range(16):
        losses = joint_losses(scene, grids, batch, told, torch.Generator().manual_seed(step), [])
        adam.zero_grad()
        (losses.colour + losses.depth).backward(inputs=[scene.log_scales])
        adam.step()
        decay.step()
    assert scene.learnt_scales().tolist() == pytest.approx([1.0, 1.0], abs=0.005)
    assert losses.objects.item() == 0.0  # silhouettes count in the bootstrap only
