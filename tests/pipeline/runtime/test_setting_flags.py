"""Settings as flags, derived from their model."""

import argparse
from typing import Any

import pytest

from pipeline.cli import read_call
from pipeline.config import (
    EvaluateConfig,
    ExtractFramesConfig,
    ReconstructObjectsConfig,
    SegmentObjectsConfig,
    TrainOsnConfig,
    TrainSemanticFlowConfig,
)
from pipeline.runtime.errors import StageError
from pipeline.runtime.renamed_keys import RENAMED_KEYS
from pipeline.runtime.setting_flags import add_setting_flags, flag_name, given_settings


def settings(model: Any, *words: str) -> Any:
    """The model that flags give."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_setting_flags(parser, model)
    return model.model_validate(given_settings(model, vars(parser.parse_args(words))))


def test_nothing_given_is_the_default() -> None:
    assert settings(TrainOsnConfig) == TrainOsnConfig() and not settings(TrainOsnConfig).model_fields_set


def test_numbers_choices_and_dotted_names() -> None:
    given = settings(TrainOsnConfig, "--steps", "400", "--grid-lr", "1e-3", "--ablation.sampling", "even_depth")
    assert (given.steps, given.grid_lr, given.ablation.sampling) == (400, 1e-3, "even_depth")


@pytest.mark.parametrize("words", [["24", "32"], ["[24, 32]"]])
def test_lists_are_several_values_or_json(words: list[str]) -> None:
    assert settings(TrainOsnConfig, "--grids", *words).grids == [24, 32]


def test_tuples_texts_and_nothing() -> None:
    lens = settings(ReconstructObjectsConfig, "--intrinsics", "1100", "1100", "640", "360").intrinsics
    assert lens == (1100, 1100, 640, 360)
    assert settings(TrainSemanticFlowConfig, "--static-classes").static_classes == []
    assert settings(TrainSemanticFlowConfig, "--classes", '{"car": "vehicle"}').classes == {"car": "vehicle"}
    assert settings(ExtractFramesConfig, "--fps", "none").fps is None


def test_prompts_are_json_objects() -> None:
    prompts = settings(
        SegmentObjectsConfig, "--prompts", '{"object": 1, "points": [[1, 2]]}', '{"object": 2, "box": [0, 0, 4, 4]}'
    ).prompts
    assert [prompt.object for prompt in prompts] == [1, 2] and prompts[0].points == [(1, 2)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], True),
        (["--lpips"], True),
        (["--lpips", "true"], True),
        (["--lpips", "false"], False),
        (["--no-lpips"], False),
    ],
)
def test_booleans_are_switched_on_and_off(words: list[str], expected: bool) -> None:
    assert settings(EvaluateConfig, *words).lpips is expected


def test_a_member_counts_more_than_its_section() -> None:
    words = ["--ablation.head", "point", "--ablation", '{"head": "flow_features", "displacement": false}']
    ablation = settings(TrainSemanticFlowConfig, *words).ablation
    assert (ablation.head, ablation.displacement) == ("point", False)


@pytest.mark.parametrize("old", [old for old in RENAMED_KEYS if old.startswith("train_osn.")])
def test_old_name_stops_with_the_new_one(old: str) -> None:
    def train(config: TrainOsnConfig) -> None: ...

    keys, new = old.split(".")[1:], RENAMED_KEYS[old].split(".")[1:]
    with pytest.raises(StageError, match=rf"^{flag_name(keys)} is called {flag_name(new)} now$"):
        read_call(train, [flag_name(keys), "1"])
    with pytest.raises(StageError, match=rf"^--options: {keys[0]} is called {'.'.join(new)} now;"):
        read_call(train, ["--options", f'{{"{keys[0]}": 1}}'])
