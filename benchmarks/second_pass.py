"""What the second pass of masks changes: masks, ids and poses before and after it, scene by scene.

    python -m benchmarks.second_pass --seeds 12 18 0 43 --work /tmp/second_pass
    python -m benchmarks.second_pass --scenes FOLDER --work /tmp/second_pass

Seeds are scenes of benchmarks/footage_kinds.py; a FOLDER has video.mp4 and truth.h5. Stages up to reconstruct_objects run
where `--work` has not their results yet; refine_masks runs in any case. Truth judges, no stage sees it.

Columns, each as before -> after:

    IoU         mean over true objects and frames; then of each object
    swap        id switches
    frames      frames with a pose, over all objects that were found and all frames that show them
    missed      pixels of objects that are called background, percent
    ignored     pixels of the background that are ignored, percent
    s           seconds of refine_masks, and its share of those of track_points and reconstruct_objects
"""

import argparse
import contextlib
import io
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import footage
from benchmarks.footage_kinds import kind_of, scene_settings
from benchmarks.geometry import as_frames_show
from pipeline.cameras import IGNORE_ID
from pipeline.evaluation.object_matching import id_switches, in_true_ids, match_objects, object_ious, resized_ids
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.masks_file import read_masks
from pipeline.sfm.colmap import read_tracked_model
from pipeline.simulate_scene import simulate_scene
from pipeline.truth.truth_file import read_truth

MEASURED = ("track_points", "reconstruct_objects")
Values = dict[str, Any]


def timed(stage: Callable[..., None], seconds: dict[str, float]) -> Callable[..., None]:
    """A stage that notes how long it took."""

    @wraps(stage)  # also of a stage that was timed for another scene
    def run(*arguments: Any) -> None:
        start = time.process_time()
        stage(*arguments)
        seconds[stage.__name__] = time.process_time() - start

    return run


def first_pass(folder: Path) -> dict[str, float]:
    """Seconds of the stages whose results are there, which are made if they are not."""
    noted = folder / "seconds.json"
    if not noted.exists():
        seconds: dict[str, float] = {}
        for name in MEASURED:
            setattr(footage, name, timed(getattr(footage, name), seconds))
        footage.first_pass(folder)
        noted.write_text(json.dumps(seconds))
    return dict(json.loads(noted.read_text()))


def second_pass(folder: Path) -> float:
    """Processor seconds of refine_masks."""
    start = time.process_time()
    footage.second_pass(folder)
    return time.process_time() - start


def judged(folder: Path, made: Path) -> Values:
    """Masks and poses of one pass against truth."""
    truth, info = read_truth(folder / "truth.h5"), read_frames_info(folder / "frames.json")
    rows = np.array([frame["source_index"] for frame in info["frames"]])
    target, _ = as_frames_show(truth, info)
    ids = resized_ids(read_masks(made / "masks.h5"), *target.shape[1:])
    matching = match_objects(ids, target)
    ious = {k: iou for k, iou in object_ious(in_true_ids(ids, matching), target).items() if k > 0}
    found = {k: true for k, true in matching.items() if true > 0 and (made / "reconstruction" / str(k)).exists()}
    models = {k: read_tracked_model(made / "reconstruction" / str(k), len(rows))[0] for k in found}
    shown = {k: (target == true).any((1, 2)) for k, true in found.items()}
    moving = target > 0
    return {
        "ious": ious,
        "swap": sum(id_switches(ids, target).values()),
        "posed": sum(int((models[k].registered & shown[k]).sum()) for k in found),
        "shown": sum(int((target == true).any((1, 2)).sum()) for true in ious),
        "missed": 100 * float((ids[moving] == 0).mean()),
        "ignored": 100 * float((ids[~moving] == IGNORE_ID).mean()),
    }


def line(name: str, before: Values, after: Values, spent: float, seconds: dict[str, float]) -> str:
    """One row of the table."""
    mean = [np.mean(list(one["ious"].values())) for one in (before, after)]
    each = " ".join(f"{k}:{before['ious'][k]:.2f}->{after['ious'][k]:.2f}" for k in before["ious"])
    share = 100 * spent / max(sum(seconds[name] for name in MEASURED), 1e-9) if seconds else float("nan")
    return (
        f"{name:18} {mean[0]:.2f} -> {mean[1]:.2f}   swap {before['swap']} -> {after['swap']}   "
        f"frames {before['posed']} -> {after['posed']} of {after['shown']}   "
        f"missed {before['missed']:.1f} -> {after['missed']:.1f}   "
        f"ignored {before['ignored']:.2f} -> {after['ignored']:.2f}   {spent:.0f} s, {share:.0f} %   {each}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="scenes of benchmarks/footage_kinds.py")
    parser.add_argument("--scenes", type=Path, nargs="*", default=[], help="folders with video.mp4 and truth.h5")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "second_pass")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    folders = []
    for seed in options.seeds:
        folders.append(options.work / f"{seed}_{kind_of(seed).replace(' ', '_')}")
        folders[-1].mkdir(parents=True, exist_ok=True)
        if not (folders[-1] / "truth.h5").exists():
            simulate_scene(folders[-1] / "video.mp4", folders[-1] / "truth.h5", scene_settings(seed))
    for scene in options.scenes:
        folders.append(options.work / scene.name)
        folders[-1].mkdir(parents=True, exist_ok=True)
        for name in ("video.mp4", "truth.h5"):
            if not (folders[-1] / name).exists():
                shutil.copyfile(scene / name, folders[-1] / name)
    for folder in folders:
        with contextlib.redirect_stderr(io.StringIO()):
            seconds = first_pass(folder)
            spent = second_pass(folder)
        print(
            line(folder.name, judged(folder, folder), judged(folder, folder / footage.REFINED), spent, seconds),
            flush=True,
        )


if __name__ == "__main__":
    main()
