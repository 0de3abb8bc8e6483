"""One scene filmed through a pinhole, a radial and a fisheye lens, from the video to renders: what does a lens cost?

    python -m benchmarks.lens --work /tmp/lens_benchmark
    python -m benchmarks.lens --cases "radial" "radial, given"

The world, what happens in it and the camera's path are the same in every film; held-out views are pinhole images from the
same places. Everything is estimated from the video, in `given` cases but for the camera: nerfstudio's transforms.json tells
the poses and the lens. OSN is trained briefly, with the settings of `preset: draft`. Every case is kept in the work folder: a
second call prints the same table at once, and one with more cases makes only those.

Columns: error of the lens's focal length; k1 with its stated error; the camera's rotation and path; PSNR of the video's own views,
of held-out ones and of their pixels that the video saw, and how far below that of the pinhole (estimated or given).
"""

import argparse
import contextlib
import json
import logging
import time
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from pipeline.config import (
    EstimateFlowConfig,
    EvaluateConfig,
    ExtractFramesConfig,
    PackSceneConfig,
    ReconstructObjectsConfig,
    RenderViewsConfig,
    SegmentObjectsConfig,
    SimulateSceneConfig,
    TrackPointsConfig,
    TrainOsnConfig,
)
from pipeline.estimate_flow import estimate_flow
from pipeline.evaluate import evaluate
from pipeline.extract_frames import extract_frames
from pipeline.formats.geometry_file import read_geometry
from pipeline.formats.lens import Lens
from pipeline.formats.metrics_table import read_metrics
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV
from pipeline.pack_scene import pack_scene
from pipeline.reconstruct_objects import reconstruct_objects
from pipeline.render_views import render_views
from pipeline.runtime.presets import with_preset
from pipeline.segment_objects import segment_objects
from pipeline.simulate_scene import simulate_scene
from pipeline.track_points import track_points
from pipeline.train_osn import train_osn
from pipeline.truth.truth_file import Truth, read_truth

FOCAL = 0.8  # over the width
FILMS: dict[str, dict[str, Any]] = {
    "pinhole": {},
    "radial": {"lens": "radial", "k1": -0.12},
    "fisheye": {"lens": "fisheye"},
}
GIVEN = ", given"
CASES = ("pinhole", "radial", f"pinhole{GIVEN}", f"radial{GIVEN}", f"fisheye{GIVEN}")
RENDERED = {"psnr observed": ("observed", "psnr_db"), "held out": ("held_out", "psnr_db")}
RENDERED |= {"covisible": ("held_out", "psnr_db_covisible")}
Row = dict[str, Any]


