"""Torch, as it is on a machine with a CUDA device."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.simulated_cuda import graphs
from tests.simulated_cuda.card import CARDS, Card
from tests.simulated_cuda.tensors import (
    CARD_MODE,
    CUDA,
    HOST,
    HOST_TO,
    DeviceError,
    DeviceTensor,
    brought,
    computed,
    one_hot,
    quantile,
)

HostGenerator, HostAutocast = torch.Generator, torch.autocast
SETTINGS = torch.__future__


class Generator(HostGenerator):
    """A generator that may say that it is of the simulated device."""

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made = HostGenerator.__new__(cls)
        made.place = CUDA if torch.device(device).type == "cuda" else HOST
        return made

    def __init__(self, device: Any = "cpu") -> None:
        pass

    place: torch.device
    device = property(lambda self: self.place)  # type: ignore[assignment]


class Autocast(HostAutocast):
    """Autocast to lower precision, of the host's operations."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)


class Inference:
    """Inference mode without gradients but with versions: views of wrapped tensors have none of their own there."""

    def __init__(self, mode: bool) -> None:
        self.gradients = torch.set_grad_enabled(torch.is_grad_enabled() and not mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: Any) -> None:
        self.gradients.__exit__(*error)


def to(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor.to` of host tensors."""
    target, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **{k: v for k, v in kwargs.items() if k != "copy"})
    if args and isinstance(args[0], DeviceTensor):
        target = CUDA
    if target is None or target.type != "cuda":
        return HOST_TO(tensor, *args, **kwargs)
    made = brought(tensor, non_blocking)
    return made if dtype in (None, made.dtype) else made.to(dtype)


def made_of_data(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`torch.tensor` and its like, for both devices."""

    def make(data: Any, *args: Any, **kwargs: Any) -> Tensor:
        device = kwargs.pop("device", None)
        learned = kwargs.pop("requires_grad", False)
        if device is not None and torch.device(device).type == "cuda":
            made = brought(data if isinstance(data, Tensor) else function(data, *args, **kwargs), False)
            dtype = kwargs.get("dtype", made.dtype)
            return made.to(dtype).requires_grad_(learned)
        return function(data, *args, **kwargs).requires_grad_(learned)

    return make


def drawn(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of random numbers, whose generator must be of the device of its result."""

    def draw(*args: Any, **kwargs: Any) -> Tensor:
        generator, device = kwargs.get("generator"), kwargs.get("device")
        device = args[0].device if isinstance(args[0], DeviceTensor) else torch.device(device or "cpu")
        if generator is not None and generator.device.type != device.type:
            raise DeviceError(
                f"Expected a '{device.type}' device type for generator but found '{generator.device.type}'"
            )
        return function(*args, **kwargs)

    return draw


def one_hot_of(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """C++ reads the largest value where it believes to be on the host."""
    return lambda index, *args, **kwargs: (one_hot if isinstance(index, DeviceTensor) else function)(
        index, *args, **kwargs
    )


def quantile_of(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """C++ makes a host tensor of the fraction."""
    return lambda values, *args, **kwargs: (quantile if isinstance(values, DeviceTensor) else function)(
        values, *args, **kwargs
    )


REPLACED: list[tuple[Any, str, Any]] = [
    (torch._C, "_InferenceMode", Inference), (torch, "Generator", Generator), (torch, "autocast", Autocast), (Tensor, "to", to),
    (torch.nn.functional, "one_hot", one_hot_of(torch.nn.functional.one_hot)),
    (torch, "quantile", quantile_of(torch.quantile)), (Tensor, "pin_memory", lambda tensor: tensor),
    (Tensor, "cuda", lambda tensor, *_, **__: brought(tensor, False)),
    *((torch, name, made_of_data(getattr(torch, name))) for name in ("tensor", "as_tensor", "asarray")),
    *((torch, name, drawn(getattr(torch, name))) for name in ("rand", "randn", "randint", "randperm", "multinomial")),
]  # fmt: skip


class Device(TorchDispatchMode):
    """Takes every operation, so that tensors can be made on the device."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(operation, args, kwargs or {})


def answers(card: Card) -> dict[str, Callable[..., Any]]:
    """What torch.cuda says of the device."""
    return {
        "is_available": lambda: True, "device_count": lambda: 1, "current_device": lambda: 0, "_lazy_init": lambda: None,
        "get_device_name": lambda *_: "simulated CUDA device", "get_device_capability": lambda *_: (9, 0),
        "synchronize": lambda *_: card.wait("synchronize"), "empty_cache": lambda: None, "is_initialized": lambda: True,
        "is_current_stream_capturing": lambda: False,
        "get_device_properties": lambda *_: SimpleNamespace(total_memory=80 << 30),
        "memory_allocated": lambda *_: card.taken, "mem_get_info": lambda *_: (80 << 30, 80 << 30),
    }  # fmt: skip


@contextmanager
def simulated_cuda(fused: bool = False) -> Iterator[Card]:
    """Inside, torch sees one CUDA device; with `fused` one with a kernel for each of our operators, else tensor code runs."""
    CARDS.append(Card(fused))
    overwritten = SETTINGS.get_overwrite_module_params_on_conversion()
    SETTINGS.set_overwrite_module_params_on_conversion(True)
    try:
        with ExitStack() as stack:
            for name, answer in (answers(CARDS[-1]) | graphs.answers()).items():
                stack.enter_context(mock.patch.object(torch.cuda, name, answer))
            for owner, name, replacement in REPLACED:
                stack.enter_context(mock.patch.object(owner, name, replacement))
            CARD_MODE.append(stack.enter_context(Device()))
            yield CARDS[-1]
    finally:
        SETTINGS.set_overwrite_module_params_on_conversion(overwritten)
        CARDS.pop()
        CARD_MODE.clear()
