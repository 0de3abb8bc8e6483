"""Total-Recon from a packed scene to a trained method: first scales, depths, training, checkpoint.

Fields, their training state and its exact resume are OSN's; what differs is one scale for each object, learnt, in the
place of OSN's scale network, with poses that are refined and the losses of `models.baselines.total_recon`.
"""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from models.baselines.total_recon import joint_losses
from models.ops.parallel import workers
from models.osn.object_scene import ObjectScene
from models.osn.scale_sampling import fixed_sample
from models.osn.training_pixels import SparseDepths
from pipeline.baselines.depth_supervision import given
from pipeline.config import DepthSupervision, TrainBaselineConfig, TrainOsnConfig
from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene
from pipeline.osn.checkpoint import fields_from_state, fields_state
from pipeline.osn.depth_supervision import map_depths, no_depths
from pipeline.osn.method import OsnMethod
from pipeline.osn.pixels import pixel_source
from pipeline.osn.setup import field_optimiser, field_shape, grid_resolutions, scene_geometry, schedule, sparse_depths
from pipeline.osn.training import Clock, TrainingContext, train_fields
from pipeline.osn.training_state import TrainingState, identity, keep, resumed
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import choose_algorithms, stage_device
from pipeline.runtime.record import commit
from pipeline.runtime.resume_file import sole_training
from pipeline.runtime.sources import code_digest
from pipeline.runtime.tensor_file import save_tensors
from pipeline.scene.depth_maps import given_scales
from pipeline.scene.object_scales import scale_between, slowest_scale

log = logging.getLogger(__name__)
METHOD, SCHEMA_VERSION = "total_recon", 1
SLOWEST, NOTHING = "the slowest motion", "its reconstruction alone, whose scale means nothing"
REST = {
    "none": "no depth: colours where objects meet correct it a little",
    "sfm": "sparse points, which tell no scale of what moves: depth holds it where it began",
    "maps": "depth maps, which correct it together with colours",
}


@dataclass(frozen=True)
class FirstScales:
    """The scales that training begins with, and what each rests on."""

    scales: Float[np.ndarray, "object"]
    rests_on: list[str]


def train_total_recon(
    scene: Path, depth: Path | None, checkpoint: Path, history: Path, config: TrainBaselineConfig
) -> None:
    """The stage `train_baseline` for this method."""
    packed, device, own = read_scene(scene, without=("images", *FLOW_FIELDS)), stage_device(), fields_config(config)
    choose_algorithms(own.deterministic, device)
    maps = given(depth) if config.depth_supervision == "maps" else None
    first = first_scales(packed, maps)
    supervision = config.depth_supervision if own.depth_weight else "none"
    depths = told_depths(supervision, packed, maps, config.seed, first.scales)
    fingerprint = f"{METHOD} {config.depth_supervision} {identity(scene, own, first.scales, depths)}"
    pixels = pixel_source(scene, packed, own, device, depths)
    code = code_digest("pipeline.train_baseline")
    with sole_training(checkpoint) as resume:
        state = resumed(resume, fingerprint, own, device, code) or started(packed, own, device, first)
        with workers(device) as parallel_map:
            train(state, TrainingContext(packed, pixels, own, resume, fingerprint, parallel_map, None, joint_losses))
        keep(resume, state, fingerprint, done_by=code)
        with whole(history) as partial:
            pd.DataFrame(state.rows or None, columns=None if state.rows else ["step"]).to_csv(partial, index=False)
        save_tensors(checkpoint, checkpoint_state(state.fields, first, config))


def fields_config(config: TrainBaselineConfig) -> TrainOsnConfig:
    """Total-Recon's settings as those of the object fields that it shares with OSN; what it does not name is OSN's."""
    own = config.total_recon.model_dump()
    told = {} if config.depth_supervision != "none" else {"depth_weight": 0.0}
    shared = {"seed": config.seed, "shards": config.shards, "resume_seconds": config.resume_seconds}
    return TrainOsnConfig.model_validate({**own, **shared, **told, "ablation": {"scales": "middle"}})


