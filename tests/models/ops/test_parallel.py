"""Parallel map over threads, and how many of them it takes."""

import itertools
import threading
from collections.abc import Iterator

import pytest
import torch

from models.ops.parallel import MEASURED, SETTLED, UNMEASURED, Autotuner, autotuners, side_by_side, workers

CPU = torch.device("cpu")


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    autotuners(4).clear()
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_whatever_the_number_of_threads(four_threads: None) -> None:
    with workers(CPU) as parallel_map:
        assert torch.get_num_threads() == 1
        for _ in range(3 * MEASURED + 3):
            assert list(parallel_map(lambda item: item * item, range(7))) == [0, 1, 4, 9, 16, 25, 36]
    assert torch.get_num_threads() == 4


def test_what_is_computed_does_not_depend_on_the_number_of_threads() -> None:
    """MKL adds up the terms of long sums in another order where it may use many threads."""
    before, generator = torch.get_num_threads(), torch.Generator().manual_seed(0)
    left, right = (torch.randn(9731, width, generator=generator) for width in (11, 72))
    torch.set_num_threads(2)
    try:
        with workers(CPU) as parallel_map:
            alone = left.T @ right
            together = list(parallel_map(lambda _: left.T @ right, range(2)))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(product, alone) for product in together)


def test_every_number_of_threads_is_tried_and_the_fastest_kept() -> None:
    tuner = Autotuner([4, 2, 1])
    cost = {4: 0.4, 2: 0.1, 1: 0.3}
    tried = []
    for _ in range(UNMEASURED + 3 * MEASURED + SETTLED):
        tried.append(tuner.count())
        tuner.note(tried[-1], cost[tried[-1]])
    assert tried[:UNMEASURED] == [4] * UNMEASURED
    assert tried[UNMEASURED:-SETTLED] == [4] * MEASURED + [2] * MEASURED + [1] * MEASURED
    assert set(tried[-SETTLED:]) == {2}
    cost[1] = 0.01  # other programs came: after a while it is measured again
    for _ in range(3 * MEASURED):
        tuner.note(tuner.count(), cost[tuner.count()])
    assert tuner.count() == 1


def test_kinds_of_work_are_measured_apart_and_errors_come_through(four_threads: None) -> None:
    def fails(item: int) -> int:
        raise ValueError(item)

    with workers(CPU) as parallel_map:
        list(parallel_map(lambda item: item, range(3)))
        with pytest.raises(ValueError, match="0"):
            list(parallel_map(fails, range(3)))
        names: set[str] = set(parallel_map(lambda _: threading.current_thread().name, range(8)))
    assert len(autotuners(4)) == 3 and all(name != threading.main_thread().name for name in names)


def test_work_of_no_piece_or_one_says_nothing_of_how_many_threads_are_fastest(four_threads: None) -> None:
    def double(item: int) -> int:
        return 2 * item

    with workers(CPU) as parallel_map:
        assert [list(parallel_map(double, range(count))) for count in (0, 1)] == [[], [0]]
        assert not autotuners(4)
        for count in (2, 3):
            assert list(parallel_map(double, range(count))) == [2 * item for item in range(count)]
    assert len(autotuners(4)) == 2


def test_large_items_come_in_order_and_few_are_held(four_threads: None) -> None:
    begun: list[int] = []
    names: set[str] = set()
    gate = threading.Barrier(4, timeout=20)

    def square(item: int) -> int:
        begun.append(item)
        names.add(threading.current_thread().name)
        if item < 4:
            gate.wait()  # four work at once, or this breaks
        assert torch.get_num_threads() == 1
        with workers(CPU) as parallel_map:
            return sum(parallel_map(lambda _: item, range(item)))

    with side_by_side(CPU) as ordered_map:
        assert list(itertools.islice(ordered_map(square, itertools.count()), 6)) == [0, 1, 4, 9, 16, 25]
        assert len(names) == 4 and max(begun) < 6 + 2 * 4
    assert torch.get_num_threads() == 4
    with pytest.raises(ZeroDivisionError), side_by_side(CPU) as ordered_map:
        list(ordered_map(lambda item: 1 // item, range(3)))
    assert torch.get_num_threads() == 4
