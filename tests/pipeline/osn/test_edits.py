"""Layers of a scene of OSN: hidden, alone, moved. The fields are as they are before any training; laws hold for all."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from models.rays import Rays
from models.rendering import Rendering
from pipeline.cameras import inverse
from pipeline.config import Edit, OsnAblation, RenderViewsConfig, TrainOsnConfig
from pipeline.osn.method import EditedOsn, OsnMethod
from pipeline.osn.training_state import started
from pipeline.rendering.view_pictures import view_rays
from pipeline.rendering.view_plans import plan_edits
from pipeline.runtime.errors import StageError
from pipeline.scene.edit_requests import object_centres
from tests.analytic_world import RADIUS, TRUE_SCALES, UNITS, analytic_scene, analytic_truth

WHOLE = analytic_scene(analytic_truth())
BOXES = np.stack([WHOLE.box_half_extent[0], *(np.full(3, RADIUS / unit) for unit in UNITS[1:])]).astype(np.float32)
SCENE = replace(WHOLE, box_half_extent=BOXES)
NAMES = [str(entry["name"]) for entry in SCENE.objects]
FRAME = 3


@cache
def method() -> OsnMethod:
    state = started(SCENE, TrainOsnConfig(ablation=OsnAblation(scales="middle"), grids=[8]), torch.device("cpu"))
    for field, shift in zip(state.fields.fields, (-7.0, 0.0, 0.0), strict=True):
        field.density_shift = shift  # objects that can be seen, through air
    scales = torch.from_numpy(TRUE_SCALES)[None].float()
    return OsnMethod(SCENE, state.fields, None, None, scales, torch.ones(1))


def rays(world_from_camera: np.ndarray) -> Rays:
    every = view_rays(SCENE.camera, world_from_camera, FRAME)
    return every[torch.arange(0, len(every.frames), 7)]


def camera() -> np.ndarray:
    return SCENE.object_from_camera[0, FRAME].astype(np.float64)


def edited(*changes: Edit) -> EditedOsn:
    return method().edited(list(changes), TRUE_SCALES)


def same(a: Rendering, b: Rendering, tolerance: float = 1e-5) -> None:
    for name in ("colour", "depth", "opacity", "object_weights"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=tolerance, atol=tolerance)


def test_every_object_leaves_a_trace_in_the_untouched_scene():
    assert (method().render(rays(camera())).object_weights.amax(0) > 0.05).all()


def test_what_is_hidden_has_no_weight_and_the_rest_stays():
    hidden = edited(Edit(object=NAMES[1], action="remove")).render(rays(camera()))
    plain = method().render(rays(camera()))
    assert hidden.object_weights[:, 1].max() == 0
    untouched = plain.object_weights[:, 1] == 0
    assert 0 < untouched.sum() < len(untouched)
    same(hidden[untouched], plain[untouched])


def test_alone_is_what_is_left_when_all_others_are_hidden():
    others = [Edit(object=name, action="remove") for name in NAMES if name != NAMES[2]]
    alone = edited(Edit(object="2", action="isolate")).render(rays(camera()))
    same(alone, edited(*others).render(rays(camera())))
    nothing = alone.opacity < 1e-6
    assert nothing.any() and (alone.colour[nothing] == 1).all()


def test_an_object_that_moves_with_the_camera_looks_the_same():
    move = Edit(object=NAMES[1], action="move", offset=(0.2, -0.1, 0.3), rotation=(0, 40, 10))
    alone = Edit(object=NAMES[1], action="isolate")
    moved = edited(alone, move)
    old_from_new = moved.layers.old_from_new[1, FRAME].double().numpy()
    seen = moved.render(rays(inverse(old_from_new) @ camera()))
    same(seen, edited(alone).render(rays(camera())), 1e-3)


def test_an_object_turns_about_its_own_centre_and_then_goes_by_the_offset():
    axes = SCENE.object_from_camera[0, 0, :3, :3].astype(np.float64)
    offset = np.array([0.3, 0.0, -0.2])
    move = Edit(object=NAMES[1], action="move", offset=tuple(offset), rotation=(0, 90, 0))
    new_from_old = inverse(edited(move).layers.old_from_new[1].double().numpy())
    before = object_centres(SCENE, 1, TRUE_SCALES[1])
    after = np.einsum("tij,tj->ti", new_from_old[:, :3, :3], before) + new_from_old[:, :3, 3]
    np.testing.assert_allclose(after - before, np.broadcast_to(axes @ offset, before.shape), atol=1e-5)


def test_two_moves_follow_each_other():
    first = Edit(object=NAMES[1], action="move", offset=(0.2, 0, 0))
    second = Edit(object=NAMES[1], action="move", offset=(0, 0.1, 0))
    both = Edit(object=NAMES[1], action="move", offset=(0.2, 0.1, 0))
    same(edited(first, second).render(rays(camera())), edited(both).render(rays(camera())), 1e-4)


def test_every_edit_is_a_video_of_its_own_unless_it_is_named():
    wanted = [Edit(object=name, action="isolate") for name in NAMES]
    plans = plan_edits(method(), TRUE_SCALES, RenderViewsConfig(edits=wanted, edit_frames=2))
    assert [plan.entry.caption for plan, _ in plans] == [f"{name} alone" for name in NAMES]
    assert all(plan.entry.scale == pytest.approx(TRUE_SCALES.tolist()) for plan, _ in plans)


def test_what_osn_cannot_do_is_refused():
    with pytest.raises(StageError, match="there is no object x"):
        edited(Edit(object="x", action="remove"))
    with pytest.raises(StageError, match="OSN cannot move background"):
        edited(Edit(object=NAMES[0], action="move", offset=(1, 0, 0)))
    with pytest.raises(StageError, match="OSN cannot recolour"):
        edited(Edit(object=NAMES[1], action="recolour", colour=(1, 2, 3)))
