"""Losses: zero where they should be, large where they should be, and their inputs left alone."""

import torch

from models.semantic_flow import losses


def test_a_perfect_depth_costs_nothing_and_an_inverted_one_much() -> None:
    depth = torch.linspace(1, 5, 9).expand(4, -1)
    wanted = torch.tensor([1.0, 2.0, 4.0, 5.0])
    perfect = (depth == wanted[:, None]).float()
    inverted = (depth == (6 - wanted)[:, None]).float()
    sure = torch.ones(4)
    assert losses.depth_loss(perfect, depth, wanted, sure).mean() < 1e-6
    assert losses.depth_loss(inverted, depth, wanted, sure).mean() > 0.5
    assert losses.depth_loss(inverted, depth, wanted, torch.zeros(4)).mean() == 0


def test_flow_is_compared_only_where_it_is_valid() -> None:
    xy = torch.rand(6, 2) * 50
    flow = torch.randn(6, 2)
    valid = torch.tensor([True, True, True, False, False, False])
    endpoint = xy + flow
    endpoint[3:] += 20
    assert losses.flow_loss(endpoint, xy, flow, valid, 100).mean() < 1e-5
    assert losses.flow_loss(endpoint, xy, flow, ~valid, 100).mean() > 10


def test_unlabelled_rays_have_no_part_in_the_cross_entropy() -> None:
    logits = torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    right = losses.cross_entropy(logits, torch.tensor([0, losses.UNLABELLED])).mean()
    expected = torch.nn.functional.cross_entropy(logits[:1], torch.tensor([0]))
    torch.testing.assert_close(right, expected)
    assert losses.cross_entropy(logits, torch.full((2,), losses.UNLABELLED)).mean() == 0


def test_the_mask_loss_wants_moving_pixels_dynamic_and_skips_unknown_ones() -> None:
    moving = torch.tensor([1.0, 0.0, -1.0])
    assert losses.mask_loss(torch.tensor([1.0, 0.0, 0.5]), moving).mean() < 1e-3
    assert losses.mask_loss(torch.tensor([0.0, 1.0, 0.5]), moving).mean() > 5


def test_agreement_counts_only_sure_beliefs() -> None:
    unsure, sure = torch.tensor([[0.1, 0.0]]), torch.tensor([[9.0, 0.0]])
    everything = torch.ones(1, dtype=torch.bool)
    assert losses.agreement_loss(-sure, unsure, everything).mean() == 0
    assert losses.agreement_loss(-sure, sure, everything).mean() > 5
    assert losses.agreement_loss(sure, sure, everything).mean() < 1e-6


def test_distortion_agrees_with_the_double_sum() -> None:
    weights, depth = torch.rand(2, 5), torch.linspace(1, 3, 5).expand(2, -1)
    slow = sum(
        float(weights[r, i] * weights[r, j] * abs(depth[r, i].log() - depth[r, j].log()))
        for r in range(2)
        for i in range(5)
        for j in range(5)
    )
    torch.testing.assert_close(losses.distortion_loss(weights, depth), torch.tensor(slow / 2), atol=1e-5, rtol=1e-4)


def test_no_loss_changes_its_inputs() -> None:
    ray, sample = 6, 4
    depth, weights = torch.rand(ray, sample).cumsum(1) + 1, torch.rand(ray, sample)
    label, mask = torch.tensor([0, 1, -1, 2, 0, 1]), torch.rand(ray) > 0.5
    calls = [
        (losses.colour_loss, (torch.rand(ray, 3), torch.rand(ray, 3))),
        (losses.robust_colour_loss, (torch.rand(ray, 3), torch.rand(ray, 3))),
        (losses.depth_loss, (weights, depth, torch.rand(ray) + 1, torch.rand(ray))),
        (losses.flow_loss, (torch.rand(ray, 2), torch.rand(ray, 2), torch.rand(ray, 2), mask, 10)),
        (losses.cross_entropy, (torch.rand(ray, 3), label)),
        (losses.mask_loss, (torch.rand(ray), torch.tensor([1.0, 0, -1, 1, 0, -1]))),
        (losses.entropy_loss, (torch.rand(ray),)),
        (losses.motion_loss, (torch.rand(ray, 3), torch.rand(ray, 3), mask, 2.0)),
        (losses.distortion_loss, (weights, depth)),
        (losses.agreement_loss, (torch.rand(ray, 3), torch.rand(ray, 3), mask)),
    ]
    for function, arguments in calls:
        kept = [argument.clone() if isinstance(argument, torch.Tensor) else argument for argument in arguments]
        function(*arguments)
        for argument, before in zip(arguments, kept, strict=True):
            if isinstance(argument, torch.Tensor):
                torch.testing.assert_close(argument, before, rtol=0, atol=0)
