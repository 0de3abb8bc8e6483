"""Presets are settings of the model, and what a person sets counts more."""

from typing import Any, get_args

import pytest

from pipeline.config import Config, PresetName, TrainOsnConfig
from pipeline.runtime.config_file import checked_config, shared_options, stage_options
from pipeline.runtime.errors import StageError
from pipeline.runtime.presets import PRESETS

SCENE = {"video": "simulate"}
SETTINGS = [(name, stage, key) for name, stages in PRESETS.items() for stage in stages for key in stages[stage]]


def options(stage: str, **values: Any) -> dict[str, Any]:
    """The settings of scene `a`."""
    return stage_options(checked_config({"scenes": {"a": SCENE}, **values}, []), stage, "a")


def test_presets_are_those_that_config_yaml_may_name() -> None:
    assert tuple(PRESETS) == get_args(PresetName) and not PRESETS["default"]


@pytest.mark.parametrize(("name", "stage", "key"), SETTINGS)
def test_every_setting_of_a_preset_exists_is_valid_and_changes_something(
    name: PresetName, stage: str, key: str
) -> None:
    section = type(getattr(Config(scenes={"a": SCENE}), stage))
    value = PRESETS[name][stage][key]
    assert section.model_validate({key: value}) != section()


@pytest.mark.parametrize("name", PRESETS)
def test_default_options_are_the_models_and_a_presets_are_its_own(name: PresetName) -> None:
    steps = PRESETS[name].get("train_osn", {}).get("steps", TrainOsnConfig().steps)
    assert options("train_osn", preset=name)["steps"] == steps
    assert options("track_points", preset=name) == options("track_points")


def test_what_a_person_sets_counts_more_even_where_it_is_the_default() -> None:
    default = TrainOsnConfig().steps
    given = options("train_osn", preset="draft", train_osn={"steps": default, "ablation": {"z_buffer": "soft"}})
    assert given["steps"] == default and given["ablation"]["z_buffer"] == "soft"
    assert given["bootstrap_steps"] == PRESETS["draft"]["train_osn"]["bootstrap_steps"]
    assert given["ablation"]["network_loss"] == "cross_entropy"


def test_a_scenes_own_preset_and_size_count_more() -> None:
    scenes = {"a": {**SCENE, "preset": "quality"}, "b": SCENE, "c": {**SCENE, "size": 77}}
    config = checked_config({"scenes": scenes, "preset": "draft"}, [])
    sizes = [stage_options(config, "extract_frames", name)["max_size"] for name in "abc"]
    assert sizes == [
        PRESETS["quality"]["extract_frames"]["max_size"],
        PRESETS["draft"]["extract_frames"]["max_size"],
        77,
    ]


def test_preset_may_be_given_on_the_command_line_without_a_video() -> None:
    assert checked_config({"scenes": {"a": SCENE}, "preset": "draft"}, []).scenes["a"].video == "simulate"
    with pytest.raises(StageError, match="preset: Input should be 'draft', 'default', 'quality' or 'paper'"):
        checked_config({"scenes": {"a": SCENE}, "preset": "drafty"}, [])


def test_scenes_of_one_model_have_one_preset() -> None:
    scenes: dict[str, Any] = {name: {**SCENE, "preset": "draft"} for name in "ab"}
    config = checked_config({"scenes": scenes, "shared_semantics": {"both": ["a", "b"]}}, [])
    assert shared_options(config, "both")["steps"] == PRESETS["draft"]["train_semantic_flow"]["steps"]
    scenes["b"] = SCENE
    with pytest.raises(StageError, match="b has preset default and a has draft"):
        checked_config({"scenes": scenes, "shared_semantics": {"both": ["a", "b"]}}, [])
