"""One scene prepared for Semantic Flow's training, and what is kept of it beside the trained model."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.ops.parallel import workers
from models.semantic_flow.frame_memory import FrameMemory, remembered
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.record import commit
from pipeline.semantic_flow.checkpoint import save_checkpoint
from pipeline.semantic_flow.data import Pixels, Points, training_pixels
from pipeline.semantic_flow.depth_supervision import depth_points, joined_points
from pipeline.semantic_flow.frame_features import Encoder, FrameFeatures, basis_of, frame_features
from pipeline.semantic_flow.label_filtering import checked_labels
from pipeline.semantic_flow.label_propagation import carried_colours, with_carried_labels
from pipeline.semantic_flow.labels import Labels, training_labels
from pipeline.semantic_flow.run_state import Run
from pipeline.semantic_flow.shared_semantics import SharedSemantics, with_classes
from pipeline.semantic_flow.training import Material, on_device, second_stage, started, train_stage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lesson:
    """A scene with its labels and features; `shared` is what it starts from."""

    scene: Scene
    labels: Labels
    of_objects: bool  # whether the classes are those of objects, not of label maps
    pixels: Pixels
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
) -> Lesson:
    """A scene ready to be trained, with the classes and features of what it starts from."""
    scene = read_scene(path)
    labels = with_carried_labels(scene, training_labels(scene, label_source, config), config.label_propagation_frames)
    check_scene(scene, labels)
    labels = with_classes(labels, shared.names, shared.moves) if shared else labels
    depths = depth_points(depth, scene, labels, config.seed) if depth else None
    basis = shared.basis if shared else basis_of([scene.images], encoder, config.feature_channels)
    return Lesson(
        scene,
        labels,
        not (label_source and label_source.is_dir()),
        training_pixels(scene, labels, config.unlabelled_rgb).to(device),
        frame_features(scene.images, encoder, basis),
        depths,
        shared,
        identity(path, labels, config, shared, depths),
        config,
    )


def begun(lesson: Lesson, device: torch.device) -> Run:
    """A run at its beginning."""
    return started(lesson.scene, lesson.labels, lesson.features.maps, lesson.config, device)


def material(lesson: Lesson, run: Run, resume: Path, device: torch.device) -> Material:
    """What the run's stage trains on."""
    points = on_device(lesson.scene, lesson.labels, run, device)
    points = joined_points(points, lesson.depths) if lesson.depths else points
    pixels = lesson.pixels
    if run.stage == "joint" and lesson.config.ablation.static_frozen and lesson.config.label_propagation_frames:
        colours = carried_colours(lesson.scene, lesson.labels, lesson.config.label_propagation_frames)
        with workers(device) as spread:
            pixels = checked_labels(run.model, pixels, lesson.labels, colours, spread)
    return Material(pixels, points, resume, lesson.fingerprint, lesson.config)


def through_first_stage(lesson: Lesson, run: Run, resume: Path, device: torch.device) -> Run:
    """A run at stage 2, where it was at stage 1."""
    if run.stage != "static":
        return run
    train_stage(run, material(lesson, run, resume, device))
    return second_stage(run, lesson.scene, lesson.labels, lesson.pixels, lesson.config, device, lesson.shared)


def save_lesson(path: Path, lesson: Lesson, run: Run) -> None:
    """Write the checkpoint of a finished run."""
    with whole(path) as partial:
        save_checkpoint(partial, run.model, facts(lesson, run), frame_memory(lesson, run))


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
    digest.update(scene.read_bytes())
    digest.update(labels.ids.tobytes())
    for value in shared.head.values() if shared else ():
        digest.update(value.numpy().tobytes())
    digest.update(depths.depth.numpy().tobytes() if depths else b"")
    return digest.hexdigest()


def facts(lesson: Lesson, run: Run) -> dict[str, Any]:
    """What the report, the renderer and other scenes need to know besides the model."""
    labels = lesson.labels
    return {
        "objects": lesson.scene.object_count,
        "class_names": labels.names,
        "class_moves": labels.moves,
        "class_of": labels.class_of,
        "classes_are_objects": lesson.of_objects,
        "labelled_frames": np.flatnonzero(labels.labelled).tolist(),
        "object_scales": run.scales.tolist(),
        "depth_maps": lesson.depths is not None,
        "features": lesson.features.state(),
        "start": lesson.shared.origin if lesson.shared else "nothing",
        "commit": commit(),
        "options": lesson.config.model_dump(mode="json"),
    }


def frame_memory(lesson: Lesson, run: Run) -> FrameMemory | None:
    """What rendering takes from the frames; nothing where it should show the fields alone."""
    if not lesson.config.image_based_rendering:
        return None
    with workers(run.generator.device) as spread:
        return remembered(
            run.model, torch.from_numpy(lesson.scene.images), torch.from_numpy(lesson.scene.visible[0]), spread
        )
