"""The peak of memory of a long video: each stage that trains or renders, in a process of its own.

    python -m benchmarks.memory
    python -m benchmarks.memory --frames 100 --stages train_osn --options '{"train_osn": {"steps": 50}}'

Makes a scene of 300 frames of 960x540 with two objects, as pack_scene would write it, and runs few steps of every phase on it:
what counts is what a stage holds, not what it learns. Prints the largest resident set of each process, and of a GPU the
largest memory that was allocated there. The scene (0.1 GB) stays in the work folder and is used again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cameras import Intrinsics, look_at
from pipeline.formats.h5_schema import describe, new_h5, write_attributes
from pipeline.formats.scene_file import FIELDS, SCHEMA, VERSION

OBJECTS, POINTS, DEPTH = 2, 20_000, 4.0
LARGE = ("images", "object_ids", "flow_forward", "flow_backward", "flow_forward_valid", "flow_backward_valid")
# Windows change every few steps. Colours of frames (image_based_rendering) look at 130 000 rays of every frame, for an hour.
FEW: dict[str, dict[str, Any]] = {
    "train_osn": {
        "bootstrap_steps": 8, "steps": 12, "rounds": 1, "round_steps": 6, "window_steps": 5,
        "network_steps": 10, "scale_samples": 10,
    },
    "train_semantic_flow": {
        "static_steps": 10, "steps": 6, "window_steps": 5, "resume_seconds": 1.0, "image_based_rendering": False,
    },
    "render_views": {"observed_frames": 1, "path_frames": 1, "scale_samples": 1},
}  # fmt: skip
# Runs in a process of its own, whose largest resident set is the stage's.
STAGE = """
import json, sys
from pathlib import Path
from pipeline import config as settings
from pipeline.runtime.record import peak_memory_mb
import benchmarks.memory as memory
kind, folder, threads, options = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
import torch
torch.set_num_threads(threads)
memory.run(kind, folder, options)
device = torch.cuda.max_memory_allocated() / 1e6 if torch.cuda.is_available() else 0.0
print(json.dumps({"host_mb": peak_memory_mb(), "device_mb": device}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, nargs=2, default=(540, 960), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument(
        "--stages", nargs="+", choices=list(FEW), default=list(FEW), help="render_views needs train_osn before"
    )
    parser.add_argument("--options", type=json.loads, default={}, help="settings by stage, JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "memory_benchmark")
    chosen = parser.parse_args()
    folder = chosen.work / f"{chosen.frames}_{chosen.size[1]}x{chosen.size[0]}"
    if not (folder / "scene.h5").exists():
        write_long_scene(folder / "scene.h5", chosen.frames, *chosen.size)
    gigabytes = (folder / "scene.h5").stat().st_size / 1e9
    print(f"{chosen.frames} frames of {chosen.size[1]}x{chosen.size[0]}, scene.h5 has {gigabytes:.1f} GB", flush=True)
    for stage in chosen.stages:
        options = json.dumps({**FEW[stage], **chosen.options.get(stage, {})})
        command = [sys.executable, "-c", STAGE, stage, str(folder), str(chosen.threads), options]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        kept = sum(path.stat().st_size for path in (folder / stage).rglob("*") if path.is_file()) / 1e9
        print(
            f"{stage:20s} host {found['host_mb']:7.0f} MB, device {found['device_mb']:7.0f} MB, files {kept:.2f} GB",
            flush=True,
        )


def run(stage: str, folder: Path, options: dict[str, Any]) -> None:
    """One stage on the scene, into a folder of its own name."""
    from pipeline import config
    from pipeline.render_views import render_views
    from pipeline.train_osn import train_osn
    from pipeline.train_semantic_flow import train_semantic_flow

    out, scene = folder / stage, folder / "scene.h5"
    if stage == "train_osn":
        files = out / "checkpoint.pt", out / "history.csv", out / "scales.csv"
        train_osn(scene, None, *files, config.TrainOsnConfig(**options))
    elif stage == "train_semantic_flow":
        files_ = out / "checkpoint.pt", out / "history.csv"
        train_semantic_flow(scene, None, None, None, None, *files_, config.TrainSemanticFlowConfig(**options))
    else:
        checkpoint = folder / "train_osn" / "checkpoint.pt"
        render_views(
            checkpoint, scene, folder / "unused", None, None, out / "renders", config.RenderViewsConfig(**options)
        )


def write_long_scene(path: Path, frames: int, height: int, width: int) -> None:
    """A wall that a camera passes and a box before it, written frame by frame."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = small_fields(frames, height, width)
    with new_h5(path) as (file, disk):
        write_attributes(file, SCHEMA, VERSION, attributes(frames))
        for field in FIELDS:
            count = frames if field.name in LARGE[:2] else frames - 1
            if field.name not in LARGE:
                dataset = file.create_dataset(field.name, data=small[field.name].astype(field.dtype))
            else:
                tail = {"images": (3,), "flow_forward": (2,), "flow_backward": (2,)}.get(field.name, ())
                shape = (count, height, width, *tail)
                chunks = (1, *shape[1:])
                dataset = file.create_dataset(
                    field.name, shape, field.dtype, chunks=chunks, compression="lzf", fletcher32=True
                )
            describe(dataset, field)
        rng = np.random.default_rng(0)
        texture = np.kron(rng.integers(0, 255, (height // 4 + 1, width // 4 + 1, 3)), np.ones((4, 4, 1)))
        for frame in range(frames):
            file["images"][frame] = np.roll(texture[:height, :width], 2 * frame, axis=1)
            file["object_ids"][frame] = ids(frame, frames, height, width)
            if frame < frames - 1:
                for name, sign in (("flow_forward", 1), ("flow_backward", -1)):
                    file[name][frame] = np.full((height, width, 2), [2.0 * sign, 0], np.float32)
                    file[f"{name}_valid"][frame] = True
            disk.check()


def ids(frame: int, frames: int, height: int, width: int) -> np.ndarray:
    """The box moves across the picture."""
    found = np.zeros((height, width), np.uint8)
    left = int((0.1 + 0.5 * frame / frames) * width)
    found[height // 3 : 2 * height // 3, left : left + width // 5] = 1
    return found


def attributes(frames: int) -> dict[str, str]:
    from dataclasses import asdict

    from pipeline.formats.frame_files import KeptFrames

    objects = [{"id": k, "name": f"object {k}", "verdict": "ok", "reason": ""} for k in range(OBJECTS)]
    return {"objects": json.dumps(objects), "source": json.dumps(asdict(KeptFrames.all_of(frames)))}


def small_fields(frames: int, height: int, width: int) -> dict[str, np.ndarray]:
    """All that is not pixels: cameras on a line, and points at about one depth on the object that is seen there."""
    rng = np.random.default_rng(0)
    eyes = np.stack([np.linspace(-1, 1, frames), np.zeros(frames), np.full(frames, -DEPTH)], axis=-1)
    poses = np.stack([look_at(eye, np.zeros(3), np.array([0.0, 1, 0])) for eye in eyes])
    frame, row, column = (rng.integers(0, most, POINTS) for most in (frames, height, width))
    owner = np.array([ids(f, frames, height, width)[r, c] for f, r, c in zip(frame, row, column, strict=True)])
    return {
        "times_s": np.arange(frames) / 30,
        "intrinsics": Intrinsics.centred(0.9 * width, height, width).values,
        "object_from_camera": np.stack([poses, poses]),
        "visible": np.ones((OBJECTS, frames), bool),
        "box_half_extent": np.array([[3.0, 3, 3], [1.0, 1, 1]]),
        "scale_range": np.array([[1.0, 1], [0.5, 1.5]]),
        "depth_range": np.array([1.0, 10]),
        "observation_object": owner,
        "observation_frame": frame,
        "observation_xy": np.stack([column, row], axis=-1) + 0.5,
        "observation_depth": DEPTH - 0.5 * owner + 0.2 * rng.random(POINTS),
        "observation_weight": np.ones(POINTS),
    }


if __name__ == "__main__":
    main()
