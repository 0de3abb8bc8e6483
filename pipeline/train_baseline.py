"""Train a baseline: a method that OSN's tables compare with, on the same frames and poses.

Reads   scene.h5; depth maps if given
Writes  checkpoint.pt   the trained method
        history.csv     losses over the steps

`method` says which: hexplane (HexPlane, CVPR 2023), tineuvox (TiNeuVox, SIGGRAPH Asia 2022), nsff (NSFF, CVPR 2021),
dynnerf (DynNeRF, ICCV 2021) or total_recon (Total-Recon, ICCV 2023, for rigid objects). Each is our own code, written
from its paper. While it runs, resume.pt beside the checkpoint keeps the state: a run that was killed goes on from there
and ends with the same result as one that was not. It stays until a run of the graph has ended well.
"""

import hashlib
import logging
from pathlib import Path

from pipeline.baselines.checkpoint import save_checkpoint
from pipeline.baselines.data import scene_views
from pipeline.baselines.depth_supervision import known_depths
from pipeline.baselines.setup import architecture, learns_motion, own_settings, stage_at
from pipeline.baselines.total_recon import train_total_recon
from pipeline.baselines.training import TrainingContext, train
from pipeline.baselines.training_state import resumed, save_state, started, write_history
from pipeline.cli import run_stage
from pipeline.config import TrainBaselineConfig
from pipeline.formats.scene_file import FLOW_FIELDS, read_scene
from pipeline.runtime.device import stage_device
from pipeline.runtime.record import commit
from pipeline.runtime.resume_file import sole_training
from pipeline.runtime.sources import code_digest

log = logging.getLogger(__name__)


def train_baseline(
    scene: Path, depth: Path | None, checkpoint: Path, history: Path, config: TrainBaselineConfig
) -> None:
    if config.method == "total_recon":
        train_total_recon(scene, depth, checkpoint, history, config)
        return
    device, code = stage_device(), code_digest("pipeline.train_baseline")
    moving = learns_motion(config)
    packed = read_scene(scene, without=() if moving else FLOW_FIELDS)
    depths = known_depths(config.depth_supervision, packed, depth, config.seed)
    views = scene_views(packed, depths, moving).to(device)
    fingerprint = identity(scene, depth, config)
    with sole_training(checkpoint) as resume:
        state = resumed(resume, fingerprint, config, device, code) or started(views.extent, config, device)
        train(state, TrainingContext(views, resume, fingerprint, config))
        save_state(resume, fingerprint, state, config, done_by=code)
        write_history(history, state.rows)
        steps = own_settings(config).steps
        facts = {"options": config.model_dump(), "steps": steps, "depth_supervision": config.depth_supervision}
        made_by = architecture(config, state.model.extent)
        save_checkpoint(checkpoint, state.model, made_by, stage_at(config, steps - 1), facts | {"commit": commit()})


def identity(scene: Path, depth: Path | None, config: TrainBaselineConfig) -> str:
    """What a state must agree in to be gone on from: the scene, the settings of this method, the maps where they count."""
    shared = config.model_dump_json(
        include={"method", "seed", "depth_supervision", "depth_weight", "depth_rays", "shards"}
    )
    digest = hashlib.sha256((shared + own_settings(config).model_dump_json()).encode())
    digest.update(scene.read_bytes())
    if config.depth_supervision == "maps" and depth:
        for path in sorted(path for path in depth.rglob("*") if path.is_file()):
            digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    run_stage(train_baseline)
