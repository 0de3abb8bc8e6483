"""Tensors of the simulated device, and what becomes of an operation on them."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map_only

from models.ops.operators import NAMESPACE, OPERATORS
from tests.simulated_cuda.card import LAUNCHES, TENSORS_AT_ONCE, WAITING, card

CUDA, HOST = torch.device("cuda", 0), torch.device("cpu")
HOST_TO, HOST_TENSOR, HOST_QUANTILE = Tensor.to, torch.tensor, torch.quantile
CARD_MODE: list[Any] = []  # the dispatch mode, in which references run as tensor code of the device
INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")


class DeviceError(RuntimeError):
    """What CUDA would have refused."""


class DeviceTensor(Tensor):
    """A tensor on the simulated device."""

    held: Tensor
    __slots__ = ("held",)

    @staticmethod
    def __new__(cls, held: Tensor) -> "DeviceTensor":
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=HOST
        )
        made.held = held
        return made

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __setitem__(self, index: Any, value: Any) -> None:
        # C++ would make a host tensor of a number.
        super().__setitem__(index, self.new_full((), value) if isinstance(value, int | float | bool) else value)

    def quantile(self, fraction: float, *args: Any) -> Any:
        return quantile(self, fraction, *args)

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(operation, args, kwargs or {})

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def to(self, *args: Any, **kwargs: Any) -> Any:
        copy = kwargs.pop("copy", False)
        target, dtype, _, _ = torch._C._nn._parse_to(*args, **kwargs)
        if args and isinstance(args[0], DeviceTensor):
            target = CUDA
        if target is not None and target.type == "cpu":
            host = ToHost.apply(self)
            return host if dtype is None else host.to(dtype)
        return self if dtype in (None, self.dtype) and not copy else HOST_TO(self, dtype or self.dtype, copy=copy)

    def cpu(self, *_: Any, **__: Any) -> Any:
        return self.to("cpu")

    def cuda(self, *_: Any, **__: Any) -> Any:
        return self

    def new_tensor(self, data: Any, dtype: Any = None, **_: Any) -> Any:
        return brought(HOST_TENSOR(data, dtype=dtype or self.dtype), False)

    def get_device(self) -> int:
        return 0

    def __deepcopy__(self, memo: Any) -> Any:
        copied = self.detach().clone().requires_grad_(self.requires_grad)
        if getattr(self, "_is_param", False):
            copied._is_param = True
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        card().wait("torch.save")
        return self.held.detach().__reduce_ex__(protocol)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"DeviceTensor({self.held!r})"


class ToDevice(torch.autograd.Function):
    """A copy on the device; its gradient is brought back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Any:
        copied = tensor.detach().clone()
        card().allocate(copied)
        return DeviceTensor(copied)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0].cpu()


class ToHost(torch.autograd.Function):
    """A copy in host memory; its gradient is brought back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Any:
        card().wait("copied to the host")
        assert isinstance(tensor, DeviceTensor)
        return tensor.held.detach().clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0].to(CUDA)


def one_hot(index: Tensor, classes: int = -1, num_classes: int = -1) -> Tensor:
    count = max(classes, num_classes)
    if count < 0:
        card().wait("one_hot without a number of classes")
        count = int(index.held.max()) + 1  # type: ignore[attr-defined]
    return torch.zeros(*index.shape, count, dtype=torch.int64, device=CUDA).scatter(-1, index[..., None], 1)


def quantile(values: Tensor, fraction: float, *args: Any) -> Tensor:
    """Between the two sorted values next to a fraction."""
    card().launch(LAUNCHES["quantile"])
    return DeviceTensor(HOST_QUANTILE(values.held, fraction, *args))  # type: ignore[attr-defined]


def on_device(value: Any) -> Any:
    """A result as a tensor of the device; memory that is new to it is taken from the card."""
    if isinstance(value, DeviceTensor) or not isinstance(value, Tensor):
        return value
    return DeviceTensor(value)


def computed(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Refuse, count and compute one operation."""
    name = operation._schema.name.partition("::")[2]
    leaves = tree_flatten((args, kwargs))[0]
    device = next((leaf for leaf in (kwargs.get("device"), *args) if isinstance(leaf, torch.device)), None)
    here = any(isinstance(leaf, DeviceTensor) for leaf in leaves)
    asked = device is not None and device.type == "cuda"
    if not here and not asked:
        return operation(*args, **kwargs)
    if here and operation.namespace == NAMESPACE and not card().fused:
        with CARD_MODE[-1]:
            return OPERATORS[name].reference(*args)
    if here:
        check_devices(name, args, leaves)
        check_layouts(name, args)
        if why := waits(name, args):
            card().wait(why)
    inner, more = tree_map_only(DeviceTensor, lambda t: t.held, (args, kwargs))
    if more.get("device") is not None:
        more["device"] = HOST
    result = operation(*inner, **more)
    if card().recording is not None:
        card().recording.add(operation, inner, more, result)
    count_kernels(operation, name, args)
    return returned(operation, args, kwargs, result)


