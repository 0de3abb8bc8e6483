"""The valid region of scales, poses and views where objects hide each other: the whole graph on simulated scenes, against truth.

    python -m benchmarks.valid_regions --seeds 18 43 68 --masks true own --work FOLDER

Seeds are scenes of benchmarks/footage_kinds.py. Each goes through Snakemake from the video to evaluate with OSN, with true
masks given or with estimated ones; runs stay in `--work`, where a second call goes on. Truth makes the masks where asked for,
and judges; no stage sees it.

Columns:

    objects     moving objects found, of the true ones
    masks       mean IoU of masks over moving objects
    posed       frames with a pose, percent of those in which an object shows 150 pixels; a flat picture has none
    ids         mean IoU of ids in the observed views that are rendered
    region      overlap of the valid region with the true one: by pixels at 99 %; its precision, recall; area under the curve
    certain     overlap of its inner bound with the true region by objects at 99 %; then at 95 %
    wrong       samples of the inner bound that truth rejects, by objects at 95 %, percent
    nearest     PSNR of held-out views in the valid scene nearest to the truth
    fixed       that of the better of two fixed choices: the middle scale and the likeliest
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks.footage_kinds import kind_of, scene_settings
from benchmarks.geometry import as_frames_show, source_rows
from pipeline.evaluation.object_matching import match_objects, resized_ids
from pipeline.formats.frames_folder import frame_name, read_frames_info, write_image
from pipeline.formats.geometry_file import read_geometry
from pipeline.formats.masks_file import read_masks
from pipeline.runtime.atomic import whole
from pipeline.runtime.sources import ROOT
from pipeline.sfm.colmap import read_tracked_model
from pipeline.simulate_scene import simulate_scene
from pipeline.truth.truth_file import Truth, read_truth

SHOWN_PIXELS = 150
Values = dict[tuple[str, str], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True, help="scenes of benchmarks/footage_kinds.py")
    parser.add_argument("--masks", nargs="+", choices=["true", "own"], default=["true", "own"])
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "valid_regions")
    options = parser.parse_args()
    scenes = {f"{masks}_{seed}": made(options.work, seed, masks) for seed in options.seeds for masks in options.masks}
    for name in scenes:
        run(options.work, name, scenes, options.preset, options.cores)
    rows = [row(name, options.work / "results" / name, Path(scene["truth"])) for name, scene in scenes.items()]
    means = [
        {"scene": f"{masks}, mean"}
        | pd.DataFrame([found for found in rows if str(found["scene"]).startswith(masks)])
        .mean(numeric_only=True)
        .to_dict()
        for masks in options.masks
    ]
    print(pd.DataFrame([*rows, *means]).to_string(index=False, float_format="%.2f", na_rep=""))


def made(work: Path, seed: int, masks: str) -> dict[str, str]:
    """A scene's section of config.yaml, its files made unless they are there."""
    folder = work / "scenes" / f"{seed}_{kind_of(seed).replace(' ', '_')}"
    video, truth, given = folder / "video.mp4", folder / "truth.h5", folder / "masks"
    if not truth.exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate_scene(video, truth, scene_settings(seed))
    if not given.exists():
        with whole(given) as partial:
            partial.mkdir()
            for index, ids in enumerate(read_truth(truth).train.object_ids):
                write_image(partial / frame_name(index), ids)
    section = {"video": str(video.resolve()), "truth": str(truth.resolve())}
    return section | ({"masks": str(given.resolve())} if masks == "true" else {})


def run(work: Path, name: str, scenes: dict[str, dict[str, str]], preset: str, cores: int) -> None:
    """One scene from its video to its metrics, as far as they are not there; a run that fails is said and left out."""
    config = work / "config.yaml"
    config.write_text(yaml.safe_dump({"scenes": scenes, "method": "osn", "preset": preset}))
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--directory", str(work)]
    command += ["--cores", str(cores), "--configfile", str(config), "--", f"results/{name}/metrics.csv"]
    with (work / f"{name}.log").open("w") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT)
    print(f"{name}: {'done' if done.returncode == 0 else f'FAILED, see {log.name}'}", flush=True)


def row(name: str, results: Path, truth: Path) -> dict[str, str | float]:
    """A line of the table; without numbers where the run has failed."""
    if not (results / "metrics.csv").exists():
        return {"scene": name}
    values = metrics(results / "metrics.csv")

    def osn(item: str, metric: str) -> float:
        return values.get((item, metric), np.nan)

    found, true = posed_frames(results, read_truth(truth))
    return {
        "scene": name,
        "objects": found["objects"],
        "of": true["objects"],
        "masks": values.get(("segment_objects all", "miou"), np.nan),
        "posed %": 100 * found["frames"] / max(true["frames"], 1),
        "ids": osn("observed", "miou"),
        "region": osn("all", "valid_region_iou"),
        "precision": osn("all", "valid_region_precision"),
        "recall": osn("all", "valid_region_recall"),
        "auc": osn("all", "valid_region_auc"),
        "certain 99": osn("objects_99", "valid_region_iou"),
        "95": osn("objects_95", "valid_region_iou"),
        "wrong %": 100 * (1 - osn("objects_95", "valid_region_precision")),
        "nearest": osn("held_out", "psnr_db"),
        "fixed": max(osn("fixed_middle", "psnr_db"), osn("fixed_prior", "psnr_db")),
    }


def metrics(path: Path) -> Values:
    """Values of metrics.csv by item and metric: those of OSN's training and views, and of masks with their stage's name."""
    with path.open() as file:
        rows = [line for line in csv.DictReader(file) if line["value"]]
    of_masks = {(f"{line['stage']} {line['item']}", line["metric"]): float(line["value"]) for line in rows}
    stages = ("train_osn", "render_views")
    return of_masks | {(line["item"], line["metric"]): float(line["value"]) for line in rows if line["stage"] in stages}


def posed_frames(results: Path, truth: Truth) -> tuple[dict[str, int], dict[str, int]]:
    """Objects, and frames in which one shows enough of itself: those with a pose, and all."""
    info = read_frames_info(results / "frames.json")
    target, _ = as_frames_show(truth, info)
    ids = resized_ids(read_masks(results / "refined" / "masks.h5"), *target.shape[1:])
    estimated = {true: k for k, true in match_objects(ids, target).items()}
    judged = read_geometry(results / "refined" / "geometry.json").objects
    flat = {entry.id for entry in judged if entry.method == "fronto_parallel"}
    scale = truth.train.object_ids[0].size / target[0].size
    found, true = {"objects": 0, "frames": 0}, {"objects": 0, "frames": 0}
    for k in (int(k) for k in np.unique(target) if 0 < k < 255):
        shown = (target == k).sum((1, 2)) * scale >= SHOWN_PIXELS
        true = {"objects": true["objects"] + 1, "frames": true["frames"] + int(shown.sum())}
        model = results / "refined" / "reconstruction" / str(estimated.get(k, ""))
        if k in estimated and model.exists():
            registered = read_tracked_model(model, len(source_rows(info)))[0].registered & (estimated[k] not in flat)
            found = {"objects": found["objects"] + 1, "frames": found["frames"] + int((registered & shown).sum())}
    return found, true


if __name__ == "__main__":
    main()
