"""An old setting is told its new name, and what was written with it can still be read."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config import Config, TrainSemanticFlowConfig
from pipeline.runtime import renamed_keys
from pipeline.runtime.config_file import checked_config
from pipeline.runtime.errors import StageError
from pipeline.runtime.renamed_keys import RENAMED_KEYS, RENAMED_VALUES, with_new_names

SCENE = {"video": "simulate"}


def nested(keys: list[str], value: Any) -> dict[str, Any]:
    """`{a: {b: value}}` for the keys a and b."""
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]


def setting(dotted: str) -> Any:
    """The field of the model that a dotted key leads to; None where there is none."""
    model: Any = Config
    for key in dotted.split("."):
        if key == "*":
            (model,) = [part for part in model.__args__ if part is not str]
            continue
        field = model.model_fields.get(key) if isinstance(model, type) and issubclass(model, BaseModel) else None
        if field is None:
            return None
        model = field.annotation
    return field


@pytest.mark.parametrize(("old", "new"), RENAMED_KEYS.items(), ids=list(RENAMED_KEYS))
def test_old_key_stops_with_its_line_and_its_new_name(tmp_path: Path, old: str, new: str) -> None:
    assert setting(old) is None and setting(new) is not None
    old, new = old.replace("*", "a"), new.replace("*", "a")
    values = nested(old.split("."), 1)
    text = yaml.safe_dump({**values, "scenes": {"a": {**SCENE, **values.get("scenes", {}).get("a", {})}}})
    path = tmp_path / "config.yaml"
    path.write_text(text)
    key = old.split(".")[-1]
    line = next(number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith(f"{key}:"))
    with pytest.raises(StageError) as stopped:
        checked_config(yaml.safe_load(text), [path])
    assert str(stopped.value) == f"{old} (config.yaml, line {line}): is called {new} now"
    with pytest.raises(StageError) as stopped:
        checked_config(yaml.safe_load(text), [])
    assert str(stopped.value) == f"{old}: is called {new} now"


@pytest.mark.parametrize("key", RENAMED_VALUES)
def test_old_choice_stops_with_its_new_name(key: str) -> None:
    for old, new in RENAMED_VALUES[key].items():
        with pytest.raises(StageError, match=rf"{key}: {old} is called {new} now"):
            checked_config({"scenes": {"a": SCENE}, **nested(key.split("."), old)}, [])
        checked_config({"scenes": {"a": SCENE}, **nested(key.split("."), new)}, [])


def test_choice_of_another_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renamed_keys, "RENAMED_VALUES", {"estimate_flow.backend": {"torchvision": "raft"}})
    with pytest.raises(StageError, match=r"estimate_flow\.backend: torchvision is called raft now"):
        checked_config({"scenes": {"a": SCENE}, "estimate_flow": {"backend": "torchvision"}}, [])


def test_options_of_an_older_checkpoint_are_read_under_the_names_of_today() -> None:
    old = {"head": "point", "displacement": False, "weights": {"colour": 2.0}, "carry": 3, "steps": 7}
    config = TrainSemanticFlowConfig.model_validate(with_new_names("train_semantic_flow", old))
    assert (config.ablation.head, config.ablation.displacement, config.steps) == ("point", False, 7)
    assert (config.loss_weights.colour, config.label_propagation_frames) == (2.0, 3)
    today = config.model_dump(mode="json")
    assert with_new_names("train_semantic_flow", today) == today
