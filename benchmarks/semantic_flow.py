"""Semantic Flow and its ablations on scenes with known truth: one table of PSNR and mIoU, against the point head.

    python -m benchmarks.semantic_flow ../shared/data/workshop/truth.h5 --task tracking --variants flow_attention point

Poses and sparse depths are the true ones with noise, flow is estimated: what is measured is training alone. All
variants of a scene train equally long. Columns: PSNR and mIoU on held-out views; mIoU in the training camera at times
without labels. `point` is the baseline without any flow in its semantics, `point_carried` gets the carried labels too.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.truth_scene import truth_scene
from models.rays import Rays
from models.semantic_flow.space import Cameras
from pipeline.config import TrainSemanticFlowConfig
from pipeline.metrics import psnr_db, to_unit
from pipeline.scene_file import Scene, write_scene
from pipeline.semantic_flow_checkpoint import SemanticFlowMethod, method_from_checkpoint
from pipeline.semantic_flow_data import camera_rays
from pipeline.semantic_labels import held_out_frames
from pipeline.semantic_metrics import view_scores
from pipeline.train_semantic_flow import train_semantic_flow

VARIANTS: dict[str, dict[str, Any]] = {
    "flow_attention": {},
    "point": {"head": "point", "carry": 0},
    "point_carried": {"head": "point"},
    "no_carrying": {"carry": 0},
    "flow_features": {"head": "flow_features"},
    "untrained_attention": {"head": "untrained_attention"},
    "no_density_prior": {"density_prior": False},
    "no_displacement": {"displacement": False},
    "no_consistency": {"weights": {"consistency_semantics": 0.0}},
    "reach_2": {"reach": 2},
    "geometry_feature": {"geometry_feature": True},
}
PIXEL_STEP, FRAME_STEP, CHUNK = 2, 3, 8192


@dataclass(frozen=True)
class Result:
    """One trained variant, judged."""

    scene: str
    variant: str
    seconds: float
    psnr_db: float
    view_miou: float
    time_miou: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truths", nargs="+", type=Path, help="truth.h5 files")
    parser.add_argument("--task", choices=["full", "completion", "tracking"], default="full")
    parser.add_argument("--share", type=float, default=0.25, help="share of frames with labels")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=["flow_attention", "point"])
    parser.add_argument("--options", default="{}", help="more settings of train_semantic_flow, JSON")
    parser.add_argument("--threads", type=int, default=1, help="on a busy machine one thread is faster than two")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = []
    for path in arguments.truths:
        scene, test = truth_scene(path)
        for variant in arguments.variants:
            options = {"task": arguments.task, "labelled_share": arguments.share, **json.loads(arguments.options)}
            config = TrainSemanticFlowConfig.model_validate({**options, **VARIANTS[variant]})
            results.append(judged(path.parent.name + "/" + path.stem, variant, scene, test, config))
            print(row(results[-1]), flush=True)
    print_means(results, arguments.variants)


def judged(name: str, variant: str, scene: Scene, test: Any, config: TrainSemanticFlowConfig) -> Result:
    """Train a variant and judge it."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        write_scene(place / "scene.h5", scene, {})
        start = time.monotonic()
        train_semantic_flow(place / "scene.h5", None, place / "checkpoint.pt", place / "history.csv", config)
        seconds = time.monotonic() - start
        state = torch.load(place / "checkpoint.pt", weights_only=True)
    method = method_from_checkpoint(state, torch.device("cpu"))
    views = list(range(0, scene.frame_count, FRAME_STEP))
    psnr, view_miou = judge(method, scene, test.world_from_camera, test.images, test.object_ids, views)
    times = held_out_frames(config.task, config.labelled_share, scene.frame_count)[::FRAME_STEP] or views
    _, time_miou = judge(method, scene, scene.object_from_camera[0], scene.images, scene.object_ids, times)
    return Result(name, variant, seconds, psnr, view_miou, time_miou)


def judge(
    method: SemanticFlowMethod, scene: Scene, poses: np.ndarray, images: np.ndarray, ids: np.ndarray, frames: list[int]
) -> tuple[float, float]:
    """Mean PSNR, and mIoU over all pixels together."""
    drawn = [render(method, scene, poses[frame], frame) for frame in frames]
    thinned = np.s_[frames, ::PIXEL_STEP, ::PIXEL_STEP]
    psnr = [psnr_db(colour, target) for (colour, _), target in zip(drawn, to_unit(images[thinned]), strict=True)]
    _, together = view_scores(np.stack([told for _, told in drawn]), ids[thinned], len(method.class_names))
    return float(np.mean(psnr)), together.miou


def render(method: SemanticFlowMethod, scene: Scene, pose: np.ndarray, frame: int) -> tuple[torch.Tensor, np.ndarray]:
    """Colours and classes of a view, thinned."""
    known = method.model.place.cameras
    camera = Cameras(torch.from_numpy(pose.astype(np.float32))[None], known.intrinsics, known.height, known.width)
    rows, columns = (torch.arange(0, size, PIXEL_STEP) for size in (known.height, known.width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5
    rays: Rays = camera_rays(camera, xy, torch.zeros(len(xy), dtype=torch.long))
    rays = replace(rays, frames=torch.full((len(xy),), frame))
    parts = [method.render(rays[start : start + CHUNK]) for start in range(0, len(xy), CHUNK)]
    colour = torch.cat([part.colour for part in parts]).view(*y.shape, 3)
    told = torch.cat([part.object_weights for part in parts]).argmax(-1).view(y.shape)
    return colour, told.numpy()


def row(result: Result) -> str:
    return (
        f"{result.scene:24} {result.variant:20} {result.seconds:7.0f} s  PSNR {result.psnr_db:5.2f} dB  "
        f"views mIoU {result.view_miou:.3f}  times mIoU {result.time_miou:.3f}"
    )


def print_means(results: list[Result], variants: list[str]) -> None:
    """The mean of each variant over the scenes, and what the first is better by."""
    means = {}
    for variant in variants:
        mine = [result for result in results if result.variant == variant]
        numbers = [
            np.mean([getattr(result, name) for result in mine])
            for name in Result.__dataclass_fields__
            if name not in ("scene", "variant")
        ]
        means[variant] = Result("mean", variant, *(float(number) for number in numbers))
        print(row(means[variant]))
    first = means[variants[0]]
    for variant in variants[1:]:
        print(
            f"{variants[0]} over {variant}: views {first.view_miou - means[variant].view_miou:+.3f}, "
            f"times {first.time_miou - means[variant].time_miou:+.3f} mIoU"
        )


if __name__ == "__main__":
    main()
