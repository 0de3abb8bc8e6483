"""A CUDA device for machines without one: tensors that say `cuda:0`, keep their values in host memory, and break as CUDA's.

    with simulated_cuda() as card:                      # torch.cuda.is_available() is True inside
        points = torch.rand(5, 3, device="cuda")
        with card.watched() as seen:
            (points[points[:, 0] > 0.5] * 2).sum().item()
        seen.syncs, seen.kernels, seen.text()           # what the host waited for, what was launched, line by line

Shown are faults of device (a host tensor in an operation on the device, `.numpy()`, a generator of the other device),
host synchronisations (reading a value, sizes that depend on values, host data brought over), kernels and memory. Not
shown are rounding, races, the order of atomic additions, CUDA's random numbers, operations that CUDA lacks, and speed.
Kernels are an estimate: one an operation, none for views, more where `LAUNCHES` says so.

A `DeviceTensor` wraps a host tensor. To C++ it is a host tensor without memory, so autograd runs without CUDA; Python sees
`cuda:0`. A dispatch mode takes every operation below autograd: it makes tensors where `device="cuda"` is asked for, brings
them over, refuses what CUDA refuses, counts, and computes on the wrapped tensors.
"""

from tests.simulated_cuda.card import Card, Seen
from tests.simulated_cuda.device import simulated_cuda
from tests.simulated_cuda.tensors import DeviceError, DeviceTensor

__all__ = ["Card", "DeviceError", "DeviceTensor", "Seen", "simulated_cuda"]
