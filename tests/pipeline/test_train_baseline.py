"""Training of baselines on a tiny scene."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from pipeline import train_baseline as stage
from pipeline.baselines import training, training_state
from pipeline.baselines.method import BaselineMethod, method_from_checkpoint
from pipeline.baselines.setup import FIELDS
from pipeline.config import BaselineName, TrainBaselineConfig
from pipeline.formats.metrics_table import read_metrics
from pipeline.formats.scene_file import read_scene
from pipeline.rendering.view_pictures import view_rays
from pipeline.runtime.errors import StageError
from tests.pipeline.judged_scene import written_scene
from tests.pipeline.kills import KilledError, different, killed_and_resumed
from tests.synthetic import SyntheticScene, write_synthetic_scene

TINY = {
    "steps": 12,
    "rays": 64,
    "coarse_samples": 16,
    "fine_samples": 8,
    "grids": [8, 12],
    "refine_at": [0.5],
    "width": 8,
}
TINY_PLANES = {"time_grids": [3, 5], "density_channels": 2, "colour_channels": 2}
TINY_MOTION = {**TINY_PLANES, "dynamic_grids": [6, 8], "flow_grid": 6, "decay": 0.2}
OWN = {
    "hexplane": TINY_PLANES,
    "tineuvox": {"channels": 2},
    "nsff": {**TINY_MOTION, "moving_rays": 32},
    "dynnerf": {**TINY_MOTION, "static_part": 0.4},
}


def tiny(method: BaselineName, **changes: object) -> TrainBaselineConfig:
    own = {**TINY, **OWN[method], **changes}
    shared = {key: own.pop(key) for key in ("depth_supervision", "depth_weight", "shards") if key in own}
    return TrainBaselineConfig.model_validate(
        {"method": method, "shards": 2, "depth_rays": 16, "resume_seconds": 0, method: own} | shared
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("baseline"))


def train(scene: Path, folder: Path, config: TrainBaselineConfig, depth: Path | None = None) -> BaselineMethod:
    stage.train_baseline(scene, depth, folder / "checkpoint.pt", folder / "history.csv", config)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    return method_from_checkpoint(state, read_scene(scene), torch.device("cpu"))


@pytest.mark.parametrize("method", FIELDS)
def test_a_short_training_comes_near_to_the_video(
    method: BaselineName, written: SyntheticScene, tmp_path: Path
) -> None:
    learned: dict[str, Any] = {"steps": 60, "rays": 256, "grids": [12], "refine_at": [], "width": 16}
    planes = {"time_grids": [5], "density_channels": 4, "colour_channels": 4}
    moving = {
        **planes,
        "dynamic_grids": [12],
        "network_lr": 5e-3,
        "grid_lr": 0.05,
        "decay": 0.4,
        "rays": 128,
        "shards": 1,
    }
    own = {
        "hexplane": planes,
        "tineuvox": {"network_lr": 5e-3},
        "nsff": moving,
        "dynnerf": {**moving, "steps": 100, "rays": 192},
    }
    learned |= own[method]
    trained, scene = train(written.scene, tmp_path, tiny(method, **learned)), read_scene(written.scene)
    rays = view_rays(scene.camera, scene.object_from_camera[0, 4].astype(float), 4)[::7]
    seen = torch.from_numpy(scene.images[4] / 255).float().view(-1, 3)[::7]
    shown = trained.render(rays)
    assert ((shown.colour - seen) ** 2).mean() < 0.8 * seen.var(), ((shown.colour - seen) ** 2).mean() / seen.var()
    assert shown.object_weights.shape[1] == scene.object_count and not trained.knows_objects
    assert trained.remarks.get("body") == ("grid body" if method in ("nsff", "dynnerf") else None)
    assert bool((shown.depth > 0).all())
    assert list(pd.read_csv(tmp_path / "history.csv")["step"]) == list(range(50, learned["steps"] + 1, 50))


@pytest.mark.parametrize(
    "method, threads", [("hexplane", 1), ("hexplane", 2), ("tineuvox", 1), ("tineuvox", 2), ("nsff", 2), ("dynnerf", 2)]
)
def test_a_killed_training_ends_to_the_last_bit_like_one_that_was_not(
    method: BaselineName, threads: int, written: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(method, depth_supervision="sfm")
    monkeypatch.setattr(training, "STEPS_PER_ROW", 1)
    assert killed_and_resumed(lambda: train(written.scene, tmp_path / "whole", config), 1) == 0
    save, killed = training.save_state, set[int]()

    def dying(path: Path, fingerprint: str, state: training_state.TrainingState, given: TrainBaselineConfig) -> None:
        save(path, fingerprint, state, given)
        if state.step in (3, 6, 9) and state.step not in killed:
            killed.add(state.step)
            raise KilledError

    monkeypatch.setattr(training, "save_state", dying)
    assert killed_and_resumed(lambda: train(written.scene, tmp_path / "killed", config), threads) == 3
    for name in ("checkpoint.pt", "resume.pt"):
        assert different(tmp_path / "killed" / name, tmp_path / "whole" / name) == [], name
    assert (tmp_path / "killed/history.csv").read_bytes() == (tmp_path / "whole/history.csv").read_bytes()


def test_losses_that_are_no_numbers_end_the_run(
    written: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "MOST_BROKEN_STEPS", 2)
    monkeypatch.setattr(stage, "started", lambda *given: broken(training_state.started(*given)))
    with pytest.raises(StageError, match=r"lower train_baseline\.hexplane\.grid_lr"):
        train(written.scene, tmp_path, tiny("hexplane"))


def broken(state: training_state.TrainingState) -> training_state.TrainingState:
    with torch.no_grad():
        next(state.model.field.parameters()).fill_(float("nan"))
    return state


def test_it_is_rendered_and_judged_without_numbers_of_objects(tmp_path: Path) -> None:
    judged = written_scene(tmp_path, "hexplane")
    train(judged / "scene.h5", judged / "hexplane", tiny("hexplane"))
    judged.render()
    judged.evaluate()
    own = read_metrics(judged / "metrics.csv").query("method == 'hexplane' and stage == 'render_views'")
    assert {"psnr_db", "ssim"} <= set(own[own["item"] == "held_out"]["metric"])
    assert not {"miou", "panoptic_quality"} & set(own["metric"])
    missing = json.loads((judged / "evaluation.json").read_text())["missing"]
    said = {entry["reason"] for entry in missing if entry["metric"] == "miou" and entry["method"] == "hexplane"}
    assert said == {"this method does not tell objects apart"}
