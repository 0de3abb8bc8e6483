"""Optical flow between neighbouring frames, in both directions (RAFT, or DIS without weights).

Reads   frames/   T images; weights/, where RAFT's may lie
Writes  flow.h5   forward and backward flow (dx, dy) in pixels, and which pixels return when followed there and back
"""

import logging
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from models.raft import CheckpointError, load_raft, predict_flow
from pipeline.cli import run_stage
from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.dis_flow import MODEL, create_dis, dis_flow
from pipeline.correspondence.flow_warping import consistent_pixels
from pipeline.formats.flow_file import FlowPair, write_flow
from pipeline.formats.frames_folder import frame_paths, read_frame, read_sized
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.runtime.weights import Weight, weights_present

log = logging.getLogger(__name__)
ImagePair = tuple[np.ndarray, np.ndarray]
Estimator = Callable[[list[ImagePair]], list[np.ndarray]]


def estimate_flow(frames: Path, weights: Path | None, flow: Path, config: EstimateFlowConfig) -> None:
    paths = frame_paths(frames)
    size = read_frame(paths[0]).shape[:2]
    chosen = choose_weights(weights, config)
    if chosen is None:
        estimator, attributes, batch = dis_estimator(), {"backend": "dis", "model": MODEL, "weights": ""}, 1
    else:
        device = stage_device()
        estimator = raft_estimator(chosen, weights, max(size), device, config)
        attributes = {"backend": "raft", "model": chosen.model, "weights": chosen.file}
        batch = config.batch_pairs if device.type == "cuda" else 1
    log.info("flow by %s", ", ".join(value for value in attributes.values() if value))
    tell_unused(config, len(paths))
    count = len(paths) - 1
    shares: list[float] = []
    pairs = flow_pairs(paths, estimator, batch, config.consistency_px)
    longer = {
        stride: progress(
            flow_pairs(paths, estimator, batch, config.consistency_px, stride),
            f"flow over {stride} frames",
            len(paths) - stride,
            "pairs",
        )
        for stride in sorted(set(config.strides))
        if stride < len(paths)
    }
    write_flow(
        flow,
        with_shares(progress(pairs, "flow", count, "pairs"), shares),
        count,
        size,
        {**attributes, "consistency_px": config.consistency_px, "strides": [1, *longer]},
        longer,
    )
    tell_consistency(shares)


def choose_weights(folder: Path | None, config: EstimateFlowConfig) -> Weight | None:
    """The RAFT file to use; None for DIS."""
    present = weights_present(folder, "estimate_flow") if config.backend != "dis" else []
    if config.weights_file is not None and config.backend != "dis":
        present = [weight for weight in present if weight.file == config.weights_file]
        if not present:
            raise StageError(
                f"estimate_flow.weights_file {config.weights_file} is not in {folder or 'weights/'}; "
                "put it there, or leave it out"
            )
    if config.backend == "raft" and not present:
        raise StageError(
            f"estimate_flow.backend is raft, but {folder or 'weights/'} holds no RAFT weights; "
            "run `snakemake --cores 1 weights`, or choose auto or dis"
        )
    return present[0] if present else None


def tell_unused(config: EstimateFlowConfig, frames: int) -> None:
    """Warn of settings that change nothing."""
    if config.backend == "dis" and config.weights_file is not None:
        log.warning("estimate_flow.weights_file %s is not used: backend is dis", config.weights_file)
    for stride in (stride for stride in config.strides if stride >= frames):
        log.warning("no flow over %d frames (estimate_flow.strides): the scene has %d", stride, frames)


def dis_estimator() -> Estimator:
    """Flow by DIS, pair by pair."""
    dis = create_dis()
    return lambda pairs: [dis_flow(dis, first, second) for first, second in pairs]


def raft_estimator(
    weight: Weight, folder: Path | None, longer_side: int, device: torch.device, config: EstimateFlowConfig
) -> Estimator:
    """Flow by RAFT, as one batch; small images are enlarged, because RAFT works at an eighth of the size.

    The mean over two enlargements is better than either: their errors have little in common.
    """
    assert folder is not None
    network = read_network(folder / weight.file).to(device)
    enlargements = config.enlargements if longer_side < config.enlarge_below_px else [1.0]

    def estimate(pairs: list[ImagePair]) -> list[np.ndarray]:
        first, second = (torch.from_numpy(np.stack(images)).to(device) for images in zip(*pairs, strict=True))
        flows = [predict_flow(network, first, second, by, config.iterations) for by in enlargements]
        return list(torch.stack(flows).mean(0).cpu().numpy())

    return estimate


def read_network(path: Path) -> torch.nn.Module:
    """The network of a checkpoint file."""
    try:
        return load_raft(torch.load(path, map_location="cpu", weights_only=True))
    except (CheckpointError, pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise StageError(
            f"{path} is not a RAFT checkpoint: {reason}; delete it and run `snakemake --cores 1 weights`"
        ) from error


def flow_pairs(
    paths: list[Path], estimator: Estimator, batch: int, tolerance_px: float, stride: int = 1
) -> Iterator[FlowPair]:
    """Flow of all pairs of frames `stride` apart, both ways; at most `batch` + `stride` frames are in memory."""
    shape = read_frame(paths[0]).shape
    images = [read_sized(path, shape) for path in paths[:stride]]
    for start in range(0, len(paths) - stride, batch):
        images += [read_sized(path, shape) for path in paths[start + stride : start + stride + batch]]
        ahead = list(zip(images[:-stride], images[stride:], strict=True))
        flows = estimator(ahead + [(second, first) for first, second in ahead])
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


def tell_consistency(shares: list[float]) -> None:
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
