"""What OSN's training reaches with true poses and masks, how fast, and how well it knows the valid scales.

    python -m benchmarks.osn --truth TRUTH.h5 --factor 2
    python -m benchmarks.osn --seeds 5 --objects 3 --options '{"steps": 600}'

    python -m benchmarks.osn --results results/demo

Prints PSNR of held-out views at the true scale over wall time (looking is not counted), then a row per phase: steps,
seconds, milliseconds per step and per ray, samples per ray; then ids that agree, milliseconds per rendered view, and
the intersection over union of predicted and true valid region. With --truth and --seeds poses, masks and sparse depths
are true: what other stages get wrong is not measured. With --results they are those of a finished run.
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
from jaxtyping import Float, UInt8

from benchmarks.scene_from_truth import scene_from_truth
from models.ops.parallel import workers
from models.osn.hiding import border_error, worst_hidden
from models.osn.rendering import render_world
from pipeline.config import SimulateSceneConfig, TrainOsnConfig
from pipeline.evaluation.known_truth import known_truth
from pipeline.evaluation.rendering import held_out_target
from pipeline.evaluation.scales import as_validity, region_findings, true_region
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.lens import straight_ids
from pipeline.formats.masks_file import read_masks
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.osn.depth_supervision import told_depths
from pipeline.osn.setup import Phase, training_pixels
from pipeline.osn.training import TrainingContext
from pipeline.osn.training_state import TrainingState, started
from pipeline.rendering.view_pictures import view_rays
from pipeline.runtime.device import stage_device
from pipeline.simulate_scene import simulate_scene
from pipeline.train_osn import judging_views, train
from pipeline.truth.shown_truth import shown_truth
from pipeline.truth.truth_file import Truth, read_truth

LOOKS = 4  # held-out views looked at while training


@dataclass(frozen=True)
class Case:
    """A scene to train on, and held-out views to judge by: cameras in the scene's world, and what they should see."""

    scene: Scene
    world_from_camera: Float[np.ndarray, "view 4 4"]
    frames: list[int]
    images: UInt8[np.ndarray, "view height width rgb=3"]
    object_ids: UInt8[np.ndarray, "view height width"]
    truth: Truth
    true_scales: Float[np.ndarray, "object"]
    matching: dict[int, int]


def true_case(truth: Truth, factor: int) -> Case:
    """True poses, masks and depths."""
    scene, test, centre = scene_from_truth(truth, factor)
    world = test.world_from_camera.astype(np.float64)
    world[:, :3, 3] -= centre
    same = {k: k for k in range(scene.object_count)}
    frames = [int(time) for time in test.time]
    return Case(scene, world, frames, test.images, test.object_ids, truth, np.ones(scene.object_count), same)


def results_case(folder: Path) -> Case:
    """What the stages before training made of a video with truth."""
    scene, info, truth = (
        read_scene(folder / "scene.h5"),
        read_frames_info(folder / "frames.json"),
        read_truth(folder / "truth.h5"),
    )
    truth = shown_truth(truth, scene.kept.view)
    ids = straight_ids(scene.kept.frame_undistortion, read_masks(folder / "masks.h5"))
    known = known_truth(scene, info, ids, truth)
    frame_of_time = {int(f["source_index"]): i for i, f in enumerate(info["frames"]) if scene.visible[0, i]}
    views = [row for row, time in enumerate(truth.test.time) if int(time) in frame_of_time]
    poses = known.alignment.estimated_from_true.poses(truth.test.world_from_camera[views].astype(np.float64))
    frames = [frame_of_time[int(truth.test.time[view])] for view in views]
    rows = known.alignment.rows
    target = held_out_target(truth, views, rows[rows >= 0], scene.images.shape[1:3])
    if target.object_ids is None:
        raise SystemExit(f"{folder / 'truth.h5'} has no ids of its held-out views, by which this benchmark judges")
    scales = known.alignment.true_scales
    return Case(scene, poses, frames, target.images, target.object_ids, truth, scales, known.matching)


