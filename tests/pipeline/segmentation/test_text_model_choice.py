"""Prompts with text need SAM 3: what is missing is said, with the way out."""

import json
from pathlib import Path

import pytest

from pipeline.runtime.errors import StageError
from pipeline.segmentation import text_model_choice
from pipeline.segmentation.text_model_choice import text_model


def test_a_missing_folder_or_library_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for weights in (tmp_path, None):
        with pytest.raises(
            StageError, match=r"holds no folder of it .*hf download facebook/sam3.*or give points or a box"
        ):
            text_model(weights)
    (tmp_path / "sam3").mkdir()
    (tmp_path / "sam3" / "config.json").write_text(json.dumps({"model_type": "sam3_video"}))
    monkeypatch.setattr(text_model_choice, "find_spec", lambda name: None)
    with pytest.raises(StageError, match="transformers, which is not installed: `pip install"):
        text_model(tmp_path)
    monkeypatch.setattr(text_model_choice, "find_spec", lambda name: name)
    assert text_model(tmp_path) == tmp_path / "sam3"
