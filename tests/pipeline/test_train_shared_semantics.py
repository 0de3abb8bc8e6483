"""Several scenes trained as one model, and scenes that start from others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline import train_shared_semantics as stage
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import read_scene, write_scene
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow import training as training
from pipeline.semantic_flow import training_scene
from pipeline.semantic_flow.labels import read_labels
from pipeline.semantic_flow.method import method_from_checkpoint
from pipeline.semantic_flow.shared_semantics import adaptation, all_classes, read_trained, shared_part, with_classes
from pipeline.train_semantic_flow import train_semantic_flow
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import write_synthetic_scene

FEW = {"static_steps": 6, "steps": 10, "rays": 64, "warped_rays": 8, "semantic_rays": 16}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The synthetic scene, and the same in other colours with another name for an object."""
    folder = tmp_path_factory.mktemp("shared")
    first = write_synthetic_scene(folder / "first").scene
    scene = read_scene(first)
    objects = [*scene.objects[:2], {**scene.objects[2], "name": "lamp"}]
    (folder / "second").mkdir()
    write_scene(folder / "second/scene.h5", replace(scene, images=255 - scene.images, objects=objects), {})
    return [first, folder / "second/scene.h5"]


def train(scenes: list[Path], folder: Path, config: TrainSemanticFlowConfig) -> Path:
    stage.train_shared_semantics(scenes, None, folder / "shared.pt", folder / "history.csv", config)
    return folder / "shared.pt"


@pytest.fixture(scope="module")
def shared(scenes: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "STEPS_PER_ROW", 5)
        return train(scenes, tmp_path_factory.mktemp("trained"), small(**FEW))


def adapted(scene: Path, start: Path, folder: Path, **changes: object) -> dict[str, object]:
    config = small(**{**FEW, **changes})
    train_semantic_flow(scene, None, None, None, start, folder / "checkpoint.pt", folder / "history.csv", config)
    state: dict[str, object] = torch.load(folder / "checkpoint.pt", weights_only=True)
    return state


def test_all_scenes_have_one_semantic_network_and_fields_of_their_own(shared: Path) -> None:
    one, other = read_trained(shared)["members"].values()
    assert one["class_names"] == other["class_names"] == ["background", "left box", "right box", "lamp"]
    for name, value in one["model"]["weights"].items():
        same = value.equal(other["model"]["weights"][name])
        assert same if name.startswith("head.") else True, name
        assert not same if name.startswith("dynamic.appearance") else True, name
    rows = pd.read_csv(shared.with_name("history.csv"))
    assert [path.name for path in shared.parent.glob("resume*")] == ["resume.pt"]
    assert set(rows["scene"]) == {"first", "second"} and rows["step"].tolist() == [5, 10, 5, 10]


def test_a_scene_of_the_model_takes_its_part_as_it_is(scenes: list[Path], shared: Path, tmp_path: Path) -> None:
    state = adapted(scenes[1], shared, tmp_path)
    _, expected = read_trained(shared)["members"].values()
    for name, value in expected["model"]["weights"].items():
        torch.testing.assert_close(state["model"]["weights"][name], value, rtol=0, atol=0, msg=name)  # type: ignore[index]
    method = method_from_checkpoint(state, read_scene(scenes[1]), torch.device("cpu"))
    assert method.object_ids == [0, 1, 254, 2]