def first_scales(scene: Scene, maps: Path | None) -> FirstScales:
    """Scales at which sparse points have the depths of maps; without maps, those of the slowest motion."""
    if maps is not None:
        return FirstScales(
            given_scales(maps, scene), ["" if k == 0 else "depth maps" for k in range(scene.object_count)]
        )
    frames = np.ones(scene.frame_count, bool)
    slowest = [slowest_scale(scene, k, frames) for k in range(1, scene.object_count)]
    scales = [1.0, *(scale_between(scene, k, None, scale) for k, scale in enumerate(slowest, start=1))]
    for k, scale in enumerate(slowest, start=1):
        if scale is None:
            log.warning(
                "%s: nothing tells its scale; give depth maps and depth_supervision: maps", scene.objects[k]["name"]
            )
    return FirstScales(np.array(scales), ["", *(NOTHING if scale is None else SLOWEST for scale in slowest)])


def told_depths(
    supervision: DepthSupervision, scene: Scene, maps: Path | None, seed: int, first: Float[np.ndarray, "object"]
) -> SparseDepths:
    """Depths in objects' own units; times the first scales they are what is told in the units of the scene."""
    if supervision == "none":
        return no_depths()
    return sparse_depths(scene) if maps is None else map_depths(maps, scene, seed, first)


def started(scene: Scene, config: TrainOsnConfig, device: torch.device, first: FirstScales) -> TrainingState:
    """The state of a run at its beginning."""
    generator = torch.Generator(device).manual_seed(config.seed)
    shape = replace(field_shape(config), learnt_scales=True)
    fields = ObjectScene(scene_geometry(scene, device), shape, grid_resolutions(scene, config.grids[0]), generator)
    scales = torch.from_numpy(first.scales).float().to(device)
    assert fields.log_scales is not None, "the shape asks for scales"
    with torch.no_grad():
        fields.log_scales.copy_(scales[1:].log())
    return TrainingState(fields, field_optimiser(fields, config), None, None, generator, fixed_sample(scales))


def train(state: TrainingState, context: TrainingContext) -> None:
    """All phases that are left: each object alone, then all of them jointly."""
    now = time.monotonic()
    clock = Clock(now - state.seconds, now, now, now, state.field_step)
    phases = schedule(context.config, with_network=False)
    while state.phase < len(phases):
        train_fields(state, phases[state.phase], context, clock)
        state.phase, state.step = state.phase + 1, 0
        state.seconds = time.monotonic() - clock.started


def checkpoint_state(fields: ObjectScene, first: FirstScales, config: TrainBaselineConfig) -> dict[str, Any]:
    """All that rendering and the report need."""
    return {
        "method": METHOD,
        "schema_version": SCHEMA_VERSION,
        "fields": fields_state(fields),
        "scales": fields.learnt_scales().detach().cpu(),
        "first_scales": torch.from_numpy(first.scales).float(),
        "rests_on": first.rests_on,
        "depth_supervision": config.depth_supervision,
        "steps": config.total_recon.bootstrap_steps + config.total_recon.steps,
        "options": config.model_dump(mode="json"),
        "commit": commit(),
    }


class TotalReconMethod(OsnMethod):
    """Object fields at the one scale for each object that was learnt; it judges no other."""

    judges_scales = False

    def __init__(self, scene: Scene, fields: ObjectScene, facts: dict[str, Any], device: torch.device) -> None:
        scales = facts["scales"].to(device)[None]
        super().__init__(scene, fields, None, None, scales, torch.ones_like(scales[:, 0]))
        self.facts = facts

    @property
    def remarks(self) -> dict[str, str]:
        """What each object's scale rests on, and how far training moved it."""
        first, last = self.facts["first_scales"].tolist(), self.facts["scales"].tolist()
        moved = [
            f"{self.scene.objects[k]['name']}: from {first[k]:.3f} by {self.facts['rests_on'][k]} to {last[k]:.3f}"
            for k in range(1, len(last))
        ]
        supervision = self.facts["depth_supervision"]
        return {
            "depth supervision": supervision,
            "steps": str(self.facts["steps"]),
            "what the scales rest on": f"{REST[supervision]}. {'; '.join(moved) or 'nothing moves'}",
        }


def method_from_checkpoint(state: dict[str, Any], scene: Scene, device: torch.device) -> TotalReconMethod:
    """The trained method in a checkpoint's contents."""
    fields = fields_from_state(state["fields"], device)
    fields.requires_grad_(False)
    facts = {name: value for name, value in state.items() if name != "fields"}
    return TotalReconMethod(scene, fields, facts, device)
