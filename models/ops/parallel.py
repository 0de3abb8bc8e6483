"""Independent pieces of work side by side on CPU cores: those of a training step, or whole views.

Each piece runs on one thread. Threads inside single operations, torch's default, wait for each other a thousand times a
step; where other programs use the cores as well, every wait costs a time slice and training all but stops. Pieces wait
for each other too, for Python's lock: on some machines two threads are faster than four. So how many work at once is
measured while they work. What they compute does not depend on it.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
ParallelMap = Callable[[Callable[[Item], Result], Iterable[Item]], Iterable[Result]]
OrderedMap = Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]
UNMEASURED, MEASURED, SETTLED = 1, 4, 600  # calls: the first, which compiles; with each count; before measuring again


class Autotuner:
    """Finds the number of threads that is fastest for one kind of work, from the calls themselves."""

    def __init__(self, counts: list[int]) -> None:
        self.counts, self.calls = counts, 0
        self.seconds: dict[int, list[float]] = {}

    def count(self) -> int:
        """How many threads the next call gets."""
        trial = self.calls - UNMEASURED
        if trial < 0:
            return self.counts[0]
        if trial < MEASURED * len(self.counts):
            return self.counts[trial // MEASURED]
        return min(self.counts, key=lambda count: min(self.seconds[count]))

    def note(self, count: int, seconds: float) -> None:
        """What a call took."""
        if UNMEASURED <= self.calls < UNMEASURED + MEASURED * len(self.counts):
            self.seconds.setdefault(count, []).append(seconds)
        self.calls += 1
        if self.calls == UNMEASURED + MEASURED * len(self.counts) + SETTLED:
            self.calls, self.seconds = UNMEASURED, {}


@cache
def autotuners(threads: int) -> dict[Hashable, Autotuner]:
    """What was measured in this process, by the code that was called and the number of its pieces."""
    return {}


@contextmanager
def workers(device: torch.device) -> Iterator[ParallelMap]:
    """A `map` that works on as many items at once as is fastest, at most as torch may use threads; plain on a GPU.

    Plain, too, where torch has one thread: inside a piece of other work that is side by side already.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield map
        return
    counts = [threads >> halved for halved in range(threads.bit_length())]
    torch.set_num_threads(1)
    # MKL asks every thread of its own how many it may use; a new one would use all, and add in another order.
    pools = {count: ThreadPoolExecutor(count, "", torch.set_num_threads, (1,)) for count in counts if count > 1}

    def parallel_map(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        pieces = list(items)
        if len(pieces) < 2:  # and nothing is measured: an empty list is fastest without any thread
            return [function(piece) for piece in pieces]
        kind = getattr(function, "__code__", function), len(pieces)
        tuner = autotuners(threads).setdefault(kind, Autotuner(counts))
        count, start = tuner.count(), time.perf_counter()
        done = list((pools[count].map if count in pools else map)(function, pieces))
        tuner.note(count, time.perf_counter() - start)
        return done

    try:
        yield parallel_map
    finally:
        for pool in pools.values():
            pool.shutdown()
        torch.set_num_threads(threads)


@contextmanager
def side_by_side(device: torch.device) -> Iterator[OrderedMap]:
    """A lazy `map` over large items, each on one thread, as many at once as torch may use threads; plain on a GPU.

    Results come in order, and the next items are worked on while they are used; at most two items a thread are held.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield map
        return
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(threads, "", torch.set_num_threads, (1,))

    def ordered_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) == 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    try:
        yield ordered_map
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
