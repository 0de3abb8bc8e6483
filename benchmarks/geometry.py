"""Poses of every object against truth, with true masks: workshop-like scenes given by file, and simulated seeds.

    python -m benchmarks.geometry --seeds 10 --scene ../shared/data/workshop

Prints a row per object, then what issue-like targets ask: silent failures (bad, yet `ok`) and false alarms (good, yet weak).
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from pipeline.alignment import rotation_error_deg, trajectory_error_percent
from pipeline.colmap import read_tracked_model
from pipeline.config import (
    EstimateFlowConfig,
    ExtractFramesConfig,
    ReconstructObjectsConfig,
    SimulateSceneConfig,
    TrackPointsConfig,
)
from pipeline.estimate_flow import estimate_flow
from pipeline.evaluation_geometry import true_object_from_camera
from pipeline.extract_frames import extract_frames
from pipeline.geometry_file import read_geometry
from pipeline.masks_file import write_masks, write_objects
from pipeline.reconstruct_objects import reconstruct_objects
from pipeline.simulate_scene import simulate_scene
from pipeline.track_points import track_points
from pipeline.truth_file import read_truth

BAD_DEG, BAD_PERCENT = 3.0, 10.0
HEADER = f"{'scene':<12}{'object':>7}{'frames':>9}{'rot deg':>9}{'± deg':>8}{'ATE %':>8}{'± %':>8}  {'verdict':<8}method, doubts"


@dataclass(frozen=True)
class Result:
    """One object's errors beside what the stage says of them."""

    scene: str
    object_id: int
    registered: int
    frames: int
    rotation_deg: float
    trajectory_percent: float
    verdict: str
    method: str
    reason: str
    expected: tuple[float, float]

    @property
    def bad(self) -> bool:
        return not (self.rotation_deg <= BAD_DEG and self.trajectory_percent <= BAD_PERCENT)

    @property
    def line(self) -> str:
        return (
            f"{self.scene:<12}{self.object_id:>7}{self.registered:>5}/{self.frames:<3}{self.rotation_deg:>9.3f}"
            f"{self.expected[0]:>8.2f}{self.trajectory_percent:>8.2f}{self.expected[1]:>8.2f}  {self.verdict:<8}"
            f"{self.method}{', ' + self.reason if self.verdict != 'ok' else ''}"
        )


def prepare(video: Path, truth: Path, folder: Path) -> None:
    """Frames, flow, and the true masks."""
    extract_frames(video, folder / "frames", folder / "frames.json", ExtractFramesConfig())
    estimate_flow(folder / "frames", None, folder / "flow.h5", EstimateFlowConfig())
    object_ids = read_truth(truth).train.object_ids
    write_masks(folder / "masks.h5", object_ids, {"backend": "truth"})
    ids = [int(k) for k in np.unique(object_ids) if k < 255]
    entries = [{"id": k, "name": f"object {k}", "evidence": {}, "confidence": 1.0} for k in ids]
    write_objects(folder / "objects.json", "truth", entries, [])


def measure(name: str, truth_file: Path, folder: Path) -> tuple[list[Result], float]:
    """Run both stages and compare; the seconds they took."""
    start = time.monotonic()
    names = ("frames", "flow.h5", "masks.h5", "tracks.h5")
    track_points(*(folder / part for part in names), TrackPointsConfig())
    names = ("frames", "frames.json", "tracks.h5", "masks.h5", "objects.json")
    made = (folder / "reconstruction", folder / "geometry.json")
    reconstruct_objects(*(folder / part for part in names), None, *made, ReconstructObjectsConfig())
    seconds = time.monotonic() - start
    views, results = read_truth(truth_file).train, []
    for entry in read_geometry(made[1]).objects:
        model, _ = read_tracked_model(made[0] / str(entry.id), len(views.time))
        known = model.registered
        target = true_object_from_camera(views, entry.id)[known].astype(np.float64)
        errors = (np.inf, np.inf)
        if known.sum() > 2:
            poses = model.object_from_camera[known]
            errors = (rotation_error_deg(poses, target), trajectory_error_percent(poses, target))
        expected = tuple(entry.numbers.get(key, np.nan) for key in ("rotation_std_deg", "trajectory_std_percent"))
        counts = (int(known.sum()), len(views.time))
        results.append(Result(name, entry.id, *counts, *errors, entry.verdict, entry.method, entry.reason, expected))
    return results, seconds


def simulated(seed: int, folder: Path) -> tuple[Path, Path]:
    """A scene of 2 to 4 objects."""
    video, truth = folder / "video.mp4", folder / "truth.h5"
    simulate_scene(video, truth, SimulateSceneConfig(seed=seed, objects=2 + seed % 3))
    return video, truth


def summary(results: list[Result]) -> Iterable[str]:
    """What the table says as a whole."""
    moving = [result for result in results if result.object_id > 0]
    if not moving:
        return
    rotation, path = (np.median([getattr(r, key) for r in moving]) for key in ("rotation_deg", "trajectory_percent"))
    good = [result for result in moving if not result.bad]
    yield f"{len(moving)} moving objects: median {rotation:.2f} deg, {path:.2f} %"
    yield f"silent failures: {sum(r.bad and r.verdict == 'ok' for r in moving)} of {len(moving) - len(good)} bad objects"
    yield f"false alarms: {sum(r.verdict != 'ok' for r in good)} of {len(good)} good objects"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=0, help="simulated scenes, seeds 1 to this")
    parser.add_argument("--scene", type=Path, action="append", default=[], help="folder with video.mp4 and truth.h5")
    parser.add_argument("--prepared", type=Path, action="append", default=[], help="the same, with frames, flow, masks")
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    results: list[Result] = []
    print(HEADER, flush=True)

    def show(name: str, truth: Path, folder: Path) -> None:
        found, seconds = measure(name, truth, folder)
        results.extend(found)
        print(*(result.line for result in found), f"{name:<12}{seconds:.0f} s", sep="\n", flush=True)

    for folder in options.prepared:
        truth = next(path for path in (folder / "truth.h5", *options.scene) if path.exists())
        show(folder.name, truth, folder)
    for scene in [] if options.prepared else options.scene:
        with tempfile.TemporaryDirectory() as folder:
            prepare(scene / "video.mp4", scene / "truth.h5", Path(folder))
            show(scene.name, scene / "truth.h5", Path(folder))
    for seed in range(1, options.seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            video, truth = simulated(seed, Path(folder))
            prepare(video, truth, Path(folder))
            show(f"seed {seed}", truth, Path(folder))
    print(*summary(results), sep="\n")


if __name__ == "__main__":
    main()
