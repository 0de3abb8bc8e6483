"""Trainings that are killed again and again, and what they kept of themselves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from models.ops.parallel import autotuners


class KilledError(Exception):
    """Training ends here, as if its process had been killed."""


@contextmanager
def like_a_new_process(threads: int) -> Iterator[None]:
    """Work that knows nothing of what this process did before: neither its measured speeds nor its random state."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    autotuners(threads).clear()
    torch.seed()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def killed_and_resumed(train: Callable[[], None], threads: int) -> int:
    """Start training until it ends by itself; returns how often it was killed."""
    kills = 0
    while True:
        with like_a_new_process(threads):
            try:
                train()
            except KilledError:
                kills += 1
            else:
                return kills


def tensors(value: Any, name: str = "") -> dict[str, torch.Tensor]:
    """All tensors of a nested value by their place in it."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    return {place: found for key, part in items for place, found in tensors(part, f"{name}/{key}").items()}


def different(state: Path, expected: Path) -> list[str]:
    """The tensors of two files that are not the same to the last bit."""
    found, wanted = (tensors(torch.load(path, weights_only=True)) for path in (state, expected))
    assert found.keys() == wanted.keys()
    return [name for name in wanted if not torch.equal(found[name], wanted[name])]
