"""Segmentation under many scales, against cases worked by hand and a loop."""

import math
from dataclasses import replace

import pytest
import torch

from models.osn.validity import conflict_text, conflicts
from models.osn.z_buffer import SoloViews, hard_agreement, inlier_rays, soft_agreement, visibility_accuracy


def views(depth, opacity, objects) -> SoloViews:
    seen, frames = torch.tensor(objects), torch.arange(len(objects)) // 2
    return SoloViews(torch.tensor(depth), torch.tensor(opacity), seen, torch.ones_like(seen, dtype=torch.bool), frames)


BALL_BEFORE_WALL = views([[10.0, 4.0], [10.0, 4.0], [10.0, 0.0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]], [1, 1, 0])


def test_ball_is_seen_until_it_is_behind_the_wall():
    scales = torch.tensor([[1.0, 1.0], [1.0, 2.4], [1.0, 2.6]])
    assert visibility_accuracy(BALL_BEFORE_WALL, scales, None).tolist() == [1.0, 1.0, torch.tensor(1 / 3).item()]


def test_transparent_object_hides_nothing():
    seen = views([[10.0, 4.0]], [[1.0, 0.2]], [0])
    assert visibility_accuracy(seen, torch.tensor([[1.0, 1.0]]), None).item() == 1.0


def test_object_seen_where_its_field_is_empty_is_never_explained():
    seen = views([[10.0, 4.0]], [[1.0, 0.05]], [1])
    assert visibility_accuracy(seen, torch.tensor([[1.0, 1.0], [1.0, 9.0]]), None).tolist() == [0.0, 0.0]


def test_object_that_reaches_over_the_border_of_its_mask_hides_nothing():
    sure = views([[10.0, 4.0]], [[1.0, 0.9]], [0])
    scales = torch.tensor([[1.0, 1.0], [1.0, 3.0]])
    assert visibility_accuracy(sure, scales, None).tolist() == [0.0, 1.0]
    assert visibility_accuracy(replace(sure, certain=torch.tensor([False])), scales, None).tolist() == [1.0, 1.0]


def grown(*factors: float) -> torch.Tensor:
    return torch.tensor([[1.0, factor] for factor in factors])


def test_what_becomes_right_does_not_make_up_for_what_breaks():
    reaches_too_far, sinks, stays = [10.0, 4.0], [10.0, 4.0], [90.0, 4.0]
    seen, scales = views([reaches_too_far, sinks, stays], [[1.0, 1.0]] * 3, [0, 1, 1]), grown(0.5, 1.0, 2.0, 3.0)
    assert visibility_accuracy(seen, scales, None)[0] == visibility_accuracy(seen, scales, None)[-1]
    assert visibility_accuracy(inlier_rays(seen, scales, 0.01), scales, None).tolist() == [1.0, 1.0, 1.0, 0.5]


def test_what_stands_before_an_object_counts_where_most_likely_scales_say_so():
    behind_a_pillar, before_a_wall = [3.0, 4.0], [40.0, 4.0]
    seen, scales = views([behind_a_pillar, before_a_wall], [[1.0, 1.0]] * 2, [0, 1]), grown(0.5, 1.0, 4.0, 8.0, 12.0)
    assert visibility_accuracy(inlier_rays(seen, scales, 0.01), scales, None).tolist() == [0.5, 1.0, 1.0, 1.0, 0.5]


def test_hard_buffer_agrees_with_a_loop():
    generator = torch.Generator().manual_seed(0)
    count, objects = 60, 3
    solo = SoloViews(
        torch.rand(count, objects, generator=generator) + 1,
        torch.rand(count, objects, generator=generator),
        torch.randint(objects, (count,), generator=generator),
        torch.rand(count, generator=generator) > 0.3,
        torch.zeros(count, dtype=torch.int64),
    )
    scales = torch.cat([torch.ones(20, 1), 0.5 + torch.rand(20, 2, generator=generator)], dim=1)
    for row, scale in zip(hard_agreement(solo, scales), scales, strict=True):
        for ray in range(count):
            seen, opacity = int(solo.objects[ray]), solo.opacity[ray]
            others = {k for k in range(objects) if solo.certain[ray] and opacity[k] > 0.5} - {seen}
            there = others | {0} | ({seen} if opacity[seen] > 0.1 else set())
            nearest = min(there, key=lambda k: float(scale[k] * solo.depth[ray, k]))
            assert bool(row[ray]) == (nearest == seen)
    assert torch.allclose(visibility_accuracy(solo, scales, None), hard_agreement(solo, scales).float().mean(1))


def test_sharp_soft_buffer_agrees_with_the_hard_one():
    scales = torch.tensor([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    opaque = BALL_BEFORE_WALL[:2]
    soft = soft_agreement(opaque, scales, sharpness=200.0)
    assert torch.allclose(soft, hard_agreement(opaque, scales).float(), atol=1e-3)


def test_soft_buffer_weighs_objects_by_opacity_and_depth():
    """In units of the wall's depth the ball is 0.4 deep and the wall 1."""
    ball, wall = 0.5 * math.exp(-2 * 0.4), math.exp(-2)
    found = soft_agreement(views([[10.0, 4.0]], [[1.0, 0.5]], [1]), torch.ones(1, 2), sharpness=2.0)
    assert found.item() == pytest.approx(ball / (ball + wall), abs=1e-6)


def test_soft_accuracy_lies_between_the_steps_of_the_hard_one():
    scales, opaque = torch.tensor([[1.0, 1.0], [1.0, 2.0], [1.0, 2.5], [1.0, 3.0]]), BALL_BEFORE_WALL[:2]
    soft, hard = visibility_accuracy(opaque, scales, 10.0), visibility_accuracy(opaque, scales, None)
    assert hard.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert (soft.diff() < 0).all() and 0 < soft[-1] < 0.5 < soft[1] < 1
    assert soft[2] == pytest.approx(0.5)  # both are equally deep


def test_conflict_names_the_pair_and_the_frames():
    assert conflicts(BALL_BEFORE_WALL, torch.tensor([1.0, 1.0])) == []
    (found,) = conflicts(BALL_BEFORE_WALL, torch.tensor([1.0, 3.0]))
    assert (found.seen, found.shown, found.frames) == (1, 0, [0])
    assert abs(found.share - 2 / 3) < 1e-6
    assert conflict_text(found, ["wall", "ball"]) == "wall would hide ball (66.7 % of pixels; frames 0)"
