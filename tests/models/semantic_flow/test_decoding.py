"""What traced rays show."""

import torch

from models.ops.intervals import Intervals
from models.semantic_flow.decoding import decode
from models.semantic_flow.marching import SampleWeights
from models.semantic_flow.model import SemanticFlow, Traced
from tests.models.semantic_flow.tiny_model import tiny_model, tiny_rays

RAYS, SAMPLES = 6, 8
EVERY = torch.ones(RAYS, dtype=torch.bool)


def traced(static: torch.Tensor, dynamic: torch.Tensor) -> Traced:
    rays, _ = tiny_rays(RAYS)
    depth = torch.linspace(1.5, 3.5, SAMPLES).expand(RAYS, -1)
    return Traced(rays, Intervals(depth, torch.full_like(depth, 0.25)), SampleWeights(static, dynamic))


def opaque_at(sample: int) -> torch.Tensor:
    weights = torch.zeros(RAYS, SAMPLES)
    weights[:, sample] = 1.0
    return weights


def always(model: SemanticFlow, still: list[float], moving: list[float]) -> SemanticFlow:
    """The model, with the same logits everywhere in each of its fields."""
    with torch.no_grad():
        for network, logits in ((model.static.semantics, still), (model.head.network, moving)):
            network[-1].weight.zero_()
            network[-1].bias.copy_(torch.tensor(logits))
    return model


def test_one_hot_logits_on_an_opaque_sample_give_that_class() -> None:
    model, nothing = always(tiny_model(), [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]), torch.zeros(RAYS, SAMPLES)
    still = decode(model, traced(opaque_at(3), nothing), EVERY).logits
    moving = decode(model, traced(nothing, opaque_at(5)), EVERY).logits
    torch.testing.assert_close(still, torch.tensor([[0.0, 9.0, 0.0]]).expand(RAYS, -1))
    torch.testing.assert_close(moving, torch.tensor([[0.0, 0.0, 9.0]]).expand(RAYS, -1))


def test_logits_are_weighted_by_density_and_without_that_prior_the_heaviest_sample_counts_alone() -> None:
    static, dynamic = 0.3 * opaque_at(2), 0.6 * opaque_at(4)
    for prior, wanted in ((True, [1.2, 0.0, 3.0]), (False, [0.0, 0.0, 5.0])):
        model = always(tiny_model(density_prior=prior), [4.0, 0.0, 0.0], [0.0, 0.0, 5.0])
        decoded = decode(model, traced(static, dynamic), EVERY)
        torch.testing.assert_close(decoded.logits, torch.tensor([wanted]).expand(RAYS, -1))


def test_rays_that_are_not_asked_for_classes_get_none() -> None:
    model, asked = tiny_model(), torch.arange(RAYS) < 2
    decoded = decode(model, traced(0.5 * opaque_at(2), 0.5 * opaque_at(4)), asked)
    assert bool((decoded.logits[2:] == 0).all())
    assert bool((decoded.logits[:2] != 0).all())
    everyone = decode(model, traced(0.5 * opaque_at(2), 0.5 * opaque_at(4)), EVERY)
    torch.testing.assert_close(decoded.colour, everyone.colour)
    torch.testing.assert_close(decoded.logits[:2], everyone.logits[:2])


def test_rays_on_which_nothing_moves_are_decoded_alike_with_and_without_moving_things() -> None:
    model, still = tiny_model(), traced(0.4 * opaque_at(1) + 0.5 * opaque_at(6), torch.zeros(RAYS, SAMPLES))
    whole, resting = decode(model, still, EVERY), decode(model, still, EVERY, moving=False)
    assert torch.equal(whole.colour, resting.colour) and torch.equal(whole.logits, resting.logits)
