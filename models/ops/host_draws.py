"""Random numbers that decide what the host does next."""

import torch


def host_randint(low: int, high: int, generator: torch.Generator) -> int:
    """A random number from `low` to below `high`. A generator of a GPU gives it by its seed: reading a draw would wait."""
    if generator.device.type == "cpu":
        return int(torch.randint(low, high, (), generator=generator))
    return low + generator.initial_seed() % (high - low)
