"""Seconds that check_inputs takes on a clip with all extras, and how they are spent.

    python -m benchmarks.check_inputs [--frames 300] [--width 1280] [--height 720]

The clip is never decoded: frames.json, one mask, label map and depth map a frame, a COLMAP model with points, and truth.h5
are made here, at the video's size.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from pipeline.cameras import Intrinsics
from pipeline.check_inputs import check_inputs
from pipeline.config import CheckInputsConfig
from pipeline.sfm.colmap import write_model
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors

LONGEST_S = 5.0
EXTRAS = ("mask_folder", "poses", "labels", "depth", "truth")
POINTS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, size = Path(name), (arguments.height, arguments.width)
        extras = write_extras(folder, arguments.frames, size)
        for kind in (*((kind,) for kind in EXTRAS), EXTRAS):
            seconds = timed(partial(checked, folder, {one: extras[one] for one in kind}))
            print(f"{'all' if kind == EXTRAS else kind[0]:12} {seconds:6.2f} s", flush=True)
    print(f"the stage has {LONGEST_S:g} s: {'met' if seconds < LONGEST_S else 'missed'}")


def timed(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def checked(folder: Path, given: dict[str, Path]) -> None:
    nothing = dict.fromkeys(EXTRAS)
    check_inputs(folder / "frames.json", **(nothing | given), inputs=folder / "inputs.json", config=CheckInputsConfig())


def write_extras(folder: Path, count: int, size: tuple[int, int]) -> dict[str, Path]:
    """frames.json of a clip that is reduced to 480 pixels, and everything that a person could give beside it."""
    height, width = size
    small = (round(height * 480 / width), 480)
    rows = [{"file": f"{t:06d}.png", "source_index": t, "time_s": t / 30} for t in range(count)]
    source = {"name": "clip.mp4", "frames": count, "height": height, "width": width}
    (folder / "frames.json").write_text(
        json.dumps({"frames": rows, "height": small[0], "width": small[1], "source": source})
    )
    for name in ("masks", "labels", "depth"):
        (folder / name).mkdir()
    rng = np.random.default_rng(0)
    depth = rng.uniform(2, 9, size).astype(np.float32)
    for t in range(count):
        ids = np.zeros(size, np.uint8)
        ids[100:400, 2 * t : 2 * t + 200], ids[300:500, 500:900] = 1, 2
        Image.fromarray(ids).save(folder / "masks" / f"{t:05d}.png", compress_level=1)
        Image.fromarray(ids).save(folder / "labels" / f"{t:05d}.png", compress_level=1)
        np.save(folder / "depth" / f"{t:05d}.npy", depth)
    write_colmap(folder / "sparse" / "0", count, Intrinsics.centred(0.9 * width, height, width), rng)
    write_truth_file(folder / "truth.h5", count, small)
    return {
        "mask_folder": folder / "masks",
        "poses": folder / "sparse",
        "labels": folder / "labels",
        "depth": folder / "depth",
        "truth": folder / "truth.h5",
    }


def write_colmap(folder: Path, count: int, camera: Intrinsics, rng: np.random.Generator) -> None:
    """A model in which every image sees every point."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 0, 3] = np.linspace(0, 1, count)
    points = rng.uniform([-3, -2, 5], [3, 2, 9], (POINTS, 3))
    camera_points = points[:, None] + poses[:, :3, 3]
    xy = camera_points[..., :2] / camera_points[..., 2:] * camera.fx + [camera.cx, camera.cy]
    track, frame = np.repeat(np.arange(POINTS), count), np.tile(np.arange(count), POINTS)
    seen = Observations(track, frame, xy.reshape(-1, 2), equal_errors(np.ones(len(track))), POINTS, count)
    write_model(folder, RigidModel(poses, points, camera, "known"), seen)


def write_truth_file(path: Path, count: int, size: tuple[int, int]) -> None:
    """Truth with images of every frame, compressed as simulate_scene's."""
    height, width = size
    with h5py.File(path, "w") as file:
        for name in ("train", "test"):
            file.create_dataset(f"{name}/time", data=np.arange(count))
            file.create_dataset(f"{name}/world_from_camera", data=np.tile(np.eye(4), (count, 1, 1)))
            file.create_dataset(
                f"{name}/images",
                shape=(count, height, width, 3),
                dtype=np.uint8,
                chunks=(1, height, width, 3),
                compression="gzip",
            )
        file.attrs.update(height=height, width=width, objects=3, focal_px=0.9 * width)


if __name__ == "__main__":
    main()
