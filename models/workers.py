"""Independent pieces of a step side by side on CPU cores.

Each piece runs on one thread. Threads inside single operations, torch's default, wait for each other a thousand times a
step; where other programs use the cores as well, every wait costs a time slice and training all but stops.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
Spread = Callable[[Callable[[Item], Result], Iterable[Item]], Iterable[Result]]


@contextmanager
def workers(device: torch.device) -> Iterator[Spread]:
    """A `map` that works on as many items at once as torch may use threads; on a GPU the ordinary `map`."""
    if device.type != "cpu":
        yield map
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
