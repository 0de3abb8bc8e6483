"""The state of an OSN training: how it begins, how it is kept, and how a killed one goes on."""

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from models.osn.object_scene import ObjectScene
from models.osn.scale_network import ScaleNetwork
from models.osn.scale_sampling import ScaleSamples, fixed_sample, middle_sample, sample_valid, uniform_samples
from models.osn.training_pixels import SparseDepths
from models.osn.z_buffer import SoloViews
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene
from pipeline.osn.checkpoint import fields_from_state, fields_state, network_from_state, network_state, views_state
from pipeline.osn.setup import field_optimiser, field_shape, grid_resolutions, network_optimiser, scene_geometry
from pipeline.runtime.digests import digest as file_digest
from pipeline.runtime.errors import StageError
from pipeline.runtime.resume_file import keep_state, kept_state

log = logging.getLogger(__name__)
FIRST_RAYS = 512
POOL = 1024


@dataclass
class TrainingState:
    """Training state: all that a killed run needs to go on exactly as if it had not been killed."""

    fields: ObjectScene
    optimiser: torch.optim.Adam
    network: ScaleNetwork | None
    network_optimiser: torch.optim.Adam | None
    generator: torch.Generator
    pool: ScaleSamples
    views: SoloViews | None = None
    phase: int = 0
    step: int = 0
    field_step: int = 0
    rays: int = FIRST_RAYS
    taken: float = 0.0  # samples per ray in the last step
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


COUNTERS = ("phase", "step", "field_step", "rays", "taken", "seconds", "sums", "rows", "facts")


def identity(
    scene: Path,
    config: TrainOsnConfig,
    given: Float[np.ndarray, "object"] | None = None,
    depths: SparseDepths | None = None,
) -> str:
    """What a kept state must agree in to be gone on from."""
    digest = hashlib.sha256(config.model_dump_json(exclude={"resume_seconds"}).encode())
    digest.update(file_digest(scene).encode())
    digest.update(b"" if given is None else given.tobytes())
    for values in () if depths is None else (depths.pixel, depths.depth, depths.weight):
        digest.update(values.numpy().tobytes())
    return digest.hexdigest()


def started(
    scene: Scene, config: TrainOsnConfig, device: torch.device, given: Float[np.ndarray, "object"] | None = None
) -> TrainingState:
    """The state of a run at its beginning; with fixed scales where depth maps gave them."""
    generator = torch.Generator(device).manual_seed(config.seed)
    geometry = scene_geometry(scene, device)
    fields = ObjectScene(geometry, field_shape(config), grid_resolutions(scene, config.grids[0]), generator)
    network = None
    pool = ScaleSamples(torch.ones(1, 1, device=device), torch.ones(1, device=device))
    scale_range = torch.from_numpy(scene.scale_range).float().to(device)
    if scene.object_count > 1 and config.ablation.scales == "network":
        network = ScaleNetwork(scale_range, generator)
        pool = sample_valid(network, POOL, generator)
    elif config.ablation.scales == "uniform":
        pool = uniform_samples(scale_range, POOL, generator)
    elif config.ablation.scales == "middle":
        pool = middle_sample(scale_range)
    elif config.ablation.scales == "depth":
        if given is None:
            raise StageError("train_osn.ablation.scales: depth needs depth maps; give the scene `depth: FOLDER`")
        pool = fixed_sample(torch.from_numpy(given).to(scale_range))
    optimiser = None if network is None else network_optimiser(network)
    return TrainingState(fields, field_optimiser(fields, config), network, optimiser, generator, pool)


def keep(path: Path, state: TrainingState, fingerprint: str, done_by: str = "") -> None:
    """Write the whole state; `done_by` is the digest of the code that has finished it."""
    kept = {
        "fields": fields_state(state.fields),
        "optimiser": state.optimiser.state_dict(),
        "network": network_state(state.network),
        "network_optimiser": None if state.network_optimiser is None else state.network_optimiser.state_dict(),
        "generator": state.generator.get_state(),
        "pool": [state.pool.scales.cpu(), state.pool.scores.cpu()],
        "views": views_state(state.views),
        **{name: getattr(state, name) for name in COUNTERS},
    }
    keep_state(path, fingerprint, kept, done_by)


def resumed(
    path: Path, fingerprint: str, config: TrainOsnConfig, device: torch.device, code: str = ""
) -> TrainingState | None:
    """The state of the run that was killed, if it is there, whole, and of the same scene and settings."""
    kept = kept_state(path, fingerprint, code)
    if kept is None:
        return None
    state = restored_state(kept, config, device)
    log.info("going on at field step %d, after %.0f s of training", state.field_step, state.seconds)
    return state


def restored_state(kept: dict[str, Any], config: TrainOsnConfig, device: torch.device) -> TrainingState:
    """The state that `keep` wrote."""
    fields = fields_from_state(kept["fields"], device)
    optimiser = field_optimiser(fields, config)
    optimiser.load_state_dict(kept["optimiser"])
    network = network_from_state(kept["network"], device)
    teacher = None
    if network is not None:
        teacher = network_optimiser(network)
        teacher.load_state_dict(kept["network_optimiser"])
    generator = torch.Generator(device)
    generator.set_state(kept["generator"])
    pool = ScaleSamples(*(value.to(device) for value in kept["pool"]))
    views = SoloViews(**kept["views"]).to(device) if kept["views"] is not None else None
    counters = {name: kept[name] for name in COUNTERS}
    return TrainingState(fields, optimiser, network, teacher, generator, pool, views, **counters)
