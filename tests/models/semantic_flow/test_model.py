"""The model's small parts, by hand, and what rays show of it."""

import torch

from models.ops.intervals import BEYOND, behind
from models.semantic_flow.model import LEAST_WEIGHT, flat_indices, ray_sums, top_k
from tests.models.semantic_flow.tiny_model import FRAMES, tiny_model, tiny_rays


def test_the_top_k_samples_of_a_ray_are_those_above_the_least_weight() -> None:
    weights = torch.tensor([[0.1, 0.4, 0.2, 0.3], [0.0, 0.5 * LEAST_WEIGHT, 0.9, 0.0]])
    assert top_k(weights, 2).tolist() == [[False, True, False, True], [False, False, True, False]]
    assert top_k(weights, 9).sum() == 5


def test_sums_over_chosen_samples_go_to_their_rays() -> None:
    weights = torch.tensor([[0.5, 0.25], [1.0, 2.0]])
    chosen = flat_indices(torch.tensor([[True, True], [False, True]]))
    assert chosen.tolist() == [0, 1, 3]
    values = torch.tensor([[1.0, 0.0], [4.0, 8.0], [3.0, 1.0]])
    assert ray_sums(weights, chosen, values).tolist() == [[1.5, 2.0], [6.0, 2.0]]


def test_a_wall_stands_behind_the_last_sample_only() -> None:
    assert behind(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[1.0, 2.0, 3.0 + BEYOND]]


def test_every_ray_ends_somewhere_and_its_depth_is_that_of_its_samples() -> None:
    model, (rays, _) = tiny_model(), tiny_rays(30)
    traced = model.trace(model.static.nodes(), rays, None, moving=False)
    torch.testing.assert_close(traced.weights.both.sum(1), torch.ones(30), atol=1e-3, rtol=0)
    assert bool(((traced.depth > model.bounds.near) & (traced.depth < model.bounds.far)).all())
    chosen = torch.tensor([0, 13, 30 * 12 - 1])
    torch.testing.assert_close(traced.points_at(chosen), traced.points.flatten(0, 1)[chosen])


def test_without_moving_things_nothing_is_dynamic() -> None:
    model, (rays, _) = tiny_model(), tiny_rays(20)
    assert model.trace(model.static.nodes(), rays, None).dynamicness.max() > 0
    assert model.trace(model.static.nodes(), rays, None, moving=False).dynamicness.max() == 0


def test_first_and_last_frame_are_the_ends_of_time() -> None:
    ends = tiny_model().normalised_time(torch.tensor([0.0, (FRAMES - 1) / 2, FRAMES - 1]))
    assert ends.tolist() == [-1.0, 0.0, 1.0]


def test_remembered_depths_are_read_back_where_they_were_seen() -> None:
    model = tiny_model()
    model.remember_depth(torch.tensor([2]), torch.tensor([[15.9, 0.1]]), torch.tensor([3.5]))
    assert model.maps.depth[2, 0, 3] == 3.5
    assert model.maps.depth.isinf().sum() == model.maps.depth.numel() - 1
