"""Scenes of which 50 combinations of scales are true, as all of them show the same video: the paper's Table 2.

    python -m benchmarks.multi_truth --seeds 0 1 2
    python -m benchmarks.multi_truth --seeds 4 5 --objects 3 --candidates 3

Simulates a scene, trains on its true poses and masks, and shows each of its true scenes by the nearest of 1000 valid
scenes that the scale network gave (`--candidates`: the best of so many nearest ones). Prints mean and standard deviation
over the true scenes of PSNR, SSIM, LPIPS (where AlexNet's weights are in weights/) and aligned depth error, and besides:

    observed   PSNR of the video's own views, mean over sampled scenes: an invalid scene does not show the video
    samples    PSNR in held-out views of the scene that was filmed, mean over sampled scenes
    valid      share of the 1000 scenes that are truly valid

Beside the method: its fields at one fixed scale an object (the middle of the range; what contact and motion suggest;
the one that was filmed, as a perfect depth sensor would give it; and the mean of the true scenes' scales, which nobody
can know), and two trainings without scale network: at the middle scale, and at uniform ones.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from benchmarks.scene_from_truth import scene_from_truth
from pipeline.config import RenderViewsConfig, SimulateSceneConfig, TrainOsnConfig
from pipeline.evaluation.lpips import Lpips, load_lpips
from pipeline.evaluation.rendering import observed_findings
from pipeline.evaluation.scales import TrueRegion, true_region
from pipeline.evaluation.scenes import comparison_findings
from pipeline.formats.renders_folder import Renders
from pipeline.formats.scene_file import Scene, write_scene
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.rendering.trained_method import TrainedMethod, load_method
from pipeline.rendering.valid_scales import ValidScales, valid_scales
from pipeline.rendering.view_pictures import write_views
from pipeline.rendering.view_plans import Plan, held_out_cameras, plan_held_out, plan_scenes, planned_set
from pipeline.simulate_scene import simulate_scene
from pipeline.train_osn import train_osn
from pipeline.truth.truth_file import Truth, read_truth

TRAINING = {"bootstrap_steps": 150, "steps": 500, "round_steps": 60, "grids": [40, 64]}
VARIANTS = {
    "network": "OSN, best of 1000",
    "middle": "trained at the middle scale",
    "uniform": "no network: uniform scales",
}
ITEMS = {
    "scenes": "OSN, best of 1000",
    "scenes_fixed_middle": "fixed: middle of the range",
    "scenes_fixed_prior": "fixed: contact and motion",
    "scenes_fixed_filmed": "fixed: exact depth",
    "scenes_fixed_best": "fixed: mean of the truths",
}
SAMPLES, OBSERVED = 6, 4


@dataclass(frozen=True)
class Bench:
    """One simulated scene: what is trained on, and all that it is judged by."""

    folder: Path
    scene: Scene
    truth: Truth
    info: dict[str, Any]
    region: TrueRegion


def simulated(seed: int, settings: SimulateSceneConfig, work: Path) -> Bench:
    """A scene with its other true scenes; simulated once for the same settings."""
    config = settings.model_copy(update={"seed": seed})
    folder = work / f"{seed}_{config.objects}_{config.frames}_{config.width}x{config.height}_{config.combinations}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "truth.h5").exists():
        simulate_scene(folder / "video.mp4", folder / "truth.h5", config)
    truth = read_truth(folder / "truth.h5")
    scene, _, _ = scene_from_truth(truth)
    write_scene(folder / "scene.h5", scene, {})
    ids = list(range(scene.object_count))
    region = true_region(truth, np.ones(scene.object_count), ids, {k: k for k in ids})
    assert isinstance(region, TrueRegion)
    return Bench(folder, scene, truth, {"frames": [{"source_index": int(t)} for t in truth.train.time]}, region)


def trained(bench: Bench, scales: str, options: dict[str, Any]) -> TrainedMethod:
    """A trained method; trained once for the same settings."""
    config = TrainOsnConfig.model_validate(
        {**TRAINING, **options, "ablation": {**options.get("ablation", {}), "scales": scales}}
    )
    folder = bench.folder / scales
    checkpoint, settings = folder / "checkpoint.pt", folder / "settings.json"
    if not settings.exists() or settings.read_text() != config.model_dump_json():
        train_osn(bench.folder / "scene.h5", None, checkpoint, folder / "history.csv", folder / "scales.csv", config)
        settings.write_text(config.model_dump_json())
    return load_method(checkpoint, bench.scene, torch.device("cpu"))


def fixed(method: TrainedMethod, bench: Bench) -> dict[str, Float[np.ndarray, "object"]]:
    """The scales of all baselines."""
    assert bench.truth.scenes is not None
    best = np.exp(np.log(bench.truth.scenes.scales).mean(0))
    return {**method.fixed_scales(None), "filmed": np.ones(bench.scene.object_count), "best": best}


def observed_plans(bench: Bench, valid: ValidScales) -> list[Plan]:
    """Some of the video's own views of scenes from all over the samples."""
    frames = evenly_chosen(bench.scene.frame_count, OBSERVED)
    poses = bench.scene.object_from_camera[0, frames].astype(np.float64)
    return [
        Plan(planned_set(f"observed_{n}", "observed", valid.scales[n].tolist(), 1.0, frames, fps=1.0), poses)
        for n in evenly_chosen(len(valid.scales), SAMPLES)
    ]


