"""The samples of traced rays that are looked at: a list of those that matter, or on GPUs equally many of each ray.

A list is as long as values say, which a GPU's host would have to wait for. There each ray gives as many samples, some of
which count nothing; what rays add up is then one product of matrices.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from models.rays import points_along
from models.semantic_flow.model import LEAST_WEIGHT, Traced, flat_indices, ray_sums, top_k


@dataclass(frozen=True)
class ListedSamples:
    """Samples by their flat indices; the other kind below has the same functions."""

    index: Int64[Tensor, "chosen"]
    per_ray: int

    @cached_property
    def ray(self) -> Int64[Tensor, "chosen"]:
        """The rays that the samples lie on."""
        return torch.div(self.index, self.per_ray, rounding_mode="floor")

    def points(self, traced: Traced) -> Float[Tensor, "chosen xyz=3"]:
        """Where the samples lie."""
        return traced.points_at(self.index)

    def of_samples(self, values: Shaped[Tensor, "ray sample *value"]) -> Shaped[Tensor, "chosen *value"]:
        """The samples' own values."""
        return values.flatten(0, 1)[self.index]

    def of_rays(self, values: Shaped[Tensor, "ray *value"]) -> Shaped[Tensor, "chosen *value"]:
        """The values of the rays that the samples lie on."""
        return values[self.ray]

    def taken(self, weights: Float[Tensor, "ray sample"]) -> Float[Tensor, "chosen"]:
        """The samples' weights; zero of those that count nothing."""
        return weights.flatten()[self.index]

    def added_up(self, total: Float[Tensor, "ray"], values: Float[Tensor, "chosen"]) -> Float[Tensor, "ray"]:
        """A total of rays, and what their samples add to it."""
        return total.index_add(0, self.ray, values)

    def sums(
        self, weights: Float[Tensor, "ray sample"], values: Float[Tensor, "chosen channel"]
    ) -> Float[Tensor, "ray channel"]:
        """Weighted sums over each ray's samples."""
        return ray_sums(weights, self.index, values)

    def strongest(
        self, weights: Float[Tensor, "ray sample"], count: int, rays: Bool[Tensor, "ray"] | None
    ) -> tuple[Int64[Tensor, "few"], "ListedSamples"]:
        """Of some rays the strongest among these samples: which of them, and as samples of their own."""
        few = top_k(weights, count)
        few = few if rays is None else few & rays[:, None]
        mine = flat_indices(few.flatten()[self.index][None])
        return mine, ListedSamples(self.index[mine], self.per_ray)


@dataclass(frozen=True)
class SamplesOfEachRay:
    """Equally many samples of each ray, given by their places on it, or all; some of them count nothing."""

    place: Int64[Tensor, "ray few"] | None
    counts: Bool[Tensor, "ray few"]

    def points(self, traced: Traced) -> Float[Tensor, "chosen xyz=3"]:
        depth = self.of_samples(traced.intervals.depth).view(self.counts.shape)
        return points_along(traced.rays, depth).flatten(0, 1)

    def of_samples(self, values: Shaped[Tensor, "ray sample *value"]) -> Shaped[Tensor, "chosen *value"]:
        if self.place is None:
            return values.flatten(0, 1)
        place = self.place.view(*self.place.shape, *(1 for _ in values.shape[2:])).expand(-1, -1, *values.shape[2:])
        return values.gather(1, place).flatten(0, 1)

    def of_rays(self, values: Shaped[Tensor, "ray *value"]) -> Shaped[Tensor, "chosen *value"]:
        return values[:, None].expand(-1, self.counts.shape[1], *values.shape[1:]).flatten(0, 1)

    def taken(self, weights: Float[Tensor, "ray sample"]) -> Float[Tensor, "chosen"]:
        return self.of_samples(weights) * self.counts.flatten()

    def added_up(self, total: Float[Tensor, "ray"], values: Float[Tensor, "chosen"]) -> Float[Tensor, "ray"]:
        return total + values.view(self.counts.shape).sum(1)

    def sums(
        self, weights: Float[Tensor, "ray sample"], values: Float[Tensor, "chosen channel"]
    ) -> Float[Tensor, "ray channel"]:
        taken = self.taken(weights).view(len(weights), 1, -1)
        return torch.bmm(taken, values.view(*self.counts.shape, -1))[:, 0]

    def strongest(
        self, weights: Float[Tensor, "ray sample"], count: int, rays: Bool[Tensor, "ray"] | None
    ) -> tuple[Int64[Tensor, "few"], "SamplesOfEachRay"]:
        assert self.place is None, "of these samples the strongest were chosen already"
        found = weights.detach().topk(min(count, weights.shape[1]), dim=1)
        counts = found.values > LEAST_WEIGHT
        first = torch.arange(0, weights.numel(), weights.shape[1], device=weights.device)
        counts = counts if rays is None else counts & rays[:, None]
        return (found.indices + first[:, None]).flatten(), SamplesOfEachRay(found.indices, counts)


ChosenSamples = ListedSamples | SamplesOfEachRay


def samples_seen(weights: Float[Tensor, "ray sample"], compact: bool = False) -> ChosenSamples:
    """The samples that add more than the least weight: a list of them on CPU and where it is asked for, else of each ray all."""
    seen = weights > LEAST_WEIGHT
    if compact or weights.device.type == "cpu":
        return ListedSamples(flat_indices(seen), weights.shape[1])
    return SamplesOfEachRay(None, seen)


def matching(mask: Bool[Tensor, "ray"]) -> Int64[Tensor, "matching"] | slice:
    """The rays of which a mask is true, as an index; on GPUs all of them, so that the host need not know how many these are."""
    return flat_indices(mask[None]) if mask.device.type == "cpu" else slice(None)
