"""Train Semantic Flow: a semantic field of the dynamic scene, learned along flows.

Reads   scene.h5; label maps if given (a masks.h5, or a folder with one PNG a frame), else the scene's own objects
Writes  checkpoint.pt   the trained method
        history.csv     losses over the steps

Stage 1 trains the static field on what is not known to move; then every reconstructed object gets a scale
(object_scales.py says how); stage 2 trains everything. While it runs, resume.pt beside the checkpoint keeps the state:
a run that was killed goes on from there and ends with the same result as one that was not.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.atomic import whole
from pipeline.carried_labels import with_carried_labels
from pipeline.cli import commit, run_stage, stage_device
from pipeline.config import TrainSemanticFlowConfig
from pipeline.errors import StageError
from pipeline.scene_file import Scene, read_scene
from pipeline.semantic_flow_checkpoint import save_checkpoint
from pipeline.semantic_flow_data import training_pixels
from pipeline.semantic_flow_run import Run, resumed
from pipeline.semantic_flow_training import Material, on_device, second_stage, started, train_stage
from pipeline.semantic_labels import Labels, training_labels

log = logging.getLogger(__name__)
RESUME = "resume.pt"


def train_semantic_flow(
    scene: Path, labels: Path | None, checkpoint: Path, history: Path, config: TrainSemanticFlowConfig
) -> None:
    packed, device = read_scene(scene), stage_device()
    given = with_carried_labels(packed, training_labels(packed, labels, config), config.carry)
    check_scene(packed, given)
    pixels = training_pixels(packed, given, config.unlabelled_rgb).to(device)
    resume = checkpoint.with_name(RESUME)
    resume.parent.mkdir(parents=True, exist_ok=True)
    fingerprint = identity(scene, given, config)
    run = resumed(resume, fingerprint, config, device) or started(packed, given, config, device)
    if run.stage == "static":
        train_stage(run, Material(pixels, on_device(packed, given, run, device), resume, fingerprint, config))
        run = second_stage(run, packed, given, pixels, config, device)
    train_stage(run, Material(pixels, on_device(packed, given, run, device), resume, fingerprint, config))
    with whole(history) as partial:
        pd.DataFrame(run.rows).to_csv(partial, index=False)
    with whole(checkpoint) as partial:
        save_checkpoint(
            partial, run.model, checkpoint_facts(packed, given, run, config, not (labels and labels.is_dir()))
        )
    resume.unlink(missing_ok=True)


def check_scene(scene: Scene, labels: Labels) -> None:
    """What cannot be trained is refused; what is doubtful is said."""
    if scene.visible[0].sum() < 2:
        raise StageError("the scene has fewer than two frames with a known camera; see geometry.json for the reason")
    if not (labels.ids >= 0).any():
        raise StageError("no pixel of the labelled frames has a label; check the masks, or give `labels`")
    if not labels.moving.any():
        log.warning("no labelled pixel belongs to a moving class: the scene is trained as a static one")


def identity(scene: Path, labels: Labels, config: TrainSemanticFlowConfig) -> str:
    """What a state must agree in to be gone on from."""
    digest = hashlib.sha256(config.model_dump_json(exclude={"resume_seconds"}).encode())
    digest.update(scene.read_bytes())
    digest.update(labels.ids.tobytes())
    return digest.hexdigest()


def checkpoint_facts(
    scene: Scene, labels: Labels, run: Run, config: TrainSemanticFlowConfig, objects_labelled: bool
) -> dict[str, Any]:
    """What the report and the renderer need to know besides the model."""
    return {
        "objects": scene.object_count,
        "class_names": labels.names,
        "class_moves": labels.moves,
        "class_of": labels.class_of,
        "classes_are_objects": objects_labelled,
        "labelled_frames": np.flatnonzero(labels.labelled).tolist(),
        "object_scales": run.scales.tolist(),
        "commit": commit(),
        "options": config.model_dump(mode="json"),
    }


if __name__ == "__main__":
    run_stage(train_semantic_flow)
