"""Every Triton kernel compiled for an H100 down to machine code, where there is no GPU; none is launched.

    python -m tests.models.ops.kernels_for_a_gpu

Prints a line a kernel. The interpreter takes much that the compiler refuses: types that do not fit, shapes that are no
powers of two, names that are no constants.
"""

from importlib import import_module
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import JITFunction, driver

from models.ops.operators import OPERATORS
from tests.models.ops.operator_calls import calls

H100 = GPUTarget("cuda", 90, 32)
SEEDS = 0, 1, 2  # among them are all variants and all of the marches' buffers


class GpuThatIsNotThere:
    """What Triton asks of a driver before it compiles."""

    def get_current_target(self) -> GPUTarget:
        return H100

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return 0


def compile_all() -> dict[str, int]:
    """Bytes of machine code of each kernel that the operators' calls launch, the longest of its variants. Triton stays changed."""
    driver.set_active(GpuThatIsNotThere())
    compile_only, sizes = JITFunction.run, dict[str, int]()

    def run(kernel: JITFunction[Any], *arguments: Any, **options: Any) -> None:
        compiled = compile_only(kernel, *arguments, **(options | {"warmup": True}))
        name = f"{kernel.module}.{kernel.fn.__name__}"
        sizes[name] = max(sizes.get(name, 0), len(compiled.asm["cubin"]))

    JITFunction.run = run
    for seed in SEEDS:
        for call, arguments in calls(seed, torch.float32):
            name = call.split(":")[0]
            if "cuda" in OPERATORS[name].kernels:
                getattr(import_module(f"models.ops.{name.removesuffix('_backward')}.cuda"), name)(*arguments)
    return sizes


if __name__ == "__main__":
    for name, size in sorted(compile_all().items()):
        print(f"{name} {size}")
