"""Speed: steps and rays a second of each phase at three sizes, kernels, waits of the host, busy share, peak memory; rendering."""

import gc
import re
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType

from benchmarks.gpu_parts.results import Results, Values
from benchmarks.gpu_parts.scene import MadeScene
from benchmarks.gpu_parts.steps import Step, flow_joint, flow_scene, flow_step, osn_settings, osn_state, osn_step
from models.osn.rendering import render_world
from models.rays import Rays
from models.rendering import in_chunks
from models.semantic_flow.decoding import rendering
from pipeline.config import TrainSemanticFlowConfig
from pipeline.semantic_flow.training_scene import begun

PROFILED, ROWS = 5, 25  # steps under the profiler; lines of its tables that are kept
# OSN: most rays, samples a step, nodes of the background's grid. Semantic Flow: rays of stage 1, of stage 2, cells.
OSN_SIZES = {
    "full": {"default": (8192, 40_960, 128), "8k rays": (8192, 400_000, 128), "64k rays": (65_536, 2_000_000, 256)},
    "tiny": {"one": (64, 1024, 12), "two": (96, 1024, 12), "three": (128, 1024, 16)},
}
FLOW_SIZES = {
    "full": {"default": (2048, 1536, 1.5e6), "8k rays": (8192, 8192, 1.5e6), "32k rays": (32_768, 32_768, 6e6)},
    "tiny": {"one": (32, 32, 5e3), "two": (48, 48, 5e3), "three": (64, 64, 8e3)},
}
RECORDED = ("8k rays", "two")  # sizes
VIEW_RAYS = {"full": (320 * 240, 960 * 540), "tiny": (200, 300)}


@dataclass(frozen=True)
class Effort:
    """How long each thing is measured: steps before the clock runs, seconds on the clock, steps of stage 1 before stage 2.

    Of the rows of speed, those are measured whose name has the regular expression `only` in it.
    """

    warm_up: int
    seconds: float
    static_steps: int
    only: str = ""


@dataclass(frozen=True)
class Device:
    """A device, and how what it does is counted: a simulated one counts for itself."""

    torch: torch.device
    watched: Callable[[], Any] | None = None

    def wait(self) -> None:
        if self.torch.type == "cuda":
            torch.cuda.synchronize()


def tiny_flow(**changes: Any) -> TrainSemanticFlowConfig:
    """Settings of Semantic Flow with which a step takes a moment on any device."""
    small = {"static_resolution": 24, "dynamic_resolution": 12, "velocity_resolution": 8, "sparse_points": 16}
    looks = {"semantic_rays": 16, "warped_rays": 8, "static_cells": 5e3, "static_rays": 48, "rays": 48}
    return TrainSemanticFlowConfig(**{**small, **looks, "shards": 1, **changes})


def osn_speed(results: Results, made: MadeScene, device: Device, size: str, effort: Effort, notes: Path) -> None:
    for name, (rays, samples, nodes) in OSN_SIZES[size].items():
        for phase in ("bootstrap", "composite"):
            for recorded in ways(name, device):
                config = osn_settings(
                    max_rays=rays, samples_per_step=samples, grids=[nodes], capture_steps=bool(recorded)
                )
                what = f"OSN {phase}, {name}, {samples} samples, {nodes}^3{recorded}"
                if re.search(effort.only, what):
                    with told_failure(results, what):
                        measure(results, what, osn_step(made, config, device.torch, phase), device, effort, notes)
                    emptied(device)


def flow_speed(results: Results, made: MadeScene, device: Device, size: str, effort: Effort, notes: Path) -> None:
    for name, (static_rays, rays, cells) in FLOW_SIZES[size].items():
        for recorded in ways(name, device):
            chosen = {"static_rays": static_rays, "rays": rays, "static_cells": cells, "capture_steps": bool(recorded)}
            chosen["static_steps"] = effort.static_steps
            config = TrainSemanticFlowConfig(**chosen) if size == "full" else tiny_flow(**chosen)
            for stage, state in (("static", begun), ("joint", partial(flow_joint, config=config))):
                what = f"Semantic Flow {stage}, {name}, {cells:.2g} cells{recorded}"
                if re.search(effort.only, what):
                    with told_failure(results, what):
                        scene = flow_scene(made, config, device.torch)
                        step = flow_step(scene, state(scene, device=device.torch), device.torch)
                        measure(results, what, step, device, effort, notes)
                        del step, scene
                    emptied(device)


@contextmanager
def told_failure(results: Results, what: str) -> Iterator[None]:
    """One size's or phase's fault is its row, and the others are measured."""
    try:
        yield
    except Exception as error:
        traceback.print_exc()
        results.add("speed", what, failed=f"{type(error).__name__}: {error}"[:300])


