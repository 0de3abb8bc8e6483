"""Train OSN: a field per object and the network that knows which scales of the objects explain the video.

Reads   scene.h5; with `depth_supervision: maps` or `ablation: {scales: depth}` a folder of depth maps
Writes  checkpoint.pt   the trained method
        history.csv     losses, PSNR and cost over the steps
        scales.csv      valid scenes: a scale per object, the network's score, the share of an object that others hide
                        in its worst frame, and whether the scene is certain

Fields and network are trained in turn. While it runs, resume.pt beside the checkpoint keeps the state: a run that was
killed goes on from there and ends with the same parameters as one that was not. It stays until a run of the graph has
ended well, so that a finished training is not lost with the job that did it.
"""

import logging
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from models.ops.parallel import ParallelMap, workers
from models.osn.hiding import border_error, explained, with_margins, worst_hidden
from models.osn.scale_network import NetworkTraining, train_network
from models.osn.scale_sampling import ScaleSamples, nearest_first, sample_valid, sample_within, valid_region
from models.osn.solo_views import solo_views
from models.osn.training_pixels import TrainingPixels
from models.osn.z_buffer import SoloViews, inlier_rays, visibility_accuracy
from pipeline.cli import run_stage
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene
from pipeline.osn.checkpoint import METHOD, SCHEMA, SCHEMA_VERSION, fields_state, network_state, views_state
from pipeline.osn.depth_margins import depth_margins
from pipeline.osn.depth_supervision import told_depths
from pipeline.osn.fixed_scales import scale_prior
from pipeline.osn.pixels import pixel_source
from pipeline.osn.setup import Phase, scale_bank, schedule
from pipeline.osn.training import Clock, TrainingContext, train_fields
from pipeline.osn.training_state import POOL, TrainingState, identity, keep, resumed, started
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import choose_algorithms, stage_device
from pipeline.runtime.record import commit
from pipeline.runtime.resume_file import sole_training
from pipeline.runtime.sources import code_digest
from pipeline.runtime.tensor_file import save_tensors
from pipeline.scene.depth_maps import given_scales

log = logging.getLogger(__name__)
BANK, VIEW_RAYS = 16384, 24576
OBJECT_RAYS = 96  # of each moving object in each frame
LIKELY_FROM = 1024  # of the bank: enough to find scales that are likely
CLEARLY = 0.2  # of the tolerance


def train_osn(
    scene: Path, depth: Path | None, checkpoint: Path, history: Path, scales: Path, config: TrainOsnConfig
) -> None:
    packed, device = read_scene(scene, without=("images", *FLOW_FIELDS)), stage_device()
    choose_algorithms(config.deterministic, device)
    given = given_scales(depth, packed) if depth and config.ablation.scales == "depth" else None
    depths = told_depths(config, packed, depth)
    fingerprint = identity(scene, config, given, depths)
    pixels = pixel_source(scene, packed, config, device, depths)
    code = code_digest("pipeline.train_osn")
    with sole_training(checkpoint) as resume:
        state = resumed(resume, fingerprint, config, device, code) or started(packed, config, device, given)
        with workers(device) as parallel_map:
            train(state, TrainingContext(packed, pixels, config, resume, fingerprint, parallel_map))
            object_views = judging_views(state, pixels(state.field_step), config, parallel_map)
        keep(resume, state, fingerprint, done_by=code)
        samples = draw_scenes(state, object_views, packed, config)
        with whole(scales) as partial:
            scales_table(samples, object_views, packed).to_csv(partial, index=False)
        with whole(history) as partial:
            pd.DataFrame(state.rows).to_csv(partial, index=False)
        save_tensors(checkpoint, checkpoint_state(state, object_views, samples, packed, config, fingerprint))


def train(state: TrainingState, context: TrainingContext) -> None:
    """All phases that are left."""
    now = time.monotonic()
    clock = Clock(now - state.seconds, now, now, now, state.field_step)
    phases = schedule(context.config, state.network is not None)
    while state.phase < len(phases):
        phase = phases[state.phase]
        if phase.name == "network":
            train_scales(state, phase, context)
        else:
            train_fields(state, phase, context, clock)
        state.phase, state.step = state.phase + 1, 0
        state.seconds = time.monotonic() - clock.started


