"""Error and time of every flow backend at every enlargement, in one table.

    python -m benchmarks.flow SCENE [--weights FOLDER] [--every N]

SCENE is a folder with video.mp4 and truth.h5 (as simulate_scene writes them).
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
import torch

from models.raft import predict_flow
from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.backends import dis, raft
from pipeline.runtime.weights import weights_present
from pipeline.truth.correspondences import true_flow
from pipeline.truth.truth_file import Truth, read_truth

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
ENLARGEMENTS = ((1.0,), (2.0,), (3.0,), (2.0, 3.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--every", type=int, default=3, help="take every Nth pair")
    arguments = parser.parse_args()
    images, truth = decoded(arguments.scene / "video.mp4"), read_truth(arguments.scene / "truth.h5")
    pairs = range(0, len(images) - 1, arguments.every)
    print(f"{'backend':36} {'epe px':>8} {'visible':>8} {'>1 px %':>8} {'s/pair':>8}   ({len(pairs)} pairs, one way)")
    for name, flow in backends(arguments.weights):
        print(f"{name:36} " + " ".join(f"{value:8.3f}" for value in scores(flow, images, truth, pairs)), flush=True)


def backends(weights: Path) -> list[tuple[str, Flow]]:
    """Every backend that can run here, by name; standing still is the baseline."""
    searcher = dis.load(None, torch.device("cpu"))
    found: list[tuple[str, Flow]] = [
        ("no motion", lambda first, second: np.zeros((*first.shape[:2], 2), np.float32)),
        ("dis", lambda first, second: dis.find(searcher, [(first, second)], EstimateFlowConfig())[0]),
    ]
    for weight in weights_present(weights, "estimate_flow"):
        network = raft.load(weights / weight.file, torch.device("cpu"))
        for sizes in ENLARGEMENTS:
            name = f"{weight.file[:24]} x{'+'.join(f'{size:g}' for size in sizes)}"
            found.append((name, partial(raft_flow, network, sizes)))
    return found


def raft_flow(network: torch.nn.Module, sizes: tuple[float, ...], first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The mean of RAFT's flow at several enlargements."""
    a, b = (torch.from_numpy(image)[None] for image in (first, second))
    return torch.stack([predict_flow(network, a, b, size, 12)[0] for size in sizes]).mean(0).numpy()


def scores(flow: Flow, images: np.ndarray, truth: Truth, pairs: range) -> tuple[float, float, float, float]:
    """Mean error, the same where the surface stays visible, share of pixels off by more than 1 px, seconds a pair."""
    errors, visible, start = [], [], time.perf_counter()
    estimates = [flow(images[t], images[t + 1]) for t in pairs]
    seconds = (time.perf_counter() - start) / len(pairs)
    for t, estimate in zip(pairs, estimates, strict=True):
        wanted, seen = true_flow(truth, t)
        errors.append(np.linalg.norm(estimate - wanted, axis=-1))
        visible.append(seen)
    error, seen = np.stack(errors), np.stack(visible)
    return float(error.mean()), float(error[seen].mean()), float(100 * (error > 1).mean()), seconds


def decoded(video: Path) -> np.ndarray:
    """All frames of a video."""
    with av.open(str(video)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


if __name__ == "__main__":
    main()
