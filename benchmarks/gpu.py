"""Everything there is to know of the GPU path, on a machine with a GPU, in one table of Markdown and JSON.

    python -m benchmarks.gpu --out results/gpu                        all parts, in at most 8 minutes
    python -m benchmarks.gpu --out results/gpu --parts speed,quality  these alone, into the table that is there
    python -m benchmarks.gpu --out /tmp/gpu --size tiny --device cpu  a try of the script without a GPU

benchmarks/gpu_check.sh does it on a machine with Python, torch and little else. Parts, in this order: operators (each
on the CPU and on the device), speed (steps and rays a second of every phase at three sizes, kernels, waits of the host,
busy share, peak memory), rendering, steps (one step of every phase on the CPU and on the device), quality (PSNR of
held-out views over time), tests (those marked gpu). The table is written after every row; a part that fails or finds no
time says so in it, and the others go on. profiles.txt beside it has the profiler's tables. `--device simulated` is the
CUDA device of the tests: it counts, and says nothing of speed.
"""

import argparse
import os
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_parts.gpu_tests import gpu_tests
from benchmarks.gpu_parts.parity import operator_parity, step_parity
from benchmarks.gpu_parts.quality import flow_quality, osn_quality
from benchmarks.gpu_parts.results import Results, opened
from benchmarks.gpu_parts.scene import MadeScene, made_scene
from benchmarks.gpu_parts.speed import Device, Effort, flow_speed, osn_speed, render_speed, tiny_flow
from pipeline.config import TrainOsnConfig, TrainSemanticFlowConfig
from pipeline.runtime.device import DEVICE_VARIABLE
from pipeline.runtime.record import commit

PARTS = ("operators", "speed", "rendering", "steps", "quality", "tests")
LEAST_SECONDS = 15.0  # below it no part begins
EFFORTS = {"full": Effort(48, 2.0, 150), "tiny": Effort(4, 0.0, 2)}
QUALITY_SECONDS = {"full": 45.0, "tiny": 1.0}  # of each method
TINY_OSN: dict[str, Any] = {
    "bootstrap_steps": 2, "steps": 3, "rounds": 1, "round_steps": 2, "grids": [12], "network_steps": 2,
    "samples_per_step": 1024, "max_rays": 64, "scale_samples": 3,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the table")
    parser.add_argument("--parts", default=",".join(PARTS), help="names with commas between them")
    parser.add_argument("--only", default="", help="of speed, the rows whose name has this regular expression in it")
    parser.add_argument("--device", choices=["cuda", "cpu", "simulated"], default="cuda")
    parser.add_argument("--size", choices=["full", "tiny"], default="full")
    parser.add_argument(
        "--minutes", type=float, default=7.5, help="of everything; parts that find no time left are named"
    )
    parser.add_argument("--truth", type=Path, help="truth.h5 of another scene than the simulated one")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "gpu_benchmark")
    chosen = parser.parse_args()
    parts = chosen.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --device cpu or simulated try the script")
    with simulated() if chosen.device == "simulated" else nullcontext() as card:
        measured(
            chosen, parts, Device(torch.device("cpu" if chosen.device == "cpu" else "cuda"), card and card.watched)
        )


def simulated() -> Any:
    """The CUDA device of the tests, which is not there."""
    from tests.simulated_cuda import simulated_cuda

    return simulated_cuda()


def measured(chosen: argparse.Namespace, parts: list[str], device: Device) -> None:
    """All parts that were asked for and find time."""
    os.environ[DEVICE_VARIABLE] = device.torch.type
    end = time.monotonic() + 60 * chosen.minutes
    results = opened(chosen.out, facts(chosen.size, device))
    results.write()
    made = cache(lambda: made_scene(chosen.work, chosen.size, chosen.truth))
    effort = replace(EFFORTS[chosen.size], only=chosen.only)
    work = all_parts(results, made, device, chosen.size, effort, lambda: end - time.monotonic())
    for part in (name for name in PARTS if name in parts):
        results.begin(part, chosen.only if part == "speed" else "")
        attempt(results, part, work[part], end - time.monotonic())


def facts(size: str, device: Device) -> dict[str, Any]:
    """What the table is of."""
    card = "cpu" if device.torch.type == "cpu" else torch.cuda.get_device_name()
    try:
        from triton import __version__ as triton
    except ImportError:
        triton = "none"
    return {"card": card, "torch": torch.__version__, "triton": triton, "commit": commit(), "size": size}


def all_parts(
    results: Results,
    made: Callable[[], MadeScene],
    device: Device,
    size: str,
    effort: Effort,
    left: Callable[[], float],
) -> dict[str, Callable[[], None]]:
    """What each part does; `left` gives the seconds that are left of all."""
    notes, full = results.folder / "profiles.txt", size == "full"

    def speed() -> None:
        if not effort.only:
            notes.unlink(missing_ok=True)
        osn_speed(results, made(), device, size, effort, notes)
        flow_speed(results, made(), device, size, effort, notes)

    def steps() -> None:
        config = (
            TrainSemanticFlowConfig(static_steps=20, static_cells=1e5, shards=1) if full else tiny_flow(static_steps=2)
        )
        step_parity(results, made(), device.torch, 512 if full else 32, config)

    def quality() -> None:
        seconds = min(QUALITY_SECONDS[size], max(left() / 3, 1.0))
        osn_quality(results, made(), device.torch, seconds, TrainOsnConfig(**({} if full else TINY_OSN)))
        config = TrainSemanticFlowConfig() if full else tiny_flow(static_steps=3, steps=3)
        flow_quality(results, made(), device.torch, seconds, config)

    return {
        "operators": lambda: operator_parity(results, device.torch, 100_000 if full else 240),
        "speed": speed,
        "rendering": lambda: render_speed(results, made(), device, size, effort),
        "steps": steps,
        "quality": quality,
        "tests": lambda: gpu_tests(results, max(left(), LEAST_SECONDS)),
    }


def attempt(results: Results, part: str, work: Callable[[], None], left: float) -> None:
    """One part; what it cannot do is a row, and the next goes on."""
    if left < LEAST_SECONDS:
        results.add("time", part, ended="not begun, no time was left")
        return
    start = time.monotonic()
    try:
        work()
    except Exception as error:  # one part's fault must not hide what the others find
        traceback.print_exc()
        results.add("time", part, seconds=time.monotonic() - start, failed=f"{type(error).__name__}: {error}"[:300])
    else:
        results.add("time", part, seconds=time.monotonic() - start)


if __name__ == "__main__":
    main()
