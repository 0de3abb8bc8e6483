"""Poses of every object against truth: scenes given by folder, and simulated ones of many kinds (benchmarks/footage_kinds.py).

    python -m benchmarks.geometry --scene FOLDER --masks true own
    python -m benchmarks.geometry --seeds 0 25 --work /tmp/geometry

Prints a row per object, then how good and how honest the stage is as a whole: silent failures (bad, yet `ok`) and false
alarms (good, yet weak); then the calibration: the share of true errors within one and two stated standard deviations, of
everything and of what is called ok. With `--work`, all files are kept there: a second call goes on where the first was
stopped, and `--again` reconstructs anew from the tracks that are there.
Truth makes the masks where asked for, and judges; no stage sees it.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from benchmarks.footage_kinds import KINDS, kind_of, scene_settings
from pipeline.cameras import transform
from pipeline.config import (
    EstimateFlowConfig,
    ExtractFramesConfig,
    ReconstructObjectsConfig,
    SegmentObjectsConfig,
    TrackPointsConfig,
)
from pipeline.estimate_flow import estimate_flow
from pipeline.evaluation.geometry import LEAST_PATH, true_object_from_camera
from pipeline.evaluation.object_matching import match_objects, resized_ids
from pipeline.extract_frames import extract_frames
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.geometry_file import Geometry, ObjectGeometry, read_geometry
from pipeline.formats.masks_file import read_masks, write_masks, write_objects
from pipeline.formats.source_view import SourceShape
from pipeline.geometry.similarity_alignment import rotation_error_deg, trajectory_error_percent
from pipeline.reconstruct_objects import reconstruct_objects
from pipeline.segment_objects import segment_objects
from pipeline.sfm.colmap import read_tracked_model
from pipeline.sfm.rigid_model import Observations, RigidModel
from pipeline.simulate_scene import simulate_scene
from pipeline.track_points import track_points
from pipeline.truth.truth_file import Truth, TruthViews, read_truth

BAD_DEG, BAD_PERCENT = 3.0, 10.0  # an object worse than either must not be `ok`
FEWEST_DEPTHS = 4  # of an object in a frame
HEADER = (
    f"{'scene':<22}{'masks':<6}{'object':>6}{'frames':>9}{'rot deg':>9}{'± deg':>8}{'ATE %':>8}{'± %':>8}  "
    f"{'verdict':<8}method, doubts"
)


@dataclass(frozen=True)
class Result:
    """One object's errors beside what the stage says of them."""

    scene: str
    masks: str
    object_id: int
    registered: int
    frames: int
    rotation_deg: float
    trajectory_percent: float
    entry: ObjectGeometry
    focal_sigmas: float = np.nan  # error of the focal length in its own standard deviations; of the background alone
    depth_percent: float = np.nan  # error of a moving object's distance, frame by frame, but for a scale

    @property
    def sigmas(self) -> dict[str, float]:
        """True errors in the standard deviations that the stage states; NaN where it states none."""
        own = self.entry.numbers
        keys = ("rotation_std_deg", "trajectory_std_percent", "depth_std_percent")
        stated = (own.get(key, np.nan) for key in keys)
        who = "camera" if self.object_id == 0 else "object"
        own_errors = (self.rotation_deg, self.trajectory_percent, self.depth_percent)
        errors = zip(("rotation", "path", "depth"), own_errors, stated, strict=True)
        return {f"{who} {what}": error / std for what, error, std in errors} | {"focal length": self.focal_sigmas}

    @property
    def bad(self) -> bool:
        return self.rotation_deg > BAD_DEG or self.trajectory_percent > BAD_PERCENT

    @property
    def sound(self) -> bool:
        return self.entry.verdict == "ok"

    @property
    def line(self) -> str:
        expected = [self.entry.numbers.get(key, np.nan) for key in ("rotation_std_deg", "trajectory_std_percent")]
        doubts = "" if self.sound else f", {self.entry.reason}"
        focal = f", focal length {self.focal_sigmas:.2f} sigma off" if np.isfinite(self.focal_sigmas) else ""
        mark = "!" if self.bad and self.sound else "?" if not self.bad and not self.sound else " "
        return (
            f"{self.scene:<22}{self.masks:<6}{self.object_id:>6}{self.registered:>5}/{self.frames:<3}"
            f"{self.rotation_deg:>9.3f}{expected[0]:>8.2f}{self.trajectory_percent:>8.2f}{expected[1]:>8.2f} {mark}"
            f"{self.entry.verdict:<8}{self.entry.method}{focal}{doubts}"
        )


def prepare(folder: Path) -> None:
    """Frames and flow of a folder's video, unless they are there."""
    if not (folder / "flow.h5").exists():
        extract_frames(folder / "video.mp4", None, folder / "frames", folder / "frames.json", ExtractFramesConfig())
        estimate_flow(folder / "frames", None, folder / "flow.h5", EstimateFlowConfig())


