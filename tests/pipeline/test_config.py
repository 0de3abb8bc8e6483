"""Settings that cannot change, and in which a misspelt name is an error."""

import pytest
from pydantic import BaseModel, ValidationError

from pipeline.config import Config, EstimateFlowConfig

SECTIONS = [type(value) for _, value in Config(scenes={"a": {"video": "a"}}) if isinstance(value, BaseModel)]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_setting_has_a_default_and_a_meaning(section: type[BaseModel]) -> None:
    section()
    assert all(field.description for field in section.model_fields.values())


def test_sections_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        EstimateFlowConfig().backend = "raft"


@pytest.mark.parametrize("method", ["osn", "semantic_flow", ["osn", "semantic_flow"]])
def test_method_is_one_or_many(method: str | list[str]) -> None:
    methods = Config(scenes={"a": {"video": "a"}}, method=method).method
    assert methods == (method if isinstance(method, list) else [method])


@pytest.mark.parametrize("name", ["../other", "/etc", "..", "a\\b", ""])
def test_runs_to_compare_lie_in_the_results(name: str) -> None:
    assert Config(scenes={"a": {"video": "a"}}, compare=["a b"]).compare == ["a b"]
    with pytest.raises(ValidationError, match="is not a folder of results/"):
        Config(scenes={"a": {"video": "a"}}, compare=[name])
