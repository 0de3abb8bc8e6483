"""Samples by a list, and equally many of each ray: two ways to the same sums."""

import torch

from models.semantic_flow.chosen_samples import ListedSamples, SamplesOfEachRay, matching, samples_seen
from models.semantic_flow.model import LEAST_WEIGHT
from tests.models.semantic_flow.tiny_model import tiny_model, tiny_rays
from tests.simulated_cuda import simulated_cuda


def test_both_kinds_of_samples_say_the_same_of_rays() -> None:
    rays, _ = tiny_rays(9)
    model = tiny_model()
    traced = model.trace(model.static.nodes(), rays, None)
    weights = traced.weights.dynamic.detach()
    weights = weights * (torch.rand(weights.shape, generator=torch.Generator().manual_seed(0)) > 0.4)
    listed, each = samples_seen(weights), SamplesOfEachRay(None, weights > LEAST_WEIGHT)
    assert isinstance(listed, ListedSamples) and 0 < len(listed.index) < weights.numel()

    def sums(samples: ListedSamples | SamplesOfEachRay) -> list[torch.Tensor]:
        values = torch.cat([samples.points(traced), samples.of_rays(rays.frames)[:, None]], dim=1)
        own = samples.of_samples(traced.intervals.depth)[:, None]
        total = samples.added_up(torch.ones(9), samples.taken(weights))
        return [samples.sums(weights, torch.cat([values, own], dim=1)), total]

    some = torch.arange(9) % 3 > 0
    strongest = [samples.strongest(weights, 2, some)[1] for samples in (listed, each)]
    for one, other in ((listed, each), strongest):
        for mine, theirs in zip(sums(one), sums(other), strict=True):
            torch.testing.assert_close(mine, theirs)


def test_the_strongest_are_found_among_the_samples_they_are_chosen_from() -> None:
    weights = torch.tensor([[0.5, 0.0, 0.3, 0.1], [0.0, 0.2, 0.0, 0.0]])
    listed, each = samples_seen(weights), SamplesOfEachRay(None, weights > LEAST_WEIGHT)
    mine, few = listed.strongest(weights, 2, None)
    assert few.index.tolist() == [0, 2, 5] and listed.index[mine].tolist() == [0, 2, 5]
    theirs, same = each.strongest(weights, 2, torch.tensor([True, False]))
    assert theirs[:2].tolist() == [0, 2] and same.counts.tolist() == [[True, True], [False, False]]


def test_on_gpus_no_size_depends_on_values() -> None:
    with simulated_cuda() as card:
        weights = torch.rand(5, 4, device="cuda")
        with card.watched() as seen:
            samples = samples_seen(weights)
            few, strongest = samples.strongest(weights, 2, weights[:, 0] > 0.5)
            sums = strongest.sums(weights, samples.of_samples(weights)[few][:, None])
        assert not seen.waits and sums.shape == (5, 1) and matching(weights[:, 0] > 0.5) == slice(None)
