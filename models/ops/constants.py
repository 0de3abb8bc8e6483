"""Tensors of a few fixed numbers, made once a device: copying them over at each step would make the host wait for it."""

from functools import cache

import torch
from jaxtyping import Shaped
from torch import Tensor


def constant(numbers: tuple[int | float, ...], like: Tensor) -> Shaped[Tensor, "number"]:
    """The numbers as a tensor of the device and type of another; never to be written to."""
    return made(numbers, like.dtype, like.device)


@cache
def made(numbers: tuple[int | float, ...], dtype: torch.dtype, device: torch.device) -> Shaped[Tensor, "number"]:
    return torch.tensor(numbers, dtype=dtype, device=device)
