"""What rays see, whichever method shows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.parallel import workers
from models.rays import Rays, TensorFields

RAYS_AT_ONCE = 4096
VALID_SCORE = 0.5  # of a scale vector: above it the vector explains the video


@dataclass(frozen=True)
class Rendering(TensorFields):
    """What rays see: colour in [0, 1], depth along z, opacity, and the weight that fell on each object."""

    colour: Float[Tensor, "*batch rgb=3"]
    depth: Float[Tensor, "*batch"]
    opacity: Float[Tensor, "*batch"]
    object_weights: Float[Tensor, "*batch object"]


def joined(parts: Sequence[Rendering]) -> Rendering:
    """What all the rays of some renderings see, in order."""
    return Rendering(*(torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def in_chunks(render: Callable[[Rays], Rendering], rays: Rays) -> Rendering:
    """What a function renders of a few thousand rays at a time without gradients, side by side on CPU cores."""

    def part(chosen: Int64[Tensor, "chunk"]) -> Rendering:
        with torch.no_grad():
            return render(rays[chosen])

    chunks = torch.arange(len(rays.frames), device=rays.frames.device).split(RAYS_AT_ONCE)
    with workers(rays.frames.device) as parallel_map:
        return joined(list(parallel_map(part, chunks)))