def film(name: str, width: int, frames: int, seed: int, work: Path) -> Path:
    """The folder of a film, simulated unless it is there."""
    folder = work / f"{name}_{width}_{frames}_{seed}"
    if not (folder / "video.mp4").exists():
        folder.mkdir(parents=True, exist_ok=True)
        size = {"width": width, "height": width * 3 // 8 * 2, "frames": frames, "held_out_views": 8}
        config = {**size, "seed": seed, "recording": {"focal": FOCAL, **FILMS[name]}}
        simulate_scene(folder / "video.mp4", folder / "truth.h5", SimulateSceneConfig.model_validate(config))
    return folder


def transforms(truth: Truth) -> Row:
    """The camera as nerfstudio's transforms.json has it, with the lens by its names."""
    views, (height, width) = truth.train, truth.size
    lens = views.lens or Lens.pinhole(truth.camera(views, 0))
    camera, fisheye = lens.camera, lens.model == "OPENCV_FISHEYE"
    matrices = views.world_from_camera.astype(np.float64) @ OPENGL_FROM_OPENCV
    return {
        "camera_model": "OPENCV_FISHEYE" if fisheye else "OPENCV",
        **{"w": width, "h": height, "fl_x": camera.fx, "fl_y": camera.fy, "cx": camera.cx, "cy": camera.cy},
        "k1": lens.params[-1] if lens.model == "SIMPLE_RADIAL" else 0.0,
        "frames": [
            {"file_path": f"images/frame_{number + 1:05d}.png", "transform_matrix": matrix.tolist()}
            for number, matrix in enumerate(matrices)
        ],
    }


def run_stages(source: Path, folder: Path, poses: Path | None) -> None:
    """From the video to metrics."""
    at = partial(Path, folder)
    frames, info, flow, masks = at("frames"), at("frames.json"), at("flow.h5"), at("masks.h5")
    objects, tracks, models, geometry = at("objects.json"), at("tracks.h5"), at("reconstruction"), at("geometry.json")
    scene, osn, renders, truth = at("scene.h5"), at("osn"), at("osn", "renders"), source / "truth.h5"
    osn.mkdir(parents=True, exist_ok=True)
    extract_frames(source / "video.mp4", poses, frames, info, ExtractFramesConfig())
    estimate_flow(frames, None, flow, EstimateFlowConfig())
    segment_objects(frames, info, flow, None, None, masks, objects, SegmentObjectsConfig())
    track_points(frames, flow, masks, tracks, TrackPointsConfig())
    config = ReconstructObjectsConfig.model_validate(with_preset("draft", "reconstruct_objects", {}))
    reconstruct_objects(frames, info, tracks, masks, objects, poses, models, geometry, config)
    pack_scene(frames, info, flow, masks, objects, models, geometry, scene, PackSceneConfig())
    training = TrainOsnConfig.model_validate(with_preset("draft", "train_osn", {}))
    train_osn(scene, None, osn / "checkpoint.pt", osn / "history.csv", osn / "scales.csv", training)
    views = RenderViewsConfig.model_validate(with_preset("draft", "render_views", {"held_out_frames": 8}))
    render_views(osn / "checkpoint.pt", scene, info, None, truth, renders, views)
    made = (at("metrics.csv"), at("evaluation.json"))
    judged = EvaluateConfig(lpips=False)
    evaluate(
        scene, info, flow, masks, geometry, [osn / "checkpoint.pt"], [renders], [], [], truth, None, None, *made, judged
    )


def run_case(name: str, source: Path, work: Path) -> Row:
    """The numbers of a case, run unless they are there."""
    folder = work / f"{source.name}{'_given' if name.endswith(GIVEN) else ''}_run"
    result = folder / "result.json"
    if result.exists():
        return json.loads(result.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    poses = None
    if name.endswith(GIVEN):
        poses = folder / "transforms.json"
        poses.write_text(json.dumps(transforms(read_truth(source / "truth.h5"))))
    start = time.monotonic()
    with (folder / "log.txt").open("w") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        run_stages(source, folder, poses)
    row = {"case": name, **numbers(folder), "min": round((time.monotonic() - start) / 60, 1)}
    result.write_text(json.dumps(row))
    return row


def numbers(folder: Path) -> Row:
    """What the stages wrote of a case."""
    metrics, geometry = read_metrics(folder / "metrics.csv"), read_geometry(folder / "geometry.json")

    def number(stage: str, item: str, metric: str) -> float:
        rows = metrics[(metrics.stage == stage) & (metrics["item"] == item) & (metrics.metric == metric)]
        return float(rows.value.mean()) if len(rows) else float("nan")

    radial = geometry.radial
    poses = {"deg": "rotation_error_deg", "path %": "trajectory_error_percent"}
    row: Row = {"focal %": number("reconstruct_objects", "all", "focal_error_percent")}
    row["k1"] = f"{radial.k1:.3f} ± {radial.k1_std:.3f}{'' if geometry.lens else ', not undone'}" if radial else ""
    row |= {title: number("reconstruct_objects", "0", metric) for title, metric in poses.items()}
    row["masks"] = number("segment_objects", "all", "miou")
    return row | {title: number("render_views", *key) for title, key in RENDERED.items()}


def table(rows: list[Row]) -> str:
    """All cases, and how far each is below the pinhole of its kind."""
    known = {row["case"]: row for row in rows}
    for row in rows:
        base = known.get(f"pinhole{GIVEN}" if row["case"].endswith(GIVEN) else "pinhole")
        row["below pinhole"] = base["held out"] - row["held out"] if base else float("nan")
    return pd.DataFrame(rows).to_string(index=False, float_format="{:.2f}".format)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--width", type=int, default=192, help="of the videos, pixels; the height is three quarters")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "lens_benchmark", help="films and results")
    chosen = parser.parse_args()
    logging.disable(logging.INFO)
    torch.set_num_threads(chosen.threads)
    cv2.setNumThreads(chosen.threads)
    rows = []
    for name in chosen.cases:
        source = film(name.removesuffix(GIVEN), chosen.width, chosen.frames, chosen.seed, chosen.work)
        rows.append(run_case(name, source, chosen.work))
        print(f"{name}: {rows[-1]['held out']:.2f} dB", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