def returned(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    """Results on the device: what was written to is returned itself, what is new takes memory."""
    arguments = operation._schema.arguments
    written = [
        args[i] if i < len(args) else kwargs.get(argument.name)
        for i, argument in enumerate(arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    if written:
        return written[0] if isinstance(result, Tensor) else tuple(written) if isinstance(result, tuple) else result
    flat = [leaf for leaf in tree_flatten(result)[0] if isinstance(leaf, Tensor)]
    if not is_view(operation):
        for tensor in flat:
            card().allocate(tensor)
    return tree_map_only(Tensor, on_device, result)


def is_view(operation: Any) -> bool:
    return any(r.alias_info is not None and not r.alias_info.is_write for r in operation._schema.returns)


def count_kernels(operation: Any, name: str, args: tuple[Any, ...]) -> None:
    if name.startswith(("_fused_", "_foreach_")):
        card().launch(-(-len(args[0]) // TENSORS_AT_ONCE))
    elif not is_view(operation):
        card().launch(LAUNCHES.get(name, 1))


def check_devices(name: str, args: tuple[Any, ...], leaves: list[Any]) -> None:
    """Of host tensors, single numbers may take part, sources of copies, and indices."""
    if name in ("copy_", "_to_copy", "_has_compatible_shallow_copy_type"):
        if name == "copy_" and isinstance(args[0], DeviceTensor) != isinstance(args[1], DeviceTensor):
            card().wait("copied between host and device")
        return
    if name in INDEXING:
        if not isinstance(args[0], DeviceTensor):
            raise DeviceError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
        indices = [index for index in args[1] if isinstance(index, Tensor)]
        if any(not isinstance(index, DeviceTensor) for index in indices):
            card().wait("host data as index")
        leaves = [leaf for leaf in leaves if not any(leaf is index for index in indices)]
    for leaf in leaves:
        if isinstance(leaf, Tensor) and not isinstance(leaf, DeviceTensor) and leaf.ndim:
            if torch._C._current_autograd_node() is not None and not bool(leaf.any()):
                continue  # zeros that autograd made for an output without a gradient
            raise DeviceError(
                "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
                f"({name}, host tensor of shape {tuple(leaf.shape)})"
            )


def check_layouts(name: str, args: tuple[Any, ...]) -> None:
    """An optimiser's fused step takes each parameter, its gradient and its moments only in one order of memory."""
    if name.startswith("_fused_"):
        for one in zip(*args[:4], strict=True):
            if len({(tensor.dtype, tensor.stride()) for tensor in one}) > 1:
                raise DeviceError("params, grads, exp_avgs, and exp_avg_sqs must have same dtype, device, and layout")


def waits(name: str, args: tuple[Any, ...]) -> str | None:
    """Why the host waits for an operation, if it does."""
    if name in INDEXING:
        masks = [index for index in args[1] if isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)]
        filled = name != "index" and args[2].numel() == 1  # masked_fill
        return "boolean index" if masks and not filled else None
    if name == "repeat_interleave":
        return name
    return WAITING.get(name)


def brought(tensor: Tensor, non_blocking: bool) -> Tensor:
    """A host tensor's copy on the device."""
    if isinstance(tensor, DeviceTensor):
        return tensor
    if not non_blocking:
        card().wait("host data is brought over")
    return (
        ToDevice.apply(tensor) if tensor.requires_grad and torch.is_grad_enabled() else ToDevice.forward(None, tensor)
    )
