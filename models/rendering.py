"""What rays see, whichever method shows it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.parallel import workers
from models.rays import Rays, TensorFields

RAYS_AT_ONCE = 4096  # on CPU: a chunk's samples stay in a core's cache
RAYS_AT_ONCE_ON_GPU = 1 << 16  # with fewer the device waits for its kernels to be launched
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


def rays_at_once(device: torch.device) -> int:
    """How many rays are followed at a time where no gradients are wanted."""
    return RAYS_AT_ONCE if device.type == "cpu" else RAYS_AT_ONCE_ON_GPU


def in_chunks(render: Callable[[Rays], Rendering], rays: Rays) -> Rendering:
    """What a function renders of some rays at a time without gradients, side by side on CPU cores."""

    def part(chosen: Int64[Tensor, "chunk"]) -> Rendering:
        with torch.no_grad():
            return render(rays[chosen])

    device = rays.frames.device
    chunks = torch.arange(len(rays.frames), device=device).split(rays_at_once(device))
    with workers(device) as parallel_map:
        return joined(list(parallel_map(part, chunks)))
