"""One scene prepared for Semantic Flow's training, and what is kept of it beside the trained model."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.ops.parallel import workers
from models.semantic_flow.frame_memory import FrameMemory, remembered
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene, stored_flow
from pipeline.runtime.digests import digest as file_digest
from pipeline.runtime.errors import StageError
from pipeline.runtime.record import commit
from pipeline.semantic_flow.checkpoint import save_checkpoint
from pipeline.semantic_flow.data import Points
from pipeline.semantic_flow.depth_supervision import given_depths, told_points
from pipeline.semantic_flow.frame_features import Encoder, FrameFeatures, basis_of, frame_features, kept_features
from pipeline.semantic_flow.label_filtering import filtered_labels
from pipeline.semantic_flow.label_propagation import propagated_colours, with_propagated_labels
from pipeline.semantic_flow.labels import Labels, training_labels
from pipeline.semantic_flow.pixels import PixelSource, PointSource, Video
from pipeline.semantic_flow.shared_semantics import SharedSemantics, with_classes
from pipeline.semantic_flow.training import (
    TrainingContext,
    on_device,
    second_stage,
    started,
    train_stage,
)
from pipeline.semantic_flow.training_state import TrainingState

log = logging.getLogger(__name__)
Watch = Callable[[TrainingState], None]


@dataclass(frozen=True)
class TrainingScene:
    """Training scene: a packed scene with its labels and features; `shared` is what it starts from."""

    packed: Scene
    labels: Labels
    of_objects: bool  # whether the classes are those of objects, not of label maps
    video: Video
    pixels: PixelSource
    features: FrameFeatures
    depths: Points | None  # from depth maps that were given
    shared: SharedSemantics | None
    fingerprint: str
    config: TrainSemanticFlowConfig


def prepared(
    path: Path,
    label_source: Path | None,
    depth: Path | None,
    encoder: Encoder,
    shared: SharedSemantics | None,
    config: TrainSemanticFlowConfig,
    device: torch.device,
    folder: Path | None = None,
) -> TrainingScene:
    """A scene ready to be trained, with the classes and features of what it starts from.

    Features are kept in the folder, for a run that goes on. Flow stays in the scene's file.
    """
    scene, flow = read_scene(path, without=FLOW_FIELDS), stored_flow(path)
    given = training_labels(scene, label_source, config)
    labels = with_propagated_labels(scene, flow, given, config.label_propagation_frames)
    check_scene(scene, labels)
    labels = with_classes(labels, shared.names, shared.moves) if shared else labels
    video = Video.of(scene, flow, labels, config)
    depths = given_depths(depth, video)
    fingerprint = identity(path, labels, config, shared, depths)

    def find() -> FrameFeatures:
        basis = shared.basis if shared else basis_of([scene.images], encoder, config.feature_channels)
        return frame_features(scene.images, encoder, basis)

    features = kept_features(folder, fingerprint, find, scene.images) if folder else find()
    of_objects = not (label_source and label_source.is_dir())
    pixels = PixelSource(video, device)
    return TrainingScene(scene, labels, of_objects, video, pixels, features, depths, shared, fingerprint, config)


def begun(scene: TrainingScene, device: torch.device) -> TrainingState:
    """The state of a run at its beginning."""
    return started(scene.packed, scene.labels, scene.features.maps, scene.config, device)


def training_context(
    scene: TrainingScene, state: TrainingState, resume: Path, device: torch.device, watch: Watch | None = None
) -> TrainingContext:
    """What the state's stage trains on; who watches sees the run after each step."""
    sparse = on_device(scene.packed, scene.labels, state, device)
    points = told_points(sparse, scene.depths, scene.config.depth_supervision)
    pixels, reach = scene.pixels, scene.config.label_propagation_frames
    carried = reach and not scene.labels.labelled.all()
    if state.stage == "joint" and scene.config.ablation.static_frozen and carried:
        pixels.forget()
        colours = propagated_colours(scene.packed, scene.video.flow, scene.labels, reach)
        with workers(device) as parallel_map:
            filtered = filtered_labels(state.model, scene.video, colours, parallel_map)
        pixels = PixelSource(scene.video, device, filtered)
    return TrainingContext(
        pixels, PointSource(points), resume, scene.fingerprint, scene.config, facts(scene, state), watch
    )


def through_first_stage(
    scene: TrainingScene, state: TrainingState, resume: Path, device: torch.device, watch: Watch | None = None
) -> TrainingState:
    """The state at stage 2, where it was at stage 1."""
    if state.stage != "static":
        return state
    train_stage(state, training_context(scene, state, resume, device, watch))
    return second_stage(state, scene.packed, scene.labels, scene.pixels, scene.config, device, scene.shared)


def save_trained(path: Path, scene: TrainingScene, state: TrainingState) -> None:
    """Write the checkpoint of a finished run."""
    save_checkpoint(path, state.model, facts(scene, state), frame_memory(scene, state))


def check_scene(scene: Scene, labels: Labels) -> None:
    """What cannot be trained is refused; what is doubtful is said."""
    if scene.visible[0].sum() < 2:
        raise StageError("the scene has fewer than two frames with a known camera; see geometry.json for the reason")
    if not (labels.ids >= 0).any():
        raise StageError("no pixel of the labelled frames has a label; check the masks, or give `labels`")
    if not labels.moving.any():
        log.warning("no labelled pixel belongs to a moving class: the scene is trained as a static one")


def identity(
    scene: Path,
    labels: Labels,
    config: TrainSemanticFlowConfig,
    shared: SharedSemantics | None,
    depths: Points | None,
) -> str:
    """What a state must agree in to be gone on from."""
    digest = hashlib.sha256(config.model_dump_json(exclude={"resume_seconds"}).encode())
    digest.update(file_digest(scene).encode())
    digest.update(np.ascontiguousarray(labels.ids).data)
    for value in shared.head.values() if shared else ():
        digest.update(value.numpy().tobytes())
    digest.update(depths.depth.numpy().tobytes() if depths else b"")
    return digest.hexdigest()


def facts(scene: TrainingScene, state: TrainingState) -> dict[str, Any]:
    """What the report, the renderer and other scenes need to know besides the model."""
    labels = scene.labels
    return {
        "objects": scene.packed.object_count,
        "class_names": labels.names,
        "class_moves": labels.moves,
        "class_of": labels.class_of,
        "classes_are_objects": scene.of_objects,
        "labelled_frames": np.flatnonzero(labels.labelled).tolist(),
        "object_scales": state.scales.tolist(),
        "depth_maps": scene.depths is not None,
        "features": scene.features.state(),
        "start": scene.shared.origin if scene.shared else "nothing",
        "commit": commit(),
        "options": scene.config.model_dump(mode="json"),
    }


def frame_memory(scene: TrainingScene, state: TrainingState) -> FrameMemory | None:
    """What rendering takes from the frames; nothing where it should show the fields alone."""
    if not scene.config.image_based_rendering:
        return None
    with workers(state.generator.device) as parallel_map:
        return remembered(
            state.model, torch.from_numpy(scene.packed.images), torch.from_numpy(scene.packed.visible[0]), parallel_map
        )
