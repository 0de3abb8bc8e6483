"""The losses of NSFF and DynNeRF by hand."""

import math

import pytest
import torch

from models.baselines import scene_flow_losses as losses
from models.ops.space import Cameras


def test_few_rays_do_not_count_for_many() -> None:
    values = torch.tensor([2.0, 4.0, 9.0])
    assert losses.masked_mean(values, torch.tensor([1.0, 1.0, 0.0])).item() == 3.0
    assert losses.masked_mean(values, torch.tensor([0.0, 0.25, 0.0])).item() == 1.0  # not 4
    assert losses.masked_mean(values, torch.zeros(3)).item() == 0.0


def test_colours_are_compared_ray_by_ray() -> None:
    error = losses.colour_error(torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), torch.zeros(2, 3))
    torch.testing.assert_close(error, torch.tensor([1 / 3, 0.25]))


def test_what_returns_to_where_it_was_has_no_cycle_error() -> None:
    there = torch.tensor([[[0.1, 0.2, 0.0], [0.0, 0.0, 0.3]]])
    assert losses.cycle_error(there, -there, torch.ones(1, 2)).item() == 0.0
    # off by (.1, .2, 0) and (0, 0, .3); the second is hidden by half: (.3 + .5 * .3) / 2
    error = losses.cycle_error(there, torch.zeros_like(there), torch.tensor([[1.0, 0.5]]))
    assert error.item() == pytest.approx(0.225)


def test_motion_is_small_even_and_straight() -> None:
    flow = torch.zeros(1, 3, 2, 3)
    flow[0, :, 0, 0], flow[0, :, 1, 0] = 0.3, -0.3  # the same way at even speed
    places = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 9.0]]])
    assert losses.flow_rest(flow).item() == pytest.approx(0.3)
    assert losses.flow_roughness(flow, places).item() == 0.0
    assert losses.flow_bend(flow).item() == 0.0
    flow[0, 1, 0, 0] = 0.5  # the middle sample moves faster
    # only the nearest 95 % of three samples, two of them: exp(-2) * .2 to the next frame, 0 to the previous
    assert losses.flow_roughness(flow, places).item() == pytest.approx(math.exp(-2) * 0.2 / 2)
    assert losses.flow_bend(flow).item() == pytest.approx(0.2 / 2)


def test_an_expected_point_is_projected_and_compared_in_the_papers_pixels() -> None:
    pose = torch.eye(4).repeat(2, 1, 1)
    pose[1, 0, 3] = 1.0  # the second camera stands one to the right
    cameras = Cameras(pose, torch.tensor([100.0, 100.0, 50.0, 40.0]), 80, 128)
    carried = torch.tensor([[[2.0, 0.0, 4.0], [0.0, 0.0, 6.0]]])
    pixels = losses.induced_pixels(torch.tensor([[0.25, 0.25]]), carried, cameras, torch.tensor([1]))
    torch.testing.assert_close(
        pixels, torch.tensor([[50.0, 40.0]])
    )  # the mean is (1, 0, 5), before the camera's middle
    error = losses.flow_error(pixels, torch.tensor([[48.0, 40.0]]), torch.tensor([[1.0, 0.5]]), cameras.width)
    assert error.item() == pytest.approx(4 * (1.0 + 0.5) / 2)  # 512 / 128 = 4


def test_disparity_is_compared_whatever_its_scale_and_shift() -> None:
    values = torch.tensor([0.0, 1.0, 2.0, 5.0, 7.0])
    torch.testing.assert_close(losses.whitened(values), torch.tensor([-2.0, -1.0, 0.0, 3.0, 5.0]) / (11 / 5))
    known = torch.tensor([1.0, 1.0, 1.0, 0.0, 1.0])
    assert losses.disparity_loss(values, 3 * values + 7, known).item() < 1e-10
    assert losses.disparity_loss(values, -values, known).item() > 1
    assert losses.disparity_loss(values, values.flip(0), torch.tensor([1.0, 0, 0, 0, 0])).item() == 0.0


def test_where_nothing_moves_both_parts_are_as_far() -> None:
    loss = losses.order_loss(torch.tensor([3.0, 9.0]), torch.tensor([2.0, 1.0]), torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx(0.5)


def test_blending_follows_the_mask_where_it_is_known() -> None:
    blend = torch.tensor([[0.2, 0.4], [0.9, 0.9], [0.5, 0.5]])
    loss = losses.mask_loss(
        blend, torch.tensor([0.1, 0.7, 0.5]), torch.tensor([0.0, 1.0, 0.0]), torch.tensor([1.0, 1.0, 0.0])
    )
    assert loss.item() == pytest.approx(0.3 + (0.1 + 0.3) / 2)


def test_entropies_by_hand() -> None:
    assert losses.blend_entropy(torch.tensor([[0.5, 0.5]])).item() == pytest.approx(math.log(2))
    assert losses.blend_entropy(torch.tensor([[0.0, 1.0]])).item() < 1e-4
    assert losses.weight_entropy(torch.tensor([[0.2, 0.2, 0.0]])).item() == pytest.approx(math.log(2), rel=1e-4)
    assert losses.weight_entropy(torch.tensor([[0.7, 0.0, 0.0]])).item() == pytest.approx(0.0, abs=1e-5)
