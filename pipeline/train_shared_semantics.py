"""Train Semantic Flow on several scenes as one model: fields of their own, one flow attention and semantic network.

Reads   scene.h5 of every scene; an encoder's weights if there are any
Writes  checkpoint.pt   the trained parts of all scenes; train_semantic_flow takes a scene's own, or starts another from it
        history.csv     losses over the steps, by scene

Classes are the same where their names are: give `classes` in the settings of train_semantic_flow, which are used here.
Stage 1 knows no shared network and is trained scene by scene; a step of stage 2 draws from all scenes, each moves its
own fields, and the shared network follows the mean of what they want. resume.pt and resume_N.pt keep the state of a
run that was killed.
"""

import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.ops.parallel import ParallelMap, workers
from models.semantic_flow.attention import SemanticHead
from pipeline.cli import run_stage
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import FLOW_FIELDS, read_scene
from pipeline.runtime.device import choose_algorithms, stage_device
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.runtime.resume_file import keep_state, kept_state, sole_training
from pipeline.runtime.sources import code_digest
from pipeline.runtime.tensor_file import save_tensors
from pipeline.semantic_flow.checkpoint import checkpoint_state
from pipeline.semantic_flow.frame_features import basis_of, chosen_encoder
from pipeline.semantic_flow.labels import training_labels
from pipeline.semantic_flow.setup import optimiser
from pipeline.semantic_flow.shared_semantics import METHOD, SCHEMA_VERSION, SharedSemantics, all_classes, scene_digest
from pipeline.semantic_flow.training import STEPS_PER_ROW, TrainingContext, measured_losses, set_rates, update
from pipeline.semantic_flow.training_scene import (
    TrainingScene,
    begun,
    facts,
    frame_memory,
    prepared,
    through_first_stage,
    training_context,
)
from pipeline.semantic_flow.training_state import (
    TrainingState,
    restored_state,
    resumed,
    save_state,
    stored_state,
    write_history,
)

log = logging.getLogger(__name__)


@dataclass
class Joint:
    """States that share one semantic network, at the same step of stage 2."""

    states: list[TrainingState]
    adam: torch.optim.Adam

    @property
    def head(self) -> SemanticHead:
        return self.states[0].model.head


def train_shared_semantics(
    scenes: list[Path], weights: Path | None, checkpoint: Path, history: Path, config: TrainSemanticFlowConfig
) -> None:
    if len(scenes) < 2:
        raise StageError(f"{len(scenes)} scenes were given; two or more are needed to share their semantics")
    device = stage_device()
    choose_algorithms(config.deterministic, device)
    parts = [checkpoint.with_name(f"resume_{number}.pt") for number in range(len(scenes))]
    code = code_digest("pipeline.train_shared_semantics")
    with sole_training(checkpoint) as resume:
        training_scenes = common_training_scenes(scenes, weights, config, device, resume.parent)
        fingerprint = hashlib.sha256("".join(scene.fingerprint for scene in training_scenes).encode()).hexdigest()
        joint = joint_resumed(resume, fingerprint, training_scenes, config, device, code)
        joint = joint or joint_begun(training_scenes, parts, config, device)
        contexts = [training_context(*pair, resume, device) for pair in zip(training_scenes, joint.states, strict=True)]
        train_together(joint, contexts, resume, fingerprint, config)
        keep_state(resume, fingerprint, joint_state(joint), done_by=code)
        digests = [scene_digest(scene) for scene in scenes]
        write(checkpoint, history, training_scenes, joint, dict(zip(digests, scenes, strict=True)))
        for part in parts:
            part.unlink(missing_ok=True)


def common_training_scenes(
    scenes: list[Path], weights: Path | None, config: TrainSemanticFlowConfig, device: torch.device, folder: Path
) -> list[TrainingScene]:
    """All scenes with the same classes and the same feature basis."""
    encoder = chosen_encoder(config.encoder, weights)
    packed = [read_scene(scene, without=FLOW_FIELDS) for scene in scenes]
    names, moves = all_classes([training_labels(scene, None, config) for scene in packed])
    basis = basis_of([scene.images for scene in packed], encoder, config.feature_channels)
    shared = SharedSemantics(names, moves, encoder.name, basis, {}, f"nothing, with {len(scenes)} scenes as one model")
    log.info("%d scenes share the classes %s", len(scenes), ", ".join(names))
    return [prepared(scene, None, None, encoder, shared, config, device, folder) for scene in scenes]


