"""What OSN's training reaches with true poses and masks, how fast, and how well it knows the valid scales.

    python -m benchmarks.osn --truth ../shared/data/workshop/truth.h5 --factor 2
    python -m benchmarks.osn --seeds 5 --objects 3 --options '{"steps": 600}'

Prints PSNR of held-out views at the true scale over wall time (looking is not counted), then a row per phase: steps,
seconds, milliseconds per ray, samples per ray; then ids that agree, and the intersection over union of predicted and
true valid region. Truth gives poses, masks and sparse depths: what other stages get wrong is not measured here.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.scene_from_truth import scene_from_truth
from models.osn.rendering import render_world
from models.workers import workers
from pipeline.cli import stage_device
from pipeline.config import SimulateSceneConfig, TrainOsnConfig
from pipeline.evaluate import as_validity
from pipeline.evaluation_scales import region_findings, true_region
from pipeline.osn_field_training import Material
from pipeline.osn_run import Run, started
from pipeline.osn_setup import Phase, training_pixels
from pipeline.render_views import view_rays
from pipeline.scene_file import Scene
from pipeline.simulate_scene import simulate_scene
from pipeline.train_osn import train
from pipeline.truth_file import Truth, TruthViews, read_truth

LOOKS = 4  # held-out views looked at while training


@dataclass
class Watch:
    """Looks on while a run trains: wall time without the looking, PSNR now and then, cost per phase."""

    scene: Scene
    views: TruthViews
    every_s: float
    begun: float = field(default_factory=time.monotonic)
    looking: float = 0.0
    looked: float = 0.0
    before: float = 0.0
    costs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0, 0.0, 0.0]))

    def seconds(self) -> float:
        return time.monotonic() - self.begun - self.looking

    def __call__(self, run: Run, phase: Phase) -> None:
        """After a step of the fields. What the network took since the last one counts as its own."""
        now = self.seconds()
        grid = "x".join(str(size) for size in run.fields.fields[0].resolution)
        cost = self.costs[f"{phase.name} {grid}"]
        for i, value in enumerate((1.0, now - self.before, run.rays, run.taken * run.rays)):
            cost[i] += value
        if now - self.looked > self.every_s:
            self.looked, start = now, time.monotonic()
            chosen = np.linspace(0, len(self.views.time) - 1, LOOKS).round().astype(int)
            psnr, _ = held_out(run, self.scene, self.views, chosen.tolist())
            print(f"{now:7.0f} s  step {run.field_step:5d}  {psnr:6.2f} dB", flush=True)
            self.looking += time.monotonic() - start
        self.before = self.seconds()


def held_out(run: Run, scene: Scene, views: TruthViews, chosen: list[int]) -> tuple[float, float]:
    """Mean PSNR of held-out views at the true scale, and the share of pixels whose object is right."""
    ones, psnr, right = torch.ones(scene.object_count), [], []
    with torch.no_grad():
        grids = run.fields.density_grids()
    for index in chosen:
        rays = view_rays(scene.camera, views.world_from_camera[index].astype(np.float64), int(views.time[index]))
        rays = rays.to(run.generator.device)
        rendering = render_world(run.fields, grids, rays, ones.to(run.generator.device))
        wanted = torch.from_numpy(views.images[index]).reshape(-1, 3) / 255
        psnr.append(float(-10 * (rendering.colour.cpu() - wanted).square().mean().log10()))
        ids = torch.from_numpy(views.object_ids[index].astype(np.int64)).flatten()
        right.append(float((rendering.object_weights.argmax(1).cpu() == ids).float().mean()))
    return float(np.mean(psnr)), float(np.mean(right))


def measure(truth: Truth, factor: int, config: TrainOsnConfig, every_s: float, keep: Path | None) -> dict[str, float]:
    """Train on a scene's truth and judge."""
    scene, test, centre = scene_from_truth(truth, factor)
    world = test.world_from_camera.copy()
    world[:, :3, 3] -= centre
    views = TruthViews(test.images, test.depth, test.object_ids, world, test.world_from_object, test.time)
    device = stage_device()
    run, pixels = started(scene, config, device), training_pixels(scene, config, device)
    watch = Watch(scene, views, every_s)
    with tempfile.TemporaryDirectory() as folder, workers(device) as spread:
        train(run, Material(scene, pixels, config, Path(folder) / "resume.pt", "", spread, watch))
    seconds = watch.seconds()
    for name, (steps, spent, rays, samples) in watch.costs.items():
        print(
            f"{name:24s} {steps:6.0f} steps {spent:7.1f} s {1e3 * spent / rays:8.4f} ms a ray {samples / rays:6.1f} samples a ray"
        )
    psnr, right = held_out(run, scene, views, list(range(len(views.time))))
    result = {"seconds": seconds, "psnr_db": psnr, "ids_percent": 100 * right}
    if keep:
        torch.save({"fields": run.fields, "network": run.network, "views": run.views}, keep)
    if run.network is None:
        return result
    ids, ones = list(range(scene.object_count)), np.ones(scene.object_count)
    region = true_region(truth, ones, ids, {k: k for k in ids})

    def score(scales: torch.Tensor) -> torch.Tensor:
        return run.network(run.network.normalised(scales))

    rows = region_findings(as_validity(score, device), region, scene.scale_range, "osn").rows
    return result | {row.metric: row.value for row in rows}


def simulated_truth(seed: int, objects: int, work: Path) -> Truth:
    """A simulated scene's truth, made once."""
    folder = work / f"seed{seed}_{objects}"
    if not (folder / "truth.h5").exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate_scene(folder / "video.mp4", folder / "truth.h5", SimulateSceneConfig(seed=seed, objects=objects))
    return read_truth(folder / "truth.h5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, nargs="*", default=[], help="truth.h5 of scenes")
    parser.add_argument("--seeds", type=int, default=0, help="simulated scenes besides")
    parser.add_argument("--objects", type=int, default=2, help="moving objects in them")
    parser.add_argument("--factor", type=int, default=2, help="images are shrunk by it")
    parser.add_argument("--every", type=float, default=15, help="seconds between two looks at the held-out views")
    parser.add_argument("--options", type=json.loads, default={}, help="of train_osn, JSON")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "osn_benchmark")
    parser.add_argument("--keep", type=Path, help="file for the trained state")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    config = TrainOsnConfig(**chosen.options)
    truths = {str(path): read_truth(path) for path in chosen.truth}
    truths |= {f"seed {seed}": simulated_truth(seed, chosen.objects, chosen.work) for seed in range(chosen.seeds)}
    results = {}
    for name, truth in truths.items():
        print(name, flush=True)
        results[name] = measure(truth, chosen.factor, config, chosen.every, chosen.keep)
        print("  ".join(f"{key} {value:.3f}" for key, value in results[name].items()), flush=True)
    for key in next(iter(results.values())):
        print(f"mean {key} {np.mean([result.get(key, np.nan) for result in results.values()]):.3f}")


if __name__ == "__main__":
    main()