def test_a_scene_of_the_model_is_told_that_its_depth_maps_are_not_used(
    scenes: list[Path], shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out, maps = tmp_path / "checkpoint.pt", tmp_path / "depth"
    train_semantic_flow(scenes[1], None, maps, None, shared, out, tmp_path / "history.csv", small(**FEW))
    assert f"the depth maps {maps} are not used" in caplog.text


def test_another_scene_starts_from_the_shared_network_in_few_steps(
    scenes: list[Path], shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = read_scene(scenes[0])
    objects = [*scene.objects[:1], {**scene.objects[1], "name": "vase"}, scene.objects[2]]
    write_scene(tmp_path / "scene.h5", replace(scene, images=scene.images // 2, objects=objects), {})
    seen = []
    second_stage = training_scene.second_stage

    def watched(*arguments: object) -> training.TrainingState:
        state: training.TrainingState = second_stage(*arguments)
        seen.append({name: value.clone() for name, value in state.model.head.state_dict().items()})
        return state

    monkeypatch.setattr(training_scene, "second_stage", watched)
    state = adapted(tmp_path / "scene.h5", shared, tmp_path, adaptation_steps=5)
    assert state["class_names"] == ["background", "left box", "right box", "lamp", "vase"]
    start = shared_part(read_trained(shared), small(**FEW), shared)
    for name, value in start.head.items():
        torch.testing.assert_close(seen[0][name][: len(value)], value, rtol=0, atol=0, msg=name)
    assert seen[0]["network.4.bias"].shape == (5,)
    assert state["options"]["steps"] == 5 and state["options"]["static_steps"] == 3  # type: ignore[index]
    torch.testing.assert_close(state["features"]["basis"]["mean"], start.basis.mean, rtol=0, atol=0)  # type: ignore[index]


def test_a_scene_can_start_from_one_other_scene(scenes: list[Path], tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    adapted(scenes[0], None, tmp_path / "one")  # type: ignore[arg-type]
    state = adapted(scenes[1], tmp_path / "one/checkpoint.pt", tmp_path)
    assert state["class_names"] == ["background", "left box", "right box", "lamp"]


@pytest.mark.parametrize("killed_at", [("static", 3), ("joint", 9)])
def test_a_killed_run_of_several_scenes_ends_like_one_that_was_not(
    scenes: list[Path], shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: tuple[str, int]
) -> None:
    update = training.update

    def kill(state: training.TrainingState, parts: dict[str, torch.Tensor]) -> dict[str, float]:
        if (state.stage, state.step) == killed_at:
            raise KeyboardInterrupt
        return update(state, parts)

    with monkeypatch.context() as patch:
        for module in (training, stage):
            patch.setattr(module, "STEPS_PER_ROW", 2)
            patch.setattr(module, "update", kill)
        with pytest.raises(KeyboardInterrupt):
            train(scenes, tmp_path, small(**FEW))
    assert list(tmp_path.glob("resume*.pt"))
    again = read_trained(train(scenes, tmp_path, small(**FEW)))
    for digest, expected in read_trained(shared)["members"].items():
        for name, value in expected["model"]["weights"].items():
            same = again["members"][digest]["model"]["weights"][name]
            torch.testing.assert_close(same, value, rtol=0, atol=0, msg=name)


def test_labels_take_the_classes_of_another_model_by_name(scenes: list[Path]) -> None:
    scene = read_scene(scenes[1])
    own = read_labels(scene, None, small())
    names, moves = all_classes([read_labels(read_scene(scenes[0]), None, small()), own])
    assert names == ["background", "left box", "right box", "lamp"] and moves == [False, True, True, True]
    labels = with_classes(own, ["ground", "right box", "left box"], [False, True, True])
    assert labels.names == ["ground", "right box", "left box", "lamp"]
    assert labels.class_of == {0: 0, 1: 2, 2: 3, 254: 1}
    np.testing.assert_array_equal(labels.ids, np.array([0, 2, 3], np.int16)[own.ids])
    assert labels.moving.sum() == own.moving.sum()


def test_other_settings_of_the_network_and_too_few_scenes_are_refused(
    scenes: list[Path], shared: Path, tmp_path: Path
) -> None:
    with pytest.raises(StageError, match="reach: 1, this scene has 2"):
        adapted(scenes[0].with_name("truth.h5"), shared, tmp_path, reach=2)
    with pytest.raises(StageError, match="two or more"):
        train(scenes[:1], tmp_path, small())
    (tmp_path / "torn.pt").write_bytes(b"torn")
    with pytest.raises(StageError, match="cannot be read"):
        adapted(scenes[0], tmp_path / "torn.pt", tmp_path)


def test_adaptation_shortens_both_stages_alike() -> None:
    config = adaptation(TrainSemanticFlowConfig(steps=2000, static_steps=800, adaptation_steps=500))
    assert (config.steps, config.static_steps) == (500, 200)
    assert adaptation(TrainSemanticFlowConfig(steps=100, static_steps=50)).steps == 100