def joint_begun(
    training_scenes: list[TrainingScene], parts: list[Path], config: TrainSemanticFlowConfig, device: torch.device
) -> Joint:
    """All scenes through stage 1, one after the other, then with one semantic network."""
    states = []
    for scene, part in zip(training_scenes, parts, strict=True):
        state = resumed(part, scene.fingerprint, scene.features.maps.features, config, device) or begun(scene, device)
        state = through_first_stage(scene, state, part, device)
        save_state(part, scene.fingerprint, state)
        states.append(state)
    for state in states:
        state.optimiser = optimiser(state.model, config, with_head=False)
    return tied(states, config)


def tied(states: list[TrainingState], config: TrainSemanticFlowConfig) -> Joint:
    """States with the first one's semantic network, and an optimiser for it."""
    for state in states[1:]:
        state.model.head = states[0].model.head
    adam = torch.optim.Adam(states[0].model.head.parameters(), lr=config.network_lr, betas=(0.9, 0.99))
    return Joint(states, adam)


def joint_resumed(
    path: Path,
    fingerprint: str,
    scenes: list[TrainingScene],
    config: TrainSemanticFlowConfig,
    device: torch.device,
    code: str,
) -> Joint | None:
    """The states of a run that was killed in stage 2, if they are there and of the same scenes and settings."""
    stored = kept_state(path, fingerprint, code)
    if stored is None:
        return None
    states = [
        restored_state(one, scene.features.maps.features, config, device, with_head=False)
        for one, scene in zip(stored["runs"], scenes, strict=True)
    ]
    joint = tied(states, config)
    joint.adam.load_state_dict(stored["adam"])
    return joint


def joint_state(joint: Joint) -> dict[str, Any]:
    return {"runs": [stored_state(state) for state in joint.states], "adam": joint.adam.state_dict()}


def train_together(
    joint: Joint, contexts: list[TrainingContext], resume: Path, fingerprint: str, config: TrainSemanticFlowConfig
) -> None:
    """All remaining steps of stage 2."""
    saved, first = time.monotonic(), joint.states[0]
    sums: list[dict[str, float]] = [{} for _ in joint.states]
    for state in joint.states:
        state.model.static.requires_grad_(not config.ablation.static_frozen)
    with workers(first.generator.device) as parallel_map:
        known = [state.model.static.nodes() if config.ablation.static_frozen else None for state in joint.states]
        for _ in progress(range(first.step, config.steps), "shared stage", unit="steps"):
            for number, parts in enumerate(shared_step(joint, contexts, known, config, parallel_map)):
                for name, value in parts.items():
                    sums[number][name] = sums[number].get(name, 0.0) + value / STEPS_PER_ROW
            if first.step % STEPS_PER_ROW == 0:
                for state, mine in zip(joint.states, sums, strict=True):
                    state.rows.append({"stage": state.stage, "step": state.step, "loss": sum(mine.values()), **mine})
                sums = [{} for _ in joint.states]
                if time.monotonic() - saved > config.resume_seconds:
                    keep_state(resume, fingerprint, joint_state(joint))
                    saved = time.monotonic()


def shared_step(
    joint: Joint,
    contexts: list[TrainingContext],
    known_nodes: list[Tensor | None],
    config: TrainSemanticFlowConfig,
    parallel_map: ParallelMap,
) -> list[dict[str, float]]:
    """One step of every scene's own fields, and one of the shared network; the losses of each scene."""
    done = joint.states[0].step / config.steps
    joint.adam.param_groups[0]["lr"] = config.network_lr * config.final_lr_ratio**done
    joint.adam.zero_grad(set_to_none=True)
    each = []
    for state, given, nodes in zip(joint.states, contexts, known_nodes, strict=True):
        set_rates(state.optimiser, config, done)
        state.optimiser.zero_grad(set_to_none=True)
        each.append(update(state, measured_losses(state, given, parallel_map, nodes)))
        state.step += 1
    gradients = [parameter.grad for parameter in joint.head.parameters() if parameter.grad is not None]
    if gradients and bool(torch.stack([gradient.isfinite().all() for gradient in gradients]).all()):
        for gradient in gradients:
            gradient.div_(len(joint.states))
        joint.adam.step()
    return each


def write(
    checkpoint: Path, history: Path, training_scenes: list[TrainingScene], joint: Joint, scenes: dict[str, Path]
) -> None:
    """The parts of all scenes by their digests, and their losses."""
    members, histories = {}, {}
    for scene, state, digest in zip(training_scenes, joint.states, scenes, strict=True):
        members[digest] = checkpoint_state(state.model, facts(scene, state), frame_memory(scene, state))
        histories[digest] = state.rows
    rows = [{"scene": str(scenes[digest].parent.name), **row} for digest, mine in histories.items() for row in mine]
    write_history(history, rows)
    contents = {"method": METHOD, "schema_version": SCHEMA_VERSION, "members": members, "histories": histories}
    save_tensors(checkpoint, contents)


if __name__ == "__main__":
    run_stage(train_shared_semantics)