@dataclass
class Watch:
    """Looks on while a run trains: wall time without the looking, PSNR now and then, cost per phase."""

    case: Case
    batch: int
    every_s: float
    begun: float = field(default_factory=time.monotonic)
    looking: float = 0.0
    looked: float = 0.0
    before: float = 0.0
    costs: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0, 0.0, 0.0]))

    def seconds(self) -> float:
        return time.monotonic() - self.begun - self.looking

    def __call__(self, state: TrainingState, phase: Phase) -> None:
        """After a step of the fields, or after a phase of the network."""
        now = self.seconds()
        if phase.name == "network":
            assert state.views is not None
            name, steps = f"network, {self.batch} scales", phase.steps
            rays, samples = steps * len(state.views.objects), 0.0
        else:
            grid = "x".join(str(size) for size in state.fields.fields[0].resolution)
            name, steps, rays, samples = f"{phase.name} {grid}", 1, state.rays, state.taken * state.rays
        for i, value in enumerate((steps, now - self.before, rays, samples)):
            self.costs[name][i] += value
        if now - self.looked > self.every_s:
            self.look(state, now)
        self.before = self.seconds()

    def look(self, state: TrainingState, now: float) -> None:
        """Judge a few views."""
        start = time.monotonic()
        chosen = np.linspace(0, len(self.case.frames) - 1, LOOKS).round().astype(int)
        psnr = held_out(state, self.case, chosen.tolist())["psnr_db"]
        print(f"{now:7.0f} s  step {state.field_step:5d}  {psnr:6.2f} dB", flush=True)
        self.looked, self.looking = now, self.looking + time.monotonic() - start

    def print_costs(self) -> None:
        for name, (steps, spent, rays, samples) in self.costs.items():
            print(
                f"{name:24s} {steps:6.0f} steps {spent:7.1f} s {1e3 * spent / steps:7.1f} ms a step"
                f" {1e3 * spent / rays:8.4f} ms a ray {rays / steps:7.0f} rays a step {samples / rays:6.1f} samples a ray"
            )


def held_out(state: TrainingState, case: Case, chosen: list[int]) -> dict[str, float]:
    """PSNR of held-out views at the true scales, pixels whose object is right, and the time a view takes."""
    device, psnr, right = state.generator.device, [], []
    scales = torch.from_numpy(np.nan_to_num(case.true_scales, nan=1.0)).float().to(device)
    with torch.no_grad():
        grids = state.fields.density_grids()
    begun = time.monotonic()
    for index in chosen:
        rays = view_rays(case.scene.camera, case.world_from_camera[index], case.frames[index]).to(device)
        rendering = render_world(state.fields, grids, rays, scales)
        wanted = torch.from_numpy(case.images[index]).reshape(-1, 3) / 255
        psnr.append(float(-10 * (rendering.colour.cpu() - wanted).square().mean().log10()))
        own = np.array([case.matching.get(int(entry["id"]), -1) for entry in case.scene.objects])
        ids = own[rendering.object_weights.argmax(1).cpu().numpy()]
        right.append(float((ids == case.object_ids[index].flatten()).mean()))
    spent = 1e3 * (time.monotonic() - begun) / len(chosen)
    return {"psnr_db": float(np.mean(psnr)), "ids_percent": 100 * float(np.mean(right)), "ms_per_view": spent}


def measure(case: Case, config: TrainOsnConfig, every_s: float, keep: Path | None) -> dict[str, float]:
    """Train on a scene and judge."""
    device = stage_device()
    told = told_depths(config, case.scene, None)
    state, pixels = started(case.scene, config, device), training_pixels(case.scene, config, device, depths=told)
    watch = Watch(case, config.network_batch, every_s)
    with tempfile.TemporaryDirectory() as folder, workers(device) as parallel_map:
        train(
            state,
            TrainingContext(
                case.scene, lambda step: pixels, config, Path(folder) / "resume.pt", "", parallel_map, watch
            ),
        )
    seconds = watch.seconds()
    watch.print_costs()
    result = {"seconds": seconds} | held_out(state, case, list(range(len(case.frames))))
    if keep:
        torch.save({"fields": state.fields, "network": state.network, "views": state.views}, keep)
    network = state.network
    if network is None:
        return result
    region = true_region(
        case.truth, case.true_scales, [int(entry["id"]) for entry in case.scene.objects], case.matching
    )

    def score(scales: torch.Tensor) -> torch.Tensor:
        return network(network.normalised(scales))

    with workers(device) as parallel_map:
        object_views = judging_views(state, pixels, config, parallel_map)
    assert object_views is not None
    hidden = as_validity(lambda scales: worst_hidden(object_views, scales), device)
    limit = border_error(object_views)
    rows = region_findings(as_validity(score, device), region, case.scene.scale_range, "osn", hidden, limit).rows
    shown = {"all": "", "objects_95": " by objects"}
    return result | {row.metric + shown[row.item]: row.value for row in rows if row.item in shown}


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
    parser.add_argument("--results", type=Path, nargs="*", default=[], help="folders of finished runs with truth")
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
    cases = {name: true_case(truth, chosen.factor) for name, truth in truths.items()}
    cases |= {str(folder): results_case(folder) for folder in chosen.results}
    results = {}
    for name, case in cases.items():
        print(f"{name}, {case.scene.camera.width}x{case.scene.camera.height}, {chosen.threads} threads", flush=True)
        results[name] = measure(case, config, chosen.every, chosen.keep)
        print("  ".join(f"{key} {value:.3f}" for key, value in results[name].items()), flush=True)
    for key in next(iter(results.values())):
        print(f"mean {key} {np.mean([result.get(key, np.nan) for result in results.values()]):.3f}")


if __name__ == "__main__":
    main()
