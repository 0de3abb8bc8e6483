"""What steps of NSFF and DynNeRF ask for: laws of motion, and what counts when."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.baselines.model import SampleBudget, SceneExtent
from models.baselines.scene_flow_model import SceneFlowBaseline
from models.baselines.scene_flow_objectives import MovingBatch, Phase, SceneFlowWeights, look, scene_flow_losses
from models.baselines.scene_flow_objectives import motion_losses as losses_of_motion
from models.ops.space import Cameras, Region
from tests.models.baselines.moving_walls import BLUE, RED, moving_walls

ONES = SceneFlowWeights(*[1.0] * 13)
USUAL = Phase(False, False, 1.0, True, True, True)
VELOCITY = torch.tensor([0.5, 0.25, -0.2])


def cameras(step: float) -> Cameras:
    """Three of them, each so far to the right of the one before."""
    pose = torch.eye(4).repeat(3, 1, 1)
    pose[:, 0, 3] = step * torch.arange(-1.0, 2.0)
    return Cameras(pose, torch.tensor([100.0, 100.0, 64.0, 48.0]), 96, 128)


def model(velocity: Tensor) -> SceneFlowBaseline:
    extent = SceneExtent(Region(torch.zeros(3), torch.full((3,), 10.0), 0.0), 1.0, 8.0, 3)
    return SceneFlowBaseline(moving_walls(velocity, 10.0), extent, SampleBudget(48, 512))


def batch(seen_by: Cameras, velocity: Tensor, moving: bool, depth: float) -> MovingBatch:
    """Pixels of the middle frame at a depth, with the flow of what moves so."""
    xy = torch.tensor([[70.5, 48.5], [80.5, 50.5], [90.5, 40.5]])
    frames = torch.ones(3, dtype=torch.long)
    rays = seen_by.rays(xy, frames)
    points, views = rays.origins + depth * rays.directions, torch.tensor([[2, 0]]).repeat(3, 1)
    flow = [seen_by.project(points + by * velocity, frames + by)[0] - xy for by in (1, -1)]
    colour = torch.tensor([RED if moving else BLUE]).expand(3, 3)
    valid = torch.ones(3, 2, dtype=torch.bool)
    known = torch.full((3,), depth), torch.ones(3)
    return MovingBatch(rays, colour, *known, xy, torch.full((3,), float(moving)), views, torch.stack(flow, 1), valid)


def test_what_moves_at_constant_speed_has_the_right_flow_and_nothing_else_has() -> None:
    seen_by = cameras(0.3)
    told = batch(seen_by, VELOCITY, True, 4.0)
    for velocity, flow in ((VELOCITY, 0.0), (torch.zeros(3), None), (-VELOCITY, None)):
        baseline = model(velocity)
        looked = look(baseline, told, torch.Generator().manual_seed(0))
        found = losses_of_motion(baseline, looked, told, seen_by, ONES, USUAL)["flow"].item()
        # in the papers' pixels, four of which are one of these; samples lie a little beside the surface
        assert (found < 0.5) if flow == 0.0 else (found > 20), (velocity, found)


def test_a_scene_that_stands_still_wants_no_motion() -> None:
    """Without motion all that is asked of motion is met; with it, nothing is."""
    seen_by, still = cameras(0.3), torch.zeros(3)
    told = batch(seen_by, still, True, 4.0)
    met, missed = (
        scene_flow_losses(model(velocity), told, seen_by, ONES, USUAL, torch.Generator().manual_seed(0))[0]
        for velocity in (still, VELOCITY)
    )
    assert met["still"].item() == met["even"].item() == met["cycle"].item() == 0.0
    assert met["flow"].item() < 0.5 and met["neighbours"].item() < 1e-4 and met["colour"].item() < 1e-4
    assert missed["still"].item() > 0.05 and missed["flow"].item() > 20


def test_every_loss_has_its_weight_and_flow_and_maps_decay() -> None:
    seen_by = cameras(0.3)
    told = batch(seen_by, VELOCITY, False, 6.0)

    def named(weights: SceneFlowWeights, phase: Phase) -> dict[str, Tensor]:
        return scene_flow_losses(model(VELOCITY), told, seen_by, weights, phase, torch.Generator().manual_seed(0))[0]

    first, later = named(ONES, USUAL), named(ONES, replace(USUAL, data=0.1, first=False))
    assert set(first) == {
        *("colour", "dynamic", "neighbours", "cycle", "hidden", "flow", "still", "even", "depth"),
        *("entropy", "sparse", "mask", "order"),
    }
    assert later["flow"].item() == pytest.approx(0.1 * first["flow"].item())
    assert later["mask"].item() == 0.0 < first["mask"].item()
    doubled = named(SceneFlowWeights(*[2.0] * 13), USUAL)
    for name, loss in first.items():
        torch.testing.assert_close(doubled[name], 2 * loss, msg=name)
    assert set(named(SceneFlowWeights(*[1.0] * 7), USUAL)).isdisjoint({"hidden", "mask", "order", "sparse", "depth"})


def test_later_nsffs_dynamic_part_explains_only_what_moves() -> None:
    """Pixels of the wall count nothing: what is seen there is static; those of what moves count as before."""
    seen_by = cameras(0.0)
    told = batch(seen_by, VELOCITY, True, 4.0)
    wrong = replace(told, colour=torch.ones(3, 3))
    left = replace(wrong, rays=replace(told.rays, directions=told.rays.directions * torch.tensor([-1.0, 1, 1])))
    narrow = replace(USUAL, everywhere=False)
    for seen, counts in ((wrong, True), (left, False)):
        found, _ = scene_flow_losses(model(VELOCITY), seen, seen_by, ONES, narrow, torch.Generator().manual_seed(0))
        assert (found["dynamic"].item() > 0.5) == counts, found["dynamic"]


def test_dynnerfs_static_part_learns_alone_from_what_does_not_move_and_is_frozen_then() -> None:
    seen_by = cameras(0.3)
    told = batch(seen_by, VELOCITY, False, 6.0)
    alone = replace(USUAL, static_alone=True)
    moving = replace(
        told, moving=torch.tensor([1.0, 0.0, -1.0]), colour=torch.tensor([[9.0] * 3, list(BLUE), [9.0] * 3])
    )
    found, _ = scene_flow_losses(model(VELOCITY), moving, seen_by, ONES, alone, torch.Generator().manual_seed(0))
    assert set(found) == {"colour", "depth"} and found["colour"].item() < 1e-4
    frozen = model(VELOCITY)
    frozen.field.learn(frozen.field.dynamic)
    looked = look(frozen, told, torch.Generator().manual_seed(0))
    assert not looked.traced.static_alpha.requires_grad
