"""What rays see, whichever method shows it."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from models.rays import TensorFields

VALID_SCORE = 0.5  # of a scale vector: above it the vector explains the video


@dataclass(frozen=True)
class Rendering(TensorFields):
    """What rays see: colour in [0, 1], depth along z, opacity, and the weight that fell on each object."""

    colour: Float[Tensor, "*batch rgb=3"]
    depth: Float[Tensor, "*batch"]
    opacity: Float[Tensor, "*batch"]
    object_weights: Float[Tensor, "*batch object"]
