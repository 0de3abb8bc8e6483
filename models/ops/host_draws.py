"""Random numbers that decide what the host does next."""

import numpy as np
import torch


def host_randint(low: int, high: int, generator: torch.Generator) -> int:
    """A random number from `low` to below `high`. A generator of a GPU gives it by its seed: reading a draw would wait."""
    if generator.device.type == "cpu":
        return int(torch.randint(low, high, (), generator=generator))
    return low + generator.initial_seed() % (high - low)


def host_seeds(count: int, step: int, generator: torch.Generator) -> list[int]:
    """Seeds of a step. A generator of a GPU gives them by its own seed and the step, for the same reason."""
    if generator.device.type == "cpu":
        return torch.randint(1 << 62, (count,), generator=generator).tolist()
    words = np.random.SeedSequence([generator.initial_seed(), step]).generate_state(count, np.uint64)
    return (words >> np.uint64(2)).tolist()
