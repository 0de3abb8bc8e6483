"""What the simulated device did: kernels, synchronisations of the host, memory; by source line."""

import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HERE = str(Path(__file__).parent)
# The host learns a size, a number or an error of these, so it waits for the device.
WAITING = {
    "_local_scalar_dense": "a value is read", "nonzero": "nonzero", "masked_select": "masked_select", "equal": "equal",
    "unique_consecutive": "unique_consecutive", "_unique2": "unique", "unique_dim": "unique", "bincount": "bincount",
    "multinomial": "multinomial", "histc": "histc", "_linalg_check_errors": "linalg", "_linalg_svd": "linalg",
    "_linalg_eigh": "linalg", "linalg_lstsq": "linalg",
}  # fmt: skip
# Kernels of operations that start more than one, or none: rough figures of PyTorch's CUDA code.
LAUNCHES = {
    "nonzero": 3, "sort": 4, "argsort": 4, "topk": 3, "unique_consecutive": 6, "_unique2": 8, "unique_dim": 8, "bincount": 4,
    "masked_select": 4, "index_put": 4, "index_put_": 4, "_index_put_impl_": 4, "embedding_dense_backward": 4, "equal": 3,
    "_embedding_bag": 2, "_embedding_bag_forward_only": 2, "linalg_inv_ex": 4, "median": 3, "convolution_backward": 2,
    "grid_sampler_2d_backward": 3, "native_layer_norm_backward": 2, "_local_scalar_dense": 0, "_linalg_check_errors": 0,
    "_unsafe_view": 0, "_reshape_alias": 0, "lift_fresh": 0, "empty": 0, "empty_like": 0, "empty_strided": 0,
    "new_empty": 0, "new_empty_strided": 0, "set_": 0, "is_same_size": 0, "_to_copy": 1, "quantile": 12,
}  # fmt: skip
# Of our own operators with a kernel each: Triton's, and those of the tensor code around them.
LAUNCHES |= {
    "march": 32, "composite": 24, "composite_backward": 9, "interpolate_vm_backward": 4, "interpolate_volume_backward": 3,
    "region_planes_backward": 3, "region_volume_backward": 2,
}  # fmt: skip
TENSORS_AT_ONCE = 24  # of an optimiser's fused step, in one kernel


@dataclass
class Seen:
    """What happened on the device while it was watched."""

    kernels: int = 0
    kernels_by_line: Counter[str] = field(default_factory=Counter)
    waits: Counter[tuple[str, str]] = field(default_factory=Counter)  # source line, why
    peak_bytes: int = 0

    @property
    def syncs(self) -> int:
        return self.waits.total()

    def text(self, steps: int = 1, most: int = 20) -> str:
        """Everything, per step, the most frequent lines first."""
        lines = [
            f"{self.kernels / steps:.0f} kernels, {self.syncs / steps:.1f} syncs, peak {self.peak_bytes / 1e6:.1f} MB"
        ]
        lines += [f"  sync {n / steps:7.2f}  {line}  {why}" for (line, why), n in self.waits.most_common(most)]
        return "\n".join(lines + [f"  {n / steps:8.1f}  {line}" for line, n in self.kernels_by_line.most_common(most)])


class Card:
    """The device: who watches it, and how much of its memory is taken."""

    def __init__(self, fused: bool = False) -> None:
        self.fused = fused
        self.watching: list[Seen] = []
        self.taken = 0
        self.recording: Any = None  # the graph that records what happens

    @contextmanager
    def watched(self) -> Iterator[Seen]:
        """Counts of what happens inside; its peak begins at what is taken already."""
        seen = Seen(peak_bytes=self.taken)
        self.watching.append(seen)
        try:
            yield seen
        finally:
            self.watching.remove(seen)

    def launch(self, kernels: int) -> None:
        if self.watching and kernels and self.recording is None:  # what is recorded is not launched yet
            line = source_line()
            for seen in self.watching:
                seen.kernels += kernels
                seen.kernels_by_line[line] += kernels

    def wait(self, why: str) -> None:
        if self.recording is not None:
            raise RuntimeError(
                f"operation not permitted when stream is capturing: the host waits ({why}) at {source_line()}"
            )
        if self.watching:
            line = source_line()
            for seen in self.watching:
                seen.waits[line, why] += 1

    def allocate(self, owner: Tensor) -> None:
        size = owner.untyped_storage().nbytes()
        self.taken += size
        for seen in self.watching:
            seen.peak_bytes = max(seen.peak_bytes, self.taken)
        weakref.finalize(owner.untyped_storage(), self.free, size)

    def free(self, size: int) -> None:
        self.taken -= size


CARDS: list[Card] = []


def card() -> Card:
    return CARDS[-1] if CARDS else Card()


def source_line() -> str:
    """The innermost line that is neither of a library nor of these files; in a backward pass, with autograd's node."""
    frame: Any = sys._getframe(2)
    while frame is not None and not is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    where = f"{short(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else "?"
    node = torch._C._current_autograd_node()
    return f"{where} [{node.name()}]" if node else where


@cache
def is_ours(path: str) -> bool:
    return not path.startswith(HERE) and not any(part in path for part in ("-packages", "/lib/python3", "<"))


@cache
def short(path: str) -> str:
    return "/".join(Path(path).parts[-3:])
