"""CUDA graphs of the simulated device: operations are recorded with their memory, and a replay computes them anew in it.

As on a device, the host must not wait while a graph is recorded, and a replay knows nothing of what Python would do now.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from tests.simulated_cuda.card import card


class Graph:
    """A recorded run of operations."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]] = []
        self.generators: list[torch.Generator] = []

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def add(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if kwargs.get("generator") is not None and not self.generators:
            raise RuntimeError("no generator was registered with the graph that records an operation with one")
        self.operations.append((operation, args, kwargs, tensors(result)))

    def replay(self) -> None:
        card().launch(1)
        for operation, args, kwargs, results in self.operations:
            given = {id(tensor) for tensor in tensors((args, kwargs))}
            for mine, new in zip(results, tensors(operation(*args, **kwargs)), strict=True):
                if id(mine) not in given and new.data_ptr() != mine.data_ptr():
                    mine.copy_(new)


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


@contextmanager
def recorded(graph: Graph, stream: Any = None, capture_error_mode: str = "global") -> Iterator[None]:
    """What happens inside is recorded, and done; waits are refused."""
    card().recording = graph
    try:
        yield
    finally:
        card().recording = None


class Stream:
    """One stream is as good as another: everything happens in order."""

    def wait_stream(self, other: "Stream") -> None:
        pass


@contextmanager
def on_stream(stream: Stream) -> Iterator[None]:
    yield


def answers() -> dict[str, Any]:
    """What torch.cuda has of graphs and streams."""
    return {
        "CUDAGraph": Graph, "graph": recorded, "Stream": Stream, "stream": on_stream, "current_stream": lambda *_: Stream(),
    }  # fmt: skip
