"""Random numbers for the host."""

import torch

from models.ops.host_draws import host_randint
from tests.simulated_cuda import simulated_cuda


def test_numbers_of_both_devices_lie_in_their_range_and_vary() -> None:
    cpu = torch.Generator().manual_seed(0)
    assert {host_randint(1, 4, cpu) for _ in range(50)} == {1, 2, 3}
    with simulated_cuda() as card, card.watched() as seen:
        drawn = [host_randint(1, 4, torch.Generator("cuda").manual_seed(seed)) for seed in range(9)]
    assert set(drawn) == {1, 2, 3} and drawn[:3] == drawn[3:6] and seen.syncs == 0
