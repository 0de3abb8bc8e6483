"""A training of Semantic Flow that is killed at many steps ends, to the last bit, like one that was not."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline import train_semantic_flow as stage
from pipeline.formats.scene_file import read_scene
from pipeline.rendering.trained_method import load_method, load_training
from pipeline.rendering.view_pictures import view_rays
from pipeline.semantic_flow import training, training_scene
from pipeline.semantic_flow.frame_features import FrameFeatures
from tests.pipeline.kills import KilledError, different, killed_and_resumed
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import write_synthetic_scene

STATIC_STEPS, JOINT_STEPS = 12, 12
CONFIG = small(static_steps=STATIC_STEPS, steps=JOINT_STEPS, static_rays=512, rays=128, warped_rays=16)
STEPS = [("static", step + 1) for step in range(STATIC_STEPS)] + [("joint", step + 1) for step in range(JOINT_STEPS)]
KILLED_AT = random.Random(16).sample(STEPS, 10)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_scene(tmp_path_factory.mktemp("synthetic")).scene


def train(scene: Path, folder: Path) -> None:
    stage.train_semantic_flow(scene, None, None, None, None, folder / "checkpoint.pt", folder / "history.csv", CONFIG)


def keep_all(folder: Path, patch: pytest.MonkeyPatch, die: bool) -> None:
    """Every state in which a run is to be killed stays in the folder; the run dies there, once at each."""
    save = training.save_state

    def saved(path: Path, fingerprint: str, state: training.TrainingState, facts: dict[str, Any]) -> None:
        save(path, fingerprint, state, facts)
        copy = folder / f"{state.stage}_{state.step}.pt"
        if (state.stage, state.step) in KILLED_AT and not copy.exists():
            shutil.copy(path, copy)
            if die:
                raise KilledError

    patch.setenv("MONOVERSE_DEVICE", "cpu")
    patch.setattr(training, "save_state", saved)
    patch.setattr(training, "STEPS_PER_ROW", 1)
    patch.setattr(training, "ACTIVE_SAMPLE", 100)


@pytest.fixture(autouse=True, scope="module")
def features_of_one_thread() -> Iterator[None]:
    """What frames look like is found once, as torch's own threads round otherwise; it is part of what is kept."""
    find, found = training_scene.frame_features, dict[str, FrameFeatures]()

    def remembered(*arguments: Any) -> FrameFeatures:
        return found.get("all") or found.setdefault("all", find(*arguments))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_scene, "frame_features", remembered)
        yield


@pytest.fixture(scope="module")
def untouched(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The states, checkpoint and history of a run that was not killed, on one thread."""
    folder = tmp_path_factory.mktemp("untouched")
    with pytest.MonkeyPatch.context() as patch:
        keep_all(folder, patch, die=False)
        assert killed_and_resumed(lambda: train(scene, folder), threads=1) == 0
    return folder


@pytest.mark.parametrize("threads", [1, 2])
def test_every_tensor_survives_kills_in_both_stages(scene, untouched, tmp_path, monkeypatch, threads):
    keep_all(tmp_path, monkeypatch, die=True)
    assert killed_and_resumed(lambda: train(scene, tmp_path), threads) == len(KILLED_AT)
    for name in [*(f"{name}_{step}.pt" for name, step in KILLED_AT), "checkpoint.pt"]:
        assert different(tmp_path / name, untouched / name) == [], name
    assert (tmp_path / "history.csv").read_bytes() == (untouched / "history.csv").read_bytes()


@pytest.mark.parametrize("name", ["static", "joint"])
def test_what_either_stage_keeps_can_be_looked_at(scene, untouched, name):
    packed = read_scene(scene)
    kept = untouched / f"{name}_{next(step for other, step in KILLED_AT if other == name)}.pt"
    method = load_training(kept, "semantic_flow", packed, torch.device("cpu"))
    assert method.classes == load_method(untouched / "checkpoint.pt", packed, torch.device("cpu")).classes
    shown = method.render(view_rays(packed.camera.resized(4, 6), packed.object_from_camera[0, 1].astype(float), 1))
    assert bool(shown.colour.isfinite().all() and shown.depth.isfinite().all())
