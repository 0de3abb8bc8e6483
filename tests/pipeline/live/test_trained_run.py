"""Which run, and which of its states, is meant."""

import os
from pathlib import Path

import pytest
import torch

from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import write_scene
from pipeline.live.trained_run import method_folder, newest_state, read_run
from pipeline.osn.fixed_scales import scale_prior
from pipeline.osn.training_state import keep, started
from pipeline.runtime.errors import StageError
from pipeline.runtime.tensor_file import save_tensors
from tests.analytic_world import analytic_scene, analytic_truth
from tests.pipeline.reporting.test_interactive import decided_network, some_views


def touched(path: Path, second: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (second, second))


def test_what_was_written_last_is_shown(tmp_path: Path) -> None:
    touched(tmp_path / "checkpoint.pt", 100)
    assert newest_state(tmp_path).name == "checkpoint.pt"
    touched(tmp_path / "resume.pt", 99)
    assert newest_state(tmp_path).name == "checkpoint.pt", "a training that has ended keeps its state before"
    touched(tmp_path / "resume.pt", 101)
    assert newest_state(tmp_path).name == "resume.pt"


def test_scene_means_its_first_method_and_a_method_itself(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"scene\.h5 does not exist"):
        method_folder(tmp_path)
    touched(tmp_path / "scene.h5", 1)
    with pytest.raises(StageError, match="no trained method"):
        method_folder(tmp_path)
    touched(tmp_path / "semantic_flow" / "resume.pt", 1)
    assert method_folder(tmp_path) == tmp_path / "semantic_flow"
    touched(tmp_path / "osn" / "checkpoint.pt", 1)
    assert method_folder(tmp_path) == tmp_path / "osn"
    assert method_folder(tmp_path / "semantic_flow") == tmp_path / "semantic_flow"


def test_run_without_a_known_camera_is_refused(tmp_path: Path) -> None:
    scene = analytic_scene(analytic_truth())
    scene.visible[0] = False
    write_scene(tmp_path / "scene.h5", scene, {})
    touched(tmp_path / "osn" / "checkpoint.pt", 1)
    with pytest.raises(StageError, match="no frame with a known camera"):
        read_run(tmp_path)


def test_training_is_shown_as_it_was_kept_last(tmp_path: Path) -> None:
    scene = analytic_scene(analytic_truth())
    write_scene(tmp_path / "scene.h5", scene, {})
    (tmp_path / "osn").mkdir()
    resume = tmp_path / "osn" / "resume.pt"
    state = started(scene, TrainOsnConfig(grids=[8]), torch.device("cpu"))
    state.views, state.network = some_views(), decided_network(scene)
    keep(resume, state, "of a scene")
    run = read_run(tmp_path)
    assert "in training" in run.label and not run.splats and run.tracks is None
    scales = torch.tensor([[1.0, 1.0, 0.6], [1.0, 2.9, 0.4]])
    with torch.no_grad():
        expected = state.network(state.network.normalised(scales))
    torch.testing.assert_close(run.method.validity(scales), expected)
    prior, pool = torch.from_numpy(scale_prior(some_views(), scene)), state.pool.scales
    away = (pool / prior).log().square().sum(1)
    torch.testing.assert_close(run.method.scales[0], pool[away.argmin()])
    save_tensors(resume, {"fields": 3})
    with pytest.raises(StageError, match="no state of osn that can be shown"):
        read_run(tmp_path)