def ways(name: str, device: Device) -> tuple[str, ...]:
    """A step as it is, and on GPUs, at one size, recorded as a CUDA graph: what is added to the name of each."""
    return ("", ", recorded") if name in RECORDED and device.torch.type == "cuda" else ("",)


def emptied(device: Device) -> None:
    gc.collect()
    if device.torch.type == "cuda":
        torch.cuda.empty_cache()


def measure(results: Results, what: str, step: Step, device: Device, effort: Effort, notes: Path) -> None:
    """Time a step, then look at what it is made of."""
    counted_memory = device.torch.type == "cuda" and device.watched is None
    if counted_memory:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(effort.warm_up):
        step.take()
    device.wait()
    rays, steps, start = 0, 0, time.perf_counter()
    while steps < 2 or time.perf_counter() - start < effort.seconds:
        for _ in range(5 if effort.seconds > 1 else 1):
            step.take()
            rays, steps = rays + step.rays(), steps + 1
        device.wait()
    seconds = time.perf_counter() - start
    values: Values = {"steps_per_s": steps / seconds, "rays_per_s": rays / seconds, "rays": rays // steps}
    if counted_memory:
        values["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    results.add("speed", what, **values, **made_of(step, device, seconds / steps, what, notes))


def made_of(step: Step, device: Device, seconds: float, what: str, notes: Path) -> Values:
    """Kernels and waits of a step, and the share of it in which the device works."""
    if device.watched is not None:
        with device.watched() as seen:
            step.take()
        return {"kernels": seen.kernels, "syncs": seen.syncs, "peak_gb": seen.peak_bytes / 1e9}
    if device.torch.type != "cuda":
        return {}
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as record:
        for _ in range(PROFILED):
            step.take()
        torch.cuda.synchronize()
    events = record.key_averages()
    on_device = [event for event in events if event.device_type == DeviceType.CUDA]
    kernels = sum(event.count for event in on_device if not event.key.startswith(("Memcpy", "Memset")))
    busy = sum(event.self_device_time_total for event in on_device) / PROFILED / 1e6
    syncs = (
        sum(event.count for event in events if event.key.endswith("Synchronize")) - 1
    )  # the one that ends the record
    with notes.open("a") as file:
        for order in ("self_device_time_total", "self_cpu_time_total"):
            table = events.table(sort_by=order, row_limit=ROWS, max_name_column_width=70)
            file.write(f"{what}, {PROFILED} steps\n{table}\n\n")
    return {"kernels": kernels / PROFILED, "syncs": syncs / PROFILED, "busy_percent": 100 * busy / seconds}


def render_speed(results: Results, made: MadeScene, device: Device, size: str, effort: Effort) -> None:
    """Whole views of fields that have hardly been trained: about as many samples as at the beginning of training."""
    state = osn_state(made, osn_settings(grids=[128 if size == "full" else 12]), device.torch)
    with torch.no_grad():
        grids = state.fields.density_grids()
    rays, _ = made.looks(device.torch)[0]
    scales = torch.ones(made.scene.object_count, device=device.torch)
    for count in VIEW_RAYS[size]:
        many = repeated(rays, count)
        timed_view(
            results, f"OSN, {count} rays", many, lambda x: render_world(state.fields, grids, x, scales), device, effort
        )
    config = TrainSemanticFlowConfig(static_steps=effort.static_steps) if size == "full" else tiny_flow(static_steps=2)
    scene = flow_scene(made, config, device.torch)
    model = flow_joint(scene, config, device.torch).model
    with torch.no_grad():
        nodes = model.static.nodes()
    for count in VIEW_RAYS[size]:
        many = repeated(rays, count)
        timed_view(
            results, f"Semantic Flow, {count} rays", many,
            lambda x: in_chunks(lambda part: rendering(model, nodes, part, None), x), device, effort,
        )  # fmt: skip


def repeated(rays: Rays, count: int) -> Rays:
    """As many rays as a view of another size has."""
    chosen = torch.arange(count, device=rays.frames.device) % len(rays.frames)
    return rays[chosen]


def timed_view(
    results: Results, what: str, rays: Rays, render: Callable[[Rays], Any], device: Device, effort: Effort
) -> None:
    render(rays)
    if device.torch.type == "cuda" and device.watched is None:
        torch.cuda.reset_peak_memory_stats()
    device.wait()
    views, start = 0, time.perf_counter()
    while views < 1 or time.perf_counter() - start < effort.seconds:
        render(rays)
        device.wait()
        views += 1
    seconds = (time.perf_counter() - start) / views
    values: Values = {"ms_per_view": 1e3 * seconds, "rays_per_s": len(rays.frames) / seconds}
    if device.torch.type == "cuda" and device.watched is None:
        values["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    results.add("rendering", what, **values)
