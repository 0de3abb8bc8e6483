"""How torch's work is spread over the cores."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Tensor work stays on the thread that asks for it; gives the number of threads that it would have had.

    Small tensors gain nothing from more cores, and wait long for them where others use the cores too.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
