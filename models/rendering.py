"""The one interface of all methods: rays in, a rendering out."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from models.rays import Rays, TensorFields


@dataclass(frozen=True)
class Rendering(TensorFields):
    """What rays see: colour in [0, 1], depth along z, opacity, and the weight that fell on each object."""

    colour: Float[Tensor, "*batch rgb=3"]
    depth: Float[Tensor, "*batch"]
    opacity: Float[Tensor, "*batch"]
    object_weights: Float[Tensor, "*batch object"]


@runtime_checkable
class TrainedMethod(Protocol):
    """A trained scene. `scales` are its valid scenes, best first; a method without scales has one row of ones."""

    scales: Float[Tensor, "sample object"]
    scores: Float[Tensor, "sample"]

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render a flat batch of rays under one scale vector (the best valid one by default), without gradients."""
        ...
