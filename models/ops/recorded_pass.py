"""Passes recorded once as CUDA graphs and replayed: the host then launches one thing in place of hundreds of kernels.

What is recorded is a function of tensors whose shapes never change and which never waits for the device: a pass forwards and
backwards. A replay runs the same kernels in the same memory, so the inputs are copied to where the recording read them, and
results and gradients lie where it left them. Chance comes from the recorder's own generator, which is seeded before each pass.

Where recording fails, the pass runs kernel by kernel from then on, with the same result, and a warning says why.
"""

import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from models.rays import TensorFields

log = logging.getLogger(__name__)
WARM_UP = 3  # passes of new shapes that run kernel by kernel first: libraries choose their ways, and constants are made

Inputs = TypeVar("Inputs", bound=TensorFields)
Outputs = dict[str, Tensor]
Shapes = tuple[torch.Size, ...]
Pass = Callable[[Inputs, torch.Generator], Outputs]


@dataclass(frozen=True)
class Recording:
    """A recorded pass, and the memory in which it works."""

    shapes: Shapes
    graph: Any
    inputs: list[Tensor]
    outputs: Outputs
    gradients: list[Tensor | None]


class PassRecorder:
    """Runs passes: of each key the first ones of some shapes kernel by kernel, then as a recording until the shapes change."""

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.passes: dict[tuple[Hashable, Shapes], int] = {}
        self.recordings: dict[Hashable, Recording] = {}

    @cached_property
    def generator(self) -> torch.Generator:
        return torch.Generator("cuda")

    @cached_property
    def stream(self) -> Any:
        return torch.cuda.Stream()

    def __call__(
        self, key: Hashable, seed: int, inputs: Inputs, parameters: Sequence[Tensor], run: Pass[Inputs]
    ) -> Outputs:
        """What the pass makes of its inputs; its gradients are added to those that the parameters have.

        Without a key it is not recorded.
        """
        self.generator.manual_seed(seed)
        if not self.wanted or key is None:
            return run(inputs, self.generator)
        shapes = tuple(tensor.shape for tensor in leaves(inputs))
        recording = self.recordings.get(key)
        if recording is None or recording.shapes != shapes:
            self.recordings.pop(key, None)
            self.passes[key, shapes] = passes = self.passes.get((key, shapes), 0) + 1
            if passes <= WARM_UP:
                return self.beside(lambda: run(inputs, self.generator))
            recording = self.record(inputs, parameters, run)
            self.generator.manual_seed(seed)
            if recording is None:
                return run(inputs, self.generator)
            self.recordings[key] = recording  # made with copies of these inputs
        else:
            for mine, given in zip(recording.inputs, leaves(inputs), strict=True):
                mine.copy_(given)
        recording.graph.replay()
        for parameter, gradient in zip(parameters, recording.gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        return recording.outputs

    def forget(self) -> None:
        """Let go of all recordings and their memory, as when the parameters become others."""
        self.recordings.clear()
        self.passes.clear()

    def beside(self, run: Callable[[], Outputs]) -> Outputs:
        """Run on the stream of recordings, on which autograd's own memory of the parameters then is."""
        here = torch.cuda.current_stream()
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            outputs = run()
        here.wait_stream(self.stream)
        return outputs

    def record(self, inputs: Inputs, parameters: Sequence[Tensor], run: Pass[Inputs]) -> Recording | None:
        """Record one pass; where that fails say so, and never try again."""
        own, before = cloned(inputs), [parameter.grad for parameter in parameters]
        graph = torch.cuda.CUDAGraph()
        try:
            set_gradients(parameters, [None] * len(before))
            graph.register_generator_state(self.generator)
            with torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"):
                outputs = run(own, self.generator)
            gradients = [parameter.grad for parameter in parameters]
        except RuntimeError as error:
            log.warning(
                "a step could not be recorded as a CUDA graph, so its kernels are launched one by one, which is slower and"
                " gives the same; `capture_steps: false` leaves out the attempt (%s)",
                str(error).partition("\n")[0],
            )
            self.wanted, self.generator = False, torch.Generator("cuda")
            self.forget()
            return None
        finally:
            set_gradients(parameters, before)
        given = list(leaves(own))
        return Recording(tuple(tensor.shape for tensor in given), graph, given, outputs, gradients)


def set_gradients(parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def leaves(container: TensorFields) -> Iterator[Tensor]:
    """The tensors of a container, and of those within it, in order."""
    for field in fields(container):
        value = getattr(container, field.name)
        if isinstance(value, TensorFields):
            yield from leaves(value)
        else:
            yield value


def cloned(container: Inputs) -> Inputs:
    """The same in memory of its own."""
    return container.map(lambda value: cloned(value) if isinstance(value, TensorFields) else value.clone())
