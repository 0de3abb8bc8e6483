"""Downloads that fail in every way."""

import hashlib
import io
import urllib.error
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import download_weights as module
from pipeline.config import DownloadWeightsConfig
from pipeline.download_weights import download, download_weights
from pipeline.runtime.errors import StageError
from pipeline.runtime.weights import known_weights

WEIGHTS = known_weights()
CONTENTS = b"a checkpoint"
WEIGHT = replace(WEIGHTS[0], sha256=hashlib.sha256(CONTENTS).hexdigest())


def test_every_file_offered_by_default_has_an_address() -> None:
    known = {weight.file for weight in WEIGHTS if weight.address}
    assert set(DownloadWeightsConfig().files) <= known


def test_a_whole_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.urllib.request, "urlopen", lambda address, timeout: io.BytesIO(CONTENTS))
    download(WEIGHT, tmp_path / "weights" / WEIGHT.file)
    assert (tmp_path / "weights" / WEIGHT.file).read_bytes() == CONTENTS


def test_another_file_than_the_published_one_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.urllib.request, "urlopen", lambda address, timeout: io.BytesIO(b"an error page"))
    with pytest.raises(StageError, match="SHA-256 does not begin with"):
        download(WEIGHT, tmp_path / WEIGHT.file)
    assert list(tmp_path.iterdir()) == []


def test_without_a_connection_one_line_says_so_and_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(address: str, timeout: float) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(module.urllib.request, "urlopen", offline)
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(StageError, match=r"no route to host.*nothing was changed") as caught:
        download_weights(tmp_path, DownloadWeightsConfig())
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_files_that_are_there_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str, timeout: float) -> None:
        raise AssertionError("nothing to download")

    monkeypatch.setattr(module.urllib.request, "urlopen", refuse)
    (tmp_path / WEIGHTS[0].file).write_text("mine")
    download_weights(tmp_path, DownloadWeightsConfig(files=[WEIGHTS[0].file]))
    assert (tmp_path / WEIGHTS[0].file).read_text() == "mine"


def test_an_unknown_file_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"raft_huge.pth; choose from raft_large_C_T_SKHT_V2"):
        download_weights(tmp_path, DownloadWeightsConfig(files=["raft_huge.pth"]))