def judge(bench: Bench, method: TrainedMethod, baselines: bool, candidates: int, lpips: Lpips | None) -> pd.DataFrame:
    """Numbers of one trained method by item and metric."""
    assert bench.truth.scenes is not None
    config = RenderViewsConfig(held_out_samples=SAMPLES, held_out_candidates=candidates)
    valid = valid_scales(method, [], "")
    views = held_out_cameras(bench.scene, bench.info, bench.truth, config)
    assert views is not None
    plans = plan_held_out(bench.scene, valid, fixed(method, bench) if baselines else {}, views, config)
    plans += plan_scenes(bench.scene, valid, bench.truth.scenes, views, config) + observed_plans(bench, valid)
    ids = list(range(bench.scene.object_count))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_views(folder, [(plan, method) for plan in plans], config.rays_per_chunk)
        listed = Renders(
            method="osn", valid_scales=len(valid.scales), object_ids=ids, sets=[plan.entry for plan in plans]
        )
        found = comparison_findings(folder, listed, bench.truth, lpips)
        seen = observed_findings(folder, listed, bench.scene, None)
    table = pd.DataFrame([(row.item, row.metric, row.value) for row in found.rows], columns=["item", "metric", "value"])
    numbers = table.pivot(index="item", columns="metric", values="value")
    numbers.loc["scenes", "observed"] = np.mean([row.value for row in seen.rows if row.metric == "psnr_db"])
    numbers.loc["scenes", "samples"] = numbers["psnr_db"].get("samples", np.nan)
    numbers.loc["scenes", "valid"] = bench.region.valid(valid.scales).mean()
    return numbers


def compare(bench: Bench, options: dict[str, Any], candidates: int, lpips: Lpips | None) -> pd.DataFrame:
    """The table of one scene."""
    rows: dict[str, pd.Series] = {}
    for scales, title in VARIANTS.items():
        numbers = judge(bench, trained(bench, scales, options), scales == "network", candidates, lpips)
        chosen = ITEMS if scales == "network" else {"scenes": title}
        rows |= {name: numbers.loc[item] for item, name in chosen.items()}
    return pd.DataFrame(rows).T


def shown(table: pd.DataFrame) -> str:
    """The table with means and standard deviations together."""
    columns = {}
    for metric, digits in (("psnr_db", 2), ("ssim", 3), ("lpips", 3), ("depth_mae", 3)):
        if metric in table:
            pairs = zip(table[metric], table[f"{metric}_std"], strict=True)
            columns[metric] = [f"{mean:.{digits}f} ± {spread:.{digits}f}" for mean, spread in pairs]
    for name in ("observed", "samples", "valid"):
        columns[name] = ["" if np.isnan(value) else f"{value:.2f}" for value in table[name]]
    return pd.DataFrame(columns, index=table.index).to_string()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--objects", type=int, default=2, help="moving objects")
    parser.add_argument("--combinations", type=int, default=50, help="true scenes")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 96), help="width and height")
    parser.add_argument("--candidates", type=int, default=1, help="nearest valid scenes of which the best counts")
    parser.add_argument("--options", type=json.loads, default={}, help="of train_osn, JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "multi_truth")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    width, height = chosen.size
    settings = SimulateSceneConfig(
        objects=chosen.objects, frames=chosen.frames, width=width, height=height, combinations=chosen.combinations
    )
    tables, lpips = [], load_lpips(chosen.weights)
    for seed in chosen.seeds:
        bench = simulated(seed, settings, chosen.work)
        tables.append(compare(bench, chosen.options, chosen.candidates, lpips))
        print(f"seed {seed}\n{shown(tables[-1])}\n", flush=True)
    print(f"mean over {len(tables)} scenes\n{shown(sum(tables[1:], tables[0]) / len(tables))}")
    print("LPIPS needs AlexNet's weights under weights/" if lpips is None else "")


if __name__ == "__main__":
    main()
