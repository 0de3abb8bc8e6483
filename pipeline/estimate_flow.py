"""Optical flow between neighbouring frames, in both directions (RAFT, or DIS without weights).

Reads   frames/   T images; weights/, where RAFT's may lie
Writes  flow.h5   forward and backward flow (dx, dy) in pixels, and which pixels return when followed there and back
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.cli import run_stage
from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.flow_backend import Flow, ImagePair, choose_flow_backend, described
from pipeline.correspondence.flow_warping import consistent_pixels
from pipeline.formats.flow_file import FlowPair, write_flow
from pipeline.formats.frames_folder import frame_paths, read_frame, read_sized
from pipeline.runtime.backends import Backend
from pipeline.runtime.device import stage_device
from pipeline.runtime.progress import progress

log = logging.getLogger(__name__)
FindFlow = Callable[[list[ImagePair]], list[Flow]]


def estimate_flow(frames: Path, weights: Path | None, flow: Path, config: EstimateFlowConfig) -> None:
    paths = frame_paths(frames)
    device = stage_device()
    backend = choose_flow_backend(weights, config)
    log.info("flow by %s", ", ".join(value for value in described(backend).values() if value))
    warn_of_unused_settings(config, backend, len(paths))
    find = partial(backend.module.find, backend.module.load(backend.checkpoint, device), config=config)
    batch = config.batch_pairs if device.type == "cuda" else 1
    neighbours, longer = flow_by_stride(paths, find, batch, config)
    shares: list[float] = []
    attributes = {**described(backend), "consistency_px": config.consistency_px, "strides": [1, *longer]}
    size = read_frame(paths[0]).shape[:2]
    write_flow(flow, with_shares(neighbours, shares), len(paths) - 1, size, attributes, longer)
    log_consistency(shares)


def warn_of_unused_settings(config: EstimateFlowConfig, backend: Backend, frames: int) -> None:
    """Warn of settings that change nothing."""
    if backend.weight is None and config.weights_file is not None:
        log.warning("estimate_flow.weights_file %s is not used: backend is %s", config.weights_file, backend.name)
    for stride in (stride for stride in config.strides if stride >= frames):
        log.warning("no flow over %d frames (estimate_flow.strides): the scene has %d", stride, frames)


def flow_by_stride(
    paths: list[Path], find: FindFlow, batch: int, config: EstimateFlowConfig
) -> tuple[Iterator[FlowPair], Mapping[int, Iterator[FlowPair]]]:
    """Flow between neighbouring frames, and between frames each longer stride apart, as it is asked for."""
    titles = {1: "flow", **{n: f"flow over {n} frames" for n in sorted(set(config.strides)) if n < len(paths)}}
    flows = {
        stride: progress(
            flow_pairs(paths, find, batch, config.consistency_px, stride), title, len(paths) - stride, "pairs"
        )
        for stride, title in titles.items()
    }
    return flows.pop(1), flows


def flow_pairs(
    paths: list[Path], find: FindFlow, batch: int, tolerance_px: float, stride: int = 1
) -> Iterator[FlowPair]:
    """Flow of all pairs of frames `stride` apart, both ways; at most `batch` + `stride` frames are in memory."""
    shape = read_frame(paths[0]).shape
    images = [read_sized(path, shape) for path in paths[:stride]]
    for start in range(0, len(paths) - stride, batch):
        images += [read_sized(path, shape) for path in paths[start + stride : start + stride + batch]]
        ahead = list(zip(images[:-stride], images[stride:], strict=True))
        flows = find(ahead + [(second, first) for first, second in ahead])
        for forward, backward in zip(flows[: len(ahead)], flows[len(ahead) :], strict=True):
            yield checked_pair(forward, backward, tolerance_px)
        images = images[-stride:]


def checked_pair(forward: np.ndarray, backward: np.ndarray, tolerance_px: float) -> FlowPair:
    """Flow with its consistency both ways."""
    return FlowPair(
        forward,
        backward,
        consistent_pixels(forward, backward, tolerance_px),
        consistent_pixels(backward, forward, tolerance_px),
    )


def with_shares(pairs: Iterator[FlowPair], shares: list[float]) -> Iterator[FlowPair]:
    """Pass pairs through, noting the share of consistent pixels of each."""
    for pair in pairs:
        shares.append(float(pair.forward_valid.mean()))
        yield pair


def log_consistency(shares: list[float]) -> None:
    """Log how much of the flow can be trusted, and warn where hardly any can."""
    if not shares:
        log.warning("there is one frame only: no flow")
        return
    log.info("%.1f%% of pixels return when followed there and back", 100 * np.mean(shares))
    poor = [index for index, share in enumerate(shares) if share < 0.3]
    if poor:
        log.warning(
            "flow is unreliable between %d of %d pairs of frames (first at frame %d): a cut, blur or very fast motion",
            len(poor),
            len(shares),
            poor[0],
        )


if __name__ == "__main__":
    run_stage(estimate_flow)
