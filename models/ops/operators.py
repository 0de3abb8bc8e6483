"""Operators with kernels: PyTorch's dispatcher chooses by the device of the tensors, so nobody else asks for it.

An operator has a reference, plain tensor code that runs anywhere and defines it, and kernels beside it: compiled loops on
CPU, Triton on CUDA where it is installed. All operators are of the namespace `monoverse`. A gradient is an operator too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

NAMESPACE = "monoverse"
Kernel = Callable[..., Any]


@dataclass(frozen=True)
class Operator:
    """One operator of the dispatcher, and what it is made of; `kernels` by the device's type."""

    name: str
    reference: Kernel
    kernels: dict[str, Kernel]
    call: Any

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)


OPERATORS: dict[str, Operator] = {}


def by_triton(
    name: str, reference: Kernel, backward: bool = False, numbers: tuple[torch.dtype, ...] = (torch.float32,)
) -> Kernel | None:
    """An operator's kernel for CUDA, from the module `cuda` of its package; none where Triton is not installed.

    It is loaded when it is first used. The reference stays in place for other numbers than those which the kernels are made
    for, and where sums must be deterministic: the kernels' gradients are added in no order.
    """
    if find_spec("triton") is None:
        return None

    def kernel(*arguments: Any) -> Any:
        floats = (value for value in arguments if isinstance(value, Tensor) and value.is_floating_point())
        ordered = backward and torch.are_deterministic_algorithms_enabled()
        if ordered or any(value.dtype not in numbers for value in floats):
            return reference(*arguments)
        module = import_module(f"models.ops.{name.removesuffix('_backward')}.cuda")
        return getattr(module, name)(*arguments)

    return kernel


def operator(name: str, schema: str, reference: Kernel, **kernels: Kernel | None) -> Operator:
    """Register an operator under its schema, with a kernel for each type of device that has one."""
    made = torch.library.custom_op(f"{NAMESPACE}::{name}", reference, mutates_args=(), schema=schema)
    there = {device: kernel for device, kernel in kernels.items() if kernel is not None}
    for device, kernel in there.items():
        made.register_kernel(device, kernel)
    OPERATORS[name] = Operator(name, reference, there, getattr(getattr(torch.ops, NAMESPACE), name).default)
    return OPERATORS[name]


def differentiable(
    forward: Operator, keep: Callable[[Any, Sequence[Any], Any], None], backward: Callable[..., Sequence[Tensor | None]]
) -> None:
    """Give an operator its gradient: what is kept of a call, and the gradients of its arguments from those of its results."""
    torch.library.register_autograd(
        f"{NAMESPACE}::{forward.name}",
        backward,
        setup_context=lambda ctx, inputs, output: keep(ctx, inputs, output),
    )
