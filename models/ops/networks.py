"""What small networks are made of: linear layers from a seed, and positional encodings."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn


def perceptron(sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """Linear layers with ReLU between, initialised from a generator."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layer = nn.Linear(fan_in, fan_out, device=generator.device)
        nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def encoded(values: Float[Tensor, "point channel"], octaves: int) -> Float[Tensor, "point encoded"]:
    """Values, their sines at 2^0 ... 2^(octaves - 1), and their cosines (NeRF, eq. 4, without pi)."""
    phases = (values[..., None] * 2.0 ** torch.arange(octaves, device=values.device)).flatten(-2)
    return torch.cat([values, phases.sin(), phases.cos()], dim=-1)


def encoded_size(channels: int, octaves: int) -> int:
    return channels * (1 + 2 * octaves)
