"""Which depth network is taken, and what is said where there is none."""

import json
from pathlib import Path

import pytest

from pipeline.depth import model_choice
from pipeline.depth.model_choice import depth_model
from pipeline.runtime.errors import StageError


def write_folder(path: Path) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": "dpt"}))
    return path


def test_without_a_folder_it_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"holds no depth model \(.*hf download.*or leave depth out"):
        depth_model(tmp_path, None)
    write_folder(tmp_path / "midas")
    with pytest.raises(StageError, match="holds no depth model called other"):
        depth_model(tmp_path, "other")


def test_without_transformers_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "midas")
    monkeypatch.setattr(model_choice, "find_spec", lambda name: None)
    with pytest.raises(StageError, match="needs transformers, which is not installed: `pip install"):
        depth_model(tmp_path, None)
    monkeypatch.setattr(model_choice, "find_spec", lambda name: object())
    assert depth_model(tmp_path, "midas") == folder
