"""Semantic Flow and its ablations on scenes with known truth: one table of PSNR and mIoU, and what each variant gains.

    python -m benchmarks.semantic_flow TRUTH.h5 --seeds 5 --work /tmp/semantic_flow_benchmark

The table of docs/RESULTS.md is of `--seeds 5 --factor 2 --short --variants flow_attention flow_features point_carried point`.

Poses and sparse depths are the true ones with noise, flow is estimated: what is measured is training alone. All
variants train equally long. Every cell (scene, task, variant) is kept in the work folder with the settings it was made
by: a run that was stopped goes on, and one with more variants, tasks or scenes makes only what is new. Columns: PSNR and
mIoU on held-out views; mIoU in the training camera at times without labels (task full: at all times). `point` is the
baseline without any flow in its semantics; `point_carried` gets the labels carried along the flow too.
"""

import argparse
import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.truth_scene import truth_scene
from models.ops.space import Cameras
from models.rays import Rays
from pipeline.config import SimulateSceneConfig, TrainSemanticFlowConfig
from pipeline.evaluation.image_metrics import psnr_db, to_unit
from pipeline.evaluation.semantic_metrics import view_scores
from pipeline.formats.scene_file import Scene, write_scene
from pipeline.runtime.atomic import whole
from pipeline.semantic_flow.labels import held_out_frames
from pipeline.semantic_flow.method import SemanticFlowMethod, method_from_checkpoint
from pipeline.simulate_scene import simulate_scene
from pipeline.train_semantic_flow import train_semantic_flow

VARIANTS: dict[str, dict[str, Any]] = {
    "flow_attention": {},
    "point": {"ablation": {"head": "point"}, "label_propagation_frames": 0},
    "point_carried": {"ablation": {"head": "point"}},
    "no_carrying": {"label_propagation_frames": 0},
    "flow_features": {"ablation": {"head": "flow_features"}},
    "untrained_attention": {"ablation": {"head": "untrained_attention"}},
    "no_density_prior": {"ablation": {"density_prior": False}},
    "no_displacement": {"ablation": {"displacement": False}},
    "no_consistency": {"loss_weights": {"consistency_semantics": 0.0}},
    "reach_2": {"reach": 2},
    "geometry_feature": {"ablation": {"geometry_feature": True}},
    "ndc": {"space": "ndc"},
    "reference": {"body": "reference"},
}
TASKS: dict[str, dict[str, Any]] = {"full": {"task": "full"}} | {
    f"{task}_{share}": {"task": task, "labelled_fraction": share / 100}
    for task in ("completion", "tracking")
    for share in (25, 50, 75)
}
SHORT: dict[str, Any] = {
    "static_steps": 300,
    "static_rays": 1024,
    "steps": 400,
    "rays": 768,
    "static_cells": 400000,
    "static_resolution": 128,
    "dynamic_resolution": 64,
    "image_based_rendering": False,
}
PIXEL_STEP, FRAME_STEP, CHUNK = 2, 3, 8192
NUMBERS = ("view_psnr_db", "view_miou", "time_miou", "cpu_seconds")


@dataclass(frozen=True)
class Cell:
    """One trained variant, judged."""

    scene: str
    task: str
    variant: str
    cpu_seconds: float
    view_psnr_db: float
    view_miou: float
    time_miou: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truths", nargs="*", type=Path, help="truth.h5 files")
    parser.add_argument("--seeds", type=int, default=0, help="simulated scenes besides")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=["completion_25", "tracking_25"])
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=["flow_attention", "point"])
    parser.add_argument("--factor", type=int, default=1, help="images are shrunk by it")
    parser.add_argument("--options", type=json.loads, default={}, help="more settings of train_semantic_flow, JSON")
    parser.add_argument("--short", action="store_true", help="small grids and few steps: a minute a cell")
    parser.add_argument("--threads", type=int, default=1, help="on a busy machine one thread is faster than two")
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "semantic_flow_benchmark")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    options = {**(SHORT if chosen.short else {}), **chosen.options}
    truths = [*chosen.truths, *(simulated(seed, chosen.work) for seed in range(chosen.seeds))]
    cells = []
    for truth in truths:
        for task in chosen.tasks:
            for variant in chosen.variants:
                cells.append(kept_cell(truth, task, variant, chosen.factor, options, chosen.work))
                print(line(cells[-1]), flush=True)
    print_table(pd.DataFrame([asdict(cell) for cell in cells]), chosen.variants)


def simulated(seed: int, work: Path) -> Path:
    """The truth of a simulated scene, made once."""
    folder = work / f"seed{seed}"
    if not (folder / "truth.h5").exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate_scene(folder / "video.mp4", folder / "truth.h5", SimulateSceneConfig(seed=seed))
    return folder / "truth.h5"


def kept_cell(truth: Path, task: str, variant: str, factor: int, options: dict[str, Any], work: Path) -> Cell:
    """A cell from the work folder, or made now and kept there."""
    config = TrainSemanticFlowConfig.model_validate({**options, **TASKS[task], **merged(options, VARIANTS[variant])})
    settings = f"{truth.resolve()} {factor} {config.model_dump_json()}"
    known_as = scene_name(truth)
    name = f"{known_as}-{task}-{variant}-{hashlib.sha256(settings.encode()).hexdigest()[:12]}.json"
    path = work / "cells" / name
    if path.exists():
        return Cell(**json.loads(path.read_text()))
    scene, test = known_scene(truth, factor)
    cell = judged(known_as, task, variant, scene, test, config)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        partial.write_text(json.dumps(asdict(cell)))
    return cell


