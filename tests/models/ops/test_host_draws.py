"""Random numbers for the host."""

import torch

from models.ops.host_draws import host_randint, host_seeds
from tests.simulated_cuda import simulated_cuda


def test_numbers_of_both_devices_lie_in_their_range_and_vary() -> None:
    cpu = torch.Generator().manual_seed(0)
    assert {host_randint(1, 4, cpu) for _ in range(50)} == {1, 2, 3}
    with simulated_cuda() as card, card.watched() as seen:
        drawn = [host_randint(1, 4, torch.Generator("cuda").manual_seed(seed)) for seed in range(9)]
    assert set(drawn) == {1, 2, 3} and drawn[:3] == drawn[3:6] and seen.syncs == 0


def test_seeds_differ_by_step_and_run_and_come_again_without_a_wait() -> None:
    cpu = torch.Generator().manual_seed(0)
    assert len({*host_seeds(3, 0, cpu), *host_seeds(3, 0, cpu)}) == 6  # there the draws themselves differ
    with simulated_cuda() as card, card.watched() as seen:
        runs = [torch.Generator("cuda").manual_seed(seed) for seed in (0, 1)]
        drawn = [seed for run in runs for step in range(4) for seed in host_seeds(2, step, run)]
        assert host_seeds(2, 3, runs[0]) == drawn[6:8]
    assert len(set(drawn)) == 16 and min(drawn) >= 0 and max(drawn) < 1 << 62 and seen.syncs == 0