def make_masks(folder: Path, kind: str) -> Path:
    """The folder of the true masks or of the pipeline's own, made unless it is there."""
    made = folder / kind
    if (made / "objects.json").exists():
        return made
    made.mkdir(exist_ok=True)
    info = read_frames_info(folder / "frames.json")
    if kind == "own":
        outputs = (made / "masks.h5", made / "objects.json")
        segment_objects(
            folder / "frames", folder / "frames.json", folder / "flow.h5", None, None, *outputs, SegmentObjectsConfig()
        )
        return made
    object_ids, _ = as_frames_show(read_truth(folder / "truth.h5"), info)
    write_masks(made / "masks.h5", object_ids, {"backend": "truth"})
    ids = [int(k) for k in np.unique(object_ids) if k < 255]
    entries = [{"id": k, "name": f"object {k}", "evidence": {}, "confidence": 1.0} for k in ids]
    write_objects(made / "objects.json", "truth", entries, [])
    return made


def reconstruct(folder: Path, made: Path, again: bool) -> float:
    """Run both stages, as far as their files are not there; the seconds that they took."""
    start = time.monotonic()
    frames, masks, tracks = folder / "frames", made / "masks.h5", made / "tracks.h5"
    if not tracks.exists():
        track_points(frames, folder / "flow.h5", masks, tracks, TrackPointsConfig())
    if (made / "geometry.json").exists() and not again:
        return time.monotonic() - start
    inputs = (frames, folder / "frames.json", tracks, masks, made / "objects.json")
    reconstruct_objects(*inputs, None, made / "reconstruction", made / "geometry.json", ReconstructObjectsConfig())
    return time.monotonic() - start


def judged(name: str, folder: Path, made: Path) -> list[Result]:
    """Every object that truth knows, beside its true poses."""
    truth, info = read_truth(folder / "truth.h5"), read_frames_info(folder / "frames.json")
    target, focals = as_frames_show(truth, info)
    matching = match_objects(resized_ids(read_masks(made / "masks.h5"), *target.shape[1:]), target)
    geometry, rows = read_geometry(made / "geometry.json"), source_rows(info)
    found = [
        compared(name, made, entry, truth.train, rows, matching[entry.id])
        for entry in geometry.objects
        if entry.id in matching
    ]
    sigmas = focal_sigmas(geometry, focals)
    return [replace(result, focal_sigmas=sigmas) if result.object_id == 0 else result for result in found]


def source_rows(info: dict[str, Any]) -> Int[np.ndarray, "frame"]:
    """Which of the video's frames were kept."""
    return np.array([frame["source_index"] for frame in info["frames"]])


def as_frames_show(
    truth: Truth, info: dict[str, Any]
) -> tuple[UInt8[np.ndarray, "frame height width"], Float[np.ndarray, "frame"]]:
    """True ids of the part of the video that the frames show, and their true focal lengths in pixels of the frames."""
    rows = source_rows(info)
    ids, focals = truth.train.object_ids[rows], np.array([truth.camera(truth.train, row).fx for row in rows])
    view, shape = KeptFrames.of_info(info).view, SourceShape.of_info(info)
    part = shape.crop.width / shape.size[1] if shape.crop else 1.0
    seen = np.stack([view.apply(one, exact=True) for one in ids]) if view else ids
    return seen, focals * info["width"] / (part * truth.size[1])


def focal_sigmas(geometry: Geometry, true_px: Float[np.ndarray, "frame"]) -> float:
    """Error of the focal length in its standard deviations, of a zoom the mean over its frames; NaN of one that is given."""
    found = float(geometry.lens["params"][0]) if geometry.lens else geometry.intrinsics[0]
    std = (geometry.focal_std_px or np.nan) * found / geometry.intrinsics[0]
    return float(np.abs(found - true_px).mean() / std)


def calibration(results: list[Result]) -> Iterable[str]:
    """For each kind of number, the share of true errors within one and two stated standard deviations: 68 and 95 % if honest."""
    for name, chosen in (("all", results), ("ok", [result for result in results if result.sound])):
        for kind in sorted({kind for result in chosen for kind in result.sigmas}):
            values = np.array([result.sigmas.get(kind, np.nan) for result in chosen])
            values = values[np.isfinite(values)]
            if len(values):
                within = [100 * float((values < limit).mean()) for limit in (1, 2)]
                yield (
                    f"{name}, {kind}: {within[0]:.0f} % within one sigma, {within[1]:.0f} % within two "
                    f"({len(values)} values, median {np.median(values):.2f} sigma, 95 % within "
                    f"{np.quantile(values, 0.95):.2f}, largest {values.max():.1f})"
                )


