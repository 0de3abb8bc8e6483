"""A training of OSN that is killed at many steps ends, to the last bit, like one that was not."""

import itertools
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import train_osn as stage
from pipeline.config import TrainOsnConfig
from pipeline.osn import training
from tests.pipeline.kills import KilledError, different, killed_and_resumed
from tests.pipeline.small_osn import few_scales
from tests.synthetic import write_synthetic_scene

CONFIG = TrainOsnConfig(
    bootstrap_steps=6,
    steps=12,
    rounds=2,
    round_steps=4,
    grids=[16, 24],
    samples_per_step=8192,
    network_steps=10,
    network_batch=128,
    scale_samples=20,
    resume_seconds=0.0,
)
STEPS = CONFIG.bootstrap_steps + CONFIG.steps
KILLED_AT = sorted(random.Random(16).sample(range(1, STEPS + 1), 10))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_scene(tmp_path_factory.mktemp("synthetic")).scene


def train(scene: Path, folder: Path) -> None:
    stage.train_osn(scene, None, folder / "checkpoint.pt", folder / "history.csv", folder / "scales.csv", CONFIG)


def keep_all(folder: Path, patch: pytest.MonkeyPatch, die: bool) -> None:
    """Every state in which a run is to be killed stays in the folder; the run dies there, once at each."""
    keep = training.keep

    def kept(path: Path, state: stage.TrainingState, fingerprint: str) -> None:
        keep(path, state, fingerprint)
        copy = folder / f"{state.field_step}.pt"
        if state.field_step in KILLED_AT and not copy.exists():
            shutil.copy(path, copy)
            if die:
                raise KilledError

    patch.setattr(training, "keep", kept)


def die_in_networks(patch: pytest.MonkeyPatch) -> None:
    """Die in every phase of the scale network, when it has learned; the next time it is left alive."""
    learn, dies = stage.train_network, itertools.cycle([True, False])

    def learned(*arguments: Any) -> float:
        loss = learn(*arguments)
        if next(dies):
            raise KilledError
        return loss

    patch.setattr(stage, "train_network", learned)


@pytest.fixture(autouse=True, scope="module")
def few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONOVERSE_DEVICE", "cpu")
        few_scales(patch)
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
def test_every_tensor_survives_kills_in_all_phases(scene, untouched, tmp_path, monkeypatch, threads):
    keep_all(tmp_path, monkeypatch, die=True)
    die_in_networks(monkeypatch)
    networks = CONFIG.rounds + 1
    assert killed_and_resumed(lambda: train(scene, tmp_path), threads) == len(KILLED_AT) + networks
    for name in [*(f"{step}.pt" for step in KILLED_AT), "checkpoint.pt"]:
        assert different(tmp_path / name, untouched / name) == [], name
    history = [pd.read_csv(folder / "history.csv").drop(columns="seconds") for folder in (tmp_path, untouched)]
    pd.testing.assert_frame_equal(*history, check_exact=True)
    assert (tmp_path / "scales.csv").read_bytes() == (untouched / "scales.csv").read_bytes()
