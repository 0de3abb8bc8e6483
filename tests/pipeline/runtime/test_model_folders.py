"""Folders of models under weights/: the largest of a kind, the one that is named, and broken ones."""

import json
from pathlib import Path

import pytest

from pipeline.runtime.errors import StageError
from pipeline.runtime.model_folders import model_folder, model_type


def folder(weights: Path, name: str, kind: str, size: int) -> Path:
    path = weights / name
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": kind}))
    (path / "model.safetensors").write_bytes(bytes(size))
    return path


def test_the_largest_of_a_kind_is_taken_or_the_one_that_is_named(tmp_path: Path) -> None:
    small, large = folder(tmp_path, "small", "dpt", 10), folder(tmp_path, "large", "zoedepth", 20)
    folder(tmp_path, "other", "bert", 30)
    assert model_folder(tmp_path, ("dpt", "zoedepth")) == large and model_type(large) == "zoedepth"
    assert model_folder(tmp_path, ("dpt", "zoedepth"), "small") == small
    assert model_folder(tmp_path, ("dpt", "zoedepth"), "other") is None
    assert model_folder(None, ("dpt",)) is None and model_folder(tmp_path, ("sam2_video",)) is None


def test_a_broken_folder_is_named(tmp_path: Path) -> None:
    (folder(tmp_path, "tiny", "dpt", 1) / "config.json").write_text("{")
    with pytest.raises(StageError, match=r"tiny/config.json cannot be read .*; fetch the folder again"):
        model_folder(tmp_path, ("dpt",))