def compared(
    name: str, made: Path, entry: ObjectGeometry, views: TruthViews, rows: Int[np.ndarray, "frame"], true: int
) -> Result:
    """One object's errors; infinite where it has no poses."""
    model, seen = read_tracked_model(made / "reconstruction" / str(entry.id), len(rows))
    known, errors = model.registered, (np.inf, np.inf)
    if known.sum() > 2:
        target = true_object_from_camera(views, true)[rows][known].astype(np.float64)
        poses = model.object_from_camera[known]
        errors = (rotation_error_deg(poses, target), path_error_percent(poses, target, views))
    depth = depth_error_percent(model, seen, views, rows, true) if true else np.nan
    return Result(name, made.name, true, int(known.sum()), len(rows), *errors, entry, depth_percent=depth)


def depth_error_percent(
    model: RigidModel, seen: Observations, views: TruthViews, rows: Int[np.ndarray, "frame"], true: int
) -> float:
    """How far an object's depth is off, frame by frame, but for a scale of all frames: of the points that each shows."""
    ratios = []
    for frame, row in enumerate(rows.tolist()):
        own = seen.kept((seen.frame == frame) & model.has_point[seen.track] & model.registered[seen.frame])
        height, width = views.depth[row].shape
        x, y = (own.xy * width / model.camera.width).astype(int).T.clip(0, [[width - 1], [height - 1]])
        shown = views.object_ids[row, y, x] == true
        if shown.sum() >= FEWEST_DEPTHS:
            points = transform(model.camera_from_object[frame], model.points[own.track[shown]])
            ratios.append(np.median(np.log(points[:, 2] / views.depth[row, y[shown], x[shown]])))
    return float(100 * np.std(ratios)) if len(ratios) > 2 else np.nan


def path_error_percent(
    poses: Float[np.ndarray, "frame 4 4"], target: Float[np.ndarray, "frame 4 4"], views: TruthViews
) -> float:
    """Error of a path; NaN of a camera that stays in its place."""
    spread = np.linalg.norm(target[:, :3, 3] - target[:, :3, 3].mean(0), axis=1).mean()
    moves = spread > LEAST_PATH * np.median(views.depth[views.depth > 0])
    return trajectory_error_percent(poses, target) if moves else np.nan


def summary(results: list[Result]) -> Iterable[str]:
    """What the table says as a whole."""
    moving = [result for result in results if result.object_id > 0]
    if not moving:
        return
    rotation, path = (np.nanmedian([getattr(r, key) for r in moving]) for key in ("rotation_deg", "trajectory_percent"))
    good, bad = [r for r in moving if not r.bad], [r for r in moving if r.bad]
    yield f"{len(moving)} moving objects: median {rotation:.2f} deg, {path:.2f} %"
    yield f"silent failures (!): {sum(r.sound for r in bad)} of {len(bad)} bad objects"
    yield f"false alarms (?): {sum(not r.sound for r in good)} of {len(good)} good objects"


def put_scenes(options: argparse.Namespace, work: Path) -> list[Path]:
    """Folders with video.mp4 and truth.h5, one a scene."""
    folders = []
    for scene in options.scene:
        folder = work / scene.resolve().name
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("video.mp4", "truth.h5"):
            if not (folder / file).exists():
                (folder / file).symlink_to((scene / file).resolve())
        folders.append(folder)
    for seed in range(*options.seeds):
        folder = work / f"{seed}_{kind_of(seed).replace(' ', '_')}"
        if kind_of(seed) not in options.kinds:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "truth.h5").exists():
            # Nothing judges views that are held out: one is enough.
            config = scene_settings(seed).model_copy(update={"held_out_views": 1})
            simulate_scene(folder / "video.mp4", folder / "truth.h5", config)
        folders.append(folder)
    return folders


def run(options: argparse.Namespace, work: Path) -> None:
    """Print the table as it grows, then its summary."""
    results: list[Result] = []
    print(HEADER, flush=True)
    for folder in put_scenes(options, work):
        prepare(folder)
        for kind in options.masks:
            made = make_masks(folder, kind)
            seconds = reconstruct(folder, made, options.again)
            found = judged(folder.name, folder, made)
            results.extend(found)
            print(
                *(result.line for result in found), f"{folder.name:<22}{kind:<6}{seconds:>6.0f} s", sep="\n", flush=True
            )
    print(*summary(results), *calibration(results), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scene", type=Path, nargs="*", default=[], help="folders with video.mp4 and truth.h5")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 0), metavar=("FROM", "TO"), help="simulated scenes")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--again", action="store_true", help="reconstruct anew")
    parser.add_argument("--masks", nargs="+", choices=["true", "own"], default=["true"])
    parser.add_argument("--work", type=Path, help="keep what the scenes are made of here")
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    if options.work:
        run(options, options.work)
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(options, Path(folder))


if __name__ == "__main__":
    main()