def train_scales(state: TrainingState, phase: Phase, context: TrainingContext) -> None:
    """One phase of the scale network: explain the segmentation under many scales while the fields stand still."""
    assert state.network is not None and state.network_optimiser is not None
    config, network = context.config, state.network
    pixels = context.pixels(state.field_step).draw_evenly(VIEW_RAYS, state.generator)
    state.views = solo_views(state.fields, pixels, context.parallel_map)
    bank = scale_bank(BANK, len(network.low) - 1, config.seed, network.low.device)
    sharpness = config.ablation.soft_sharpness if config.ablation.z_buffer == "soft" else None
    scales = network.scales(bank)
    late = min(1, phase.round)
    inliers = inlier_rays(state.views, scales[:LIKELY_FROM], config.tolerance[late])
    training = NetworkTraining(
        phase.steps,
        config.network_batch,
        config.ablation.network_loss,
        config.tolerance[late],
        config.top_fraction[late],
    )
    accuracy = visibility_accuracy(inliers, scales, sharpness)
    loss = train_network(network, state.network_optimiser, bank, accuracy, training, state.generator)
    state.pool = clearly_valid(sample_valid(network, POOL, state.generator), inliers, CLEARLY * config.tolerance[late])
    region, best = valid_region(network, bank), float(visibility_accuracy(state.views, scales, sharpness).max())
    state.facts = {
        "valid_fraction": region.fraction,
        "valid_bounds": region.bounds.tolist(),
        "best_explained": best,  # the name that files have
    }
    state.rows.append(
        {"step": state.field_step, "phase": phase.name, "seconds": round(state.seconds, 2), "network_loss": loss}
        | {"valid_fraction": region.fraction, "visibility_accuracy": best}
    )
    log.info("scales, round %d: %.1f %% of the range is valid", phase.round + 1, 100 * region.fraction)
    if context.watch:
        context.watch(state, phase)


def clearly_valid(samples: ScaleSamples, views: SoloViews, tolerance: float) -> ScaleSamples:
    """The samples whose visibility accuracy is nearly the best of all: only these train the fields.

    Under scales at the border of the valid region objects hide each other a little; fields trained with those give way
    until they fit, and the region grows from round to round.
    """
    accuracy = visibility_accuracy(views, samples.scales, None)
    return samples[accuracy >= accuracy.max() - tolerance]


def judging_views(
    state: TrainingState, pixels: TrainingPixels, config: TrainOsnConfig, parallel_map: ParallelMap
) -> SoloViews | None:
    """Rays of every moving object in every frame, each object alone, but for those that no likely scale explains."""
    if state.network is None:
        return None
    views = solo_views(state.fields, pixels.draw_by_frame(OBJECT_RAYS), parallel_map)
    return explained(views, state.pool.scales, config.tolerance[1])


def draw_scenes(
    state: TrainingState, object_views: SoloViews | None, scene: Scene, config: TrainOsnConfig
) -> ScaleSamples:
    """The valid scenes that go into the checkpoint, certain ones, those nearest to what geometry suggests first."""
    if state.network is None or state.views is None or object_views is None:
        return state.pool
    most = border_error(object_views)
    samples = sample_within(
        state.network, lambda scales: worst_hidden(object_views, scales), most, config.scale_samples, state.generator
    )
    return nearest_first(samples, torch.from_numpy(scale_prior(state.views, scene)).to(samples.scales))


def scales_table(samples: ScaleSamples, object_views: SoloViews | None, scene: Scene) -> pd.DataFrame:
    """A row per valid scene: its score, the share that it hides of an object at worst, and the scale of each object.

    A scene is certain if it hides nothing wherever the objects are within the errors of their depths.
    """
    hidden, certain = torch.zeros_like(samples.scores), torch.ones_like(samples.scores, dtype=torch.bool)
    if object_views:
        at_worst = with_margins(object_views, torch.from_numpy(depth_margins(scene)).to(object_views.depth))
        hidden = worst_hidden(object_views, samples.scales)
        certain = worst_hidden(at_worst, samples.scales) <= border_error(object_views)
    columns = {"score": samples.scores, "hidden": hidden, "certain": certain}
    table = pd.DataFrame({name: values.cpu().numpy() for name, values in columns.items()})
    for k in range(scene.object_count):
        table[f"scale_{k}"] = samples.scales[:, k].cpu().numpy()
    return table


def checkpoint_state(
    state: TrainingState,
    object_views: SoloViews | None,
    samples: ScaleSamples,
    scene: Scene,
    config: TrainOsnConfig,
    fingerprint: str,
) -> dict[str, Any]:
    """All that rendering and the report need."""
    return {
        "method": METHOD,
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "fields": fields_state(state.fields),
        "network": network_state(state.network),
        "views": views_state(state.views),
        "object_views": views_state(object_views),
        "scales": samples.scales.cpu(),
        "scores": samples.scores.cpu(),
        "facts": state.facts,
        "objects": [str(entry["name"]) for entry in scene.objects],
        "intrinsics": torch.from_numpy(scene.intrinsics),
        "scale_range": torch.from_numpy(scene.scale_range),
        "scene_digest": fingerprint,
        "commit": commit(),
        "options": config.model_dump(mode="json"),
        "seconds": state.seconds,
    }


if __name__ == "__main__":
    run_stage(train_osn)
