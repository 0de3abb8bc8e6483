"""Valid scenes drawn from the scale network by rejection."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from models.osn.scale_network import ScaleNetwork
from models.rays import TensorFields
from models.rendering import VALID_SCORE

log = logging.getLogger("models.osn")
DRAWN_AT_ONCE = 8192
MOST_DRAWS = 64
FEWEST = 64
MOST_ROUNDS = 4  # of draws of valid vectors, for those of the inner bound


@dataclass(frozen=True)
class ScaleSamples(TensorFields):
    """Scale vectors with their scores."""

    scales: Float[Tensor, "sample object"]
    scores: Float[Tensor, "sample"]


def sample_valid(network: ScaleNetwork, count: int, generator: torch.Generator) -> ScaleSamples:
    """`count` scale vectors by OSN's rejection sampling, score above a half; where too few pass, the best of all drawn."""
    device = network.low.device

    def draw(number: int) -> Tensor:
        return torch.rand(number, len(network.low) - 1, generator=generator, device=device)

    return best_first(drawn_valid(network, count, draw))


def drawn_valid(network: ScaleNetwork, count: int, draw: Callable[[int], Tensor]) -> ScaleSamples:
    """The same in the order in which they were drawn; `draw` gives rows of numbers between 0 and 1, one an object that moves."""
    candidates, scores, found = [], [], 0
    for _ in range(MOST_DRAWS):
        normalised = draw(DRAWN_AT_ONCE)
        with torch.no_grad():
            score = network(normalised)
        candidates.append(normalised)
        scores.append(score)
        found += int((score > VALID_SCORE).sum())
        if found >= count:
            break
    normalised, score = torch.cat(candidates), torch.cat(scores)
    valid = (score > VALID_SCORE).nonzero()[:, 0][:count]
    if len(valid) < count:
        log.warning(
            "the scale network accepts %d of %d drawn scale vectors; the %d best scored are taken instead",
            len(valid),
            len(score),
            count,
        )
        valid = score.argsort(descending=True, stable=True)[:count]
    return ScaleSamples(network.scales(normalised[valid]), score[valid])


def best_first(samples: ScaleSamples) -> ScaleSamples:
    """The samples by their scores."""
    return samples[samples.scores.argsort(descending=True, stable=True)]


def sample_within(
    network: ScaleNetwork,
    hidden: Callable[[Float[Tensor, "sample object"]], Float[Tensor, "sample"]],
    most: float,
    count: int,
    generator: torch.Generator,
) -> ScaleSamples:
    """Up to `count` valid scale vectors that hide at most so much; where hardly any does, those that hide least.

    They fill the region evenly, its border as well as its middle: Sobol's sequence, scrambled, of which the first that
    pass are taken. As many independent draws leave wider gaps, in which the true scales may lie.
    """
    device = network.low.device
    seed = int(torch.randint(1 << 31, (), generator=generator, device=device))
    sobol = torch.quasirandom.SobolEngine(len(network.low) - 1, scramble=True, seed=seed)
    scales: list[Tensor] = []
    scores: list[Tensor] = []
    shares: list[Tensor] = []
    for _ in range(MOST_ROUNDS):
        drawn = drawn_valid(network, DRAWN_AT_ONCE // 4, lambda number: sobol.draw(number).to(device))
        scales.append(drawn.scales)
        scores.append(drawn.scores)
        shares.append(hidden(drawn.scales))
        if sum(int((share <= most).sum()) for share in shares) >= count:
            break
    kept, values = ScaleSamples(torch.cat(scales), torch.cat(scores)), torch.cat(shares)
    inside = (values <= most).nonzero()[:, 0][:count]
    if len(inside) < min(count, FEWEST):
        log.warning(
            "only %d of %d valid scale vectors hide no more than the fields get wrong at borders: no scale is certain, and"
            " those that hide least are taken",
            len(inside),
            len(values),
        )
        inside = values.argsort(stable=True)[:count]
    return best_first(kept[inside])


def nearest_first(samples: ScaleSamples, wanted: Float[Tensor, "object"]) -> ScaleSamples:
    """The samples by how near, in ratio, their scales are to the wanted ones."""
    return samples[(samples.scales / wanted).log().square().sum(dim=1).argsort(stable=True)]


def uniform_samples(
    scale_range: Float[Tensor, "object bound=2"], count: int, generator: torch.Generator
) -> ScaleSamples:
    """Scales that know nothing of the video: a baseline."""
    fractions = torch.rand(count, len(scale_range), generator=generator, device=scale_range.device)
    scales = scale_range[:, 0] + fractions * (scale_range[:, 1] - scale_range[:, 0])
    return ScaleSamples(scales, torch.ones_like(scales[:, 0]))


def middle_sample(scale_range: Float[Tensor, "object bound=2"]) -> ScaleSamples:
    """One fixed scale an object, the middle of its range: a baseline."""
    return fixed_sample(scale_range.mean(dim=1))


def fixed_sample(scales: Float[Tensor, "object"]) -> ScaleSamples:
    """One fixed scale an object: a baseline."""
    return ScaleSamples(scales[None], torch.ones_like(scales[:1]))


@dataclass(frozen=True)
class ValidRegion:
    """How much of the scale range is valid, and between which scales, per object."""

    fraction: float
    bounds: Float[Tensor, "object bound=2"]


def valid_region(network: ScaleNetwork, bank: Float[Tensor, "sample moving"]) -> ValidRegion:
    """Measured on vectors that fill the range evenly."""
    with torch.no_grad():
        score = network(bank)
    valid = score > VALID_SCORE
    inside = network.scales(bank[valid] if bool(valid.any()) else bank[score.argmax()][None])
    return ValidRegion(float(valid.float().mean()), torch.stack([inside.amin(0), inside.amax(0)], dim=1))
