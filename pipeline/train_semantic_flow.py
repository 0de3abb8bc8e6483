"""Train Semantic Flow: a semantic field of the dynamic scene, learned along flows.

Reads   scene.h5; label maps if given (a masks.h5, or a folder with one PNG a frame), else the scene's own objects;
        depth maps if given; an encoder's weights if there are any; a trained checkpoint to start from if given
Writes  checkpoint.pt   the trained method
        history.csv     losses over the steps

Stage 1 trains the static field on what is not known to move; then every reconstructed object gets a scale
(object_scales.py says how); stage 2 trains everything. While it runs, resume.pt beside the checkpoint keeps the state, and
features_*.pt what the frames look like: a run that was killed goes on from there and ends with the same result as one that
was not. They stay until a run of the graph has ended well, so that a finished training is not lost with the job that did it.

A scene that starts from another's checkpoint takes its classes, flow attention and semantic network, and needs few steps;
one of the scenes that were trained as one model takes its part of that model as it is.
"""

import logging
from pathlib import Path

from pipeline.cli import run_stage
from pipeline.config import TrainSemanticFlowConfig
from pipeline.runtime.device import choose_algorithms, stage_device
from pipeline.runtime.resume_file import sole_training
from pipeline.runtime.sources import code_digest
from pipeline.semantic_flow.frame_features import chosen_encoder
from pipeline.semantic_flow.shared_semantics import adaptation, copy_member, read_trained, scene_digest, shared_part
from pipeline.semantic_flow.training import train_stage
from pipeline.semantic_flow.training_scene import begun, prepared, save_trained, through_first_stage, training_context
from pipeline.semantic_flow.training_state import resumed, save_state, write_history

log = logging.getLogger(__name__)


def train_semantic_flow(
    scene: Path,
    labels: Path | None,
    depth: Path | None,
    weights: Path | None,
    start_from: Path | None,
    checkpoint: Path,
    history: Path,
    config: TrainSemanticFlowConfig,
) -> None:
    device = stage_device()
    choose_algorithms(config.deterministic, device)
    other = read_trained(start_from) if start_from else None
    if other and copy_member(other, scene_digest(scene), checkpoint, history):
        if depth:
            log.warning("the depth maps %s are not used: scenes trained as one model are trained without any", depth)
        return
    shared = shared_part(other, config, start_from) if other and start_from else None
    config = adaptation(config) if shared else config
    encoder = chosen_encoder(shared.encoder if shared else config.encoder, weights)
    code = code_digest("pipeline.train_semantic_flow")
    with sole_training(checkpoint) as resume:
        training_scene = prepared(scene, labels, depth, encoder, shared, config, device, resume.parent)
        fingerprint, features = training_scene.fingerprint, training_scene.features.maps.features
        state = resumed(resume, fingerprint, features, config, device, code) or begun(training_scene, device)
        state = through_first_stage(training_scene, state, resume, device)
        train_stage(state, training_context(training_scene, state, resume, device))
        save_state(resume, fingerprint, state, done_by=code)
        write_history(history, state.rows)
        save_trained(checkpoint, training_scene, state)


if __name__ == "__main__":
    run_stage(train_semantic_flow)