def scene_name(truth: Path) -> str:
    """The folder of a truth.h5; the file's own name where it has another."""
    path = truth.resolve()
    return path.parent.name if path.stem == "truth" else f"{path.parent.name}_{path.stem}"


def merged(options: dict[str, Any], variant: dict[str, Any]) -> dict[str, Any]:
    """A variant's settings; its sections go into those that are given, not in their place."""
    return {
        key: {**options.get(key, {}), **value} if isinstance(value, dict) else value for key, value in variant.items()
    }


@cache
def known_scene(truth: Path, factor: int) -> Any:
    return truth_scene(truth, factor)


def judged(name: str, task: str, variant: str, scene: Scene, test: Any, config: TrainSemanticFlowConfig) -> Cell:
    """Train a variant and judge it."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        write_scene(place / "scene.h5", scene, {})
        start = time.process_time()
        files = {"scene": "scene.h5", "checkpoint": "checkpoint.pt", "history": "history.csv"}
        paths = {name: place / file for name, file in files.items()}
        train_semantic_flow(**paths, labels=None, depth=None, weights=None, start_from=None, config=config)
        seconds = time.process_time() - start
        return judged_checkpoint(name, task, variant, scene, test, place / "checkpoint.pt", seconds)


def judged_checkpoint(
    name: str, task: str, variant: str, scene: Scene, test: Any, checkpoint: Path, seconds: float
) -> Cell:
    """Judge a trained variant: held-out views, and the training camera at times without labels."""
    state = torch.load(checkpoint, weights_only=True)
    settings = TrainSemanticFlowConfig.model_validate(TASKS[task])
    method = method_from_checkpoint(state, scene, torch.device("cpu"))
    views = list(range(0, scene.frame_count, FRAME_STEP))
    psnr, view_miou = judge(method, test.world_from_camera, test.images, test.object_ids, views)
    times = held_out_frames(settings.task, settings.labelled_fraction, scene.frame_count)[::FRAME_STEP] or views
    _, time_miou = judge(method, scene.object_from_camera[0], scene.images, scene.object_ids, times)
    return Cell(name, task, variant, seconds, psnr, view_miou, time_miou)


def judge(
    method: SemanticFlowMethod, poses: np.ndarray, images: np.ndarray, ids: np.ndarray, frames: list[int]
) -> tuple[float, float]:
    """Mean PSNR, and mIoU over all pixels together."""
    drawn = [render(method, poses[frame], frame) for frame in frames]
    thinned = np.s_[frames, ::PIXEL_STEP, ::PIXEL_STEP]
    psnr = [psnr_db(colour, target) for (colour, _), target in zip(drawn, to_unit(images[thinned]), strict=True)]
    _, together = view_scores(np.stack([told for _, told in drawn]), ids[thinned], len(method.classes.names))
    return float(np.mean(psnr)), together.miou


def render(method: SemanticFlowMethod, pose: np.ndarray, frame: int) -> tuple[torch.Tensor, np.ndarray]:
    """Colours and classes of a view, thinned."""
    known = method.trained.model.bounds.cameras
    camera = Cameras(torch.from_numpy(pose.astype(np.float32))[None], known.intrinsics, known.height, known.width)
    rows, columns = (torch.arange(0, size, PIXEL_STEP) for size in (known.height, known.width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5
    rays: Rays = camera.rays(xy, torch.zeros(len(xy), dtype=torch.long))
    rays = replace(rays, frames=torch.full((len(xy),), frame))
    parts = [method.render(rays[start : start + CHUNK]) for start in range(0, len(xy), CHUNK)]
    colour = torch.cat([part.colour for part in parts]).view(*y.shape, 3)
    told = torch.cat([part.object_weights for part in parts]).argmax(-1).view(y.shape)
    return colour, told.numpy()


def line(cell: Cell) -> str:
    return (
        f"{cell.scene:12} {cell.task:14} {cell.variant:20} {cell.cpu_seconds:6.0f} CPU s  "
        f"views {cell.view_psnr_db:5.2f} dB, mIoU {cell.view_miou:.3f}  times mIoU {cell.time_miou:.3f}"
    )


def print_table(cells: pd.DataFrame, variants: list[str]) -> None:
    """Means over the scenes, and what the first variant is better by: on the mean, and in how many scenes."""
    means = cells.groupby(["task", "variant"], sort=False)[list(NUMBERS)].mean()
    print("\nmean over", cells["scene"].nunique(), "scenes")
    print(means.round(3).to_string())
    for task, mine in cells.groupby("task", sort=False):
        scores = mine.pivot(index="scene", columns="variant", values=["time_miou", "view_miou"])
        for variant in variants[1:]:
            gains = {kind: scores[kind][variants[0]] - scores[kind][variant] for kind in ("time_miou", "view_miou")}
            told = ", ".join(
                f"{kind} {gain.mean():+.3f} (better in {(gain > 0).sum()} of {len(gain)})"
                for kind, gain in gains.items()
            )
            print(f"{task}: {variants[0]} over {variant}: {told}")


if __name__ == "__main__":
    main()
