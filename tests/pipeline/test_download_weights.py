"""The table of weights, and downloads that fail in every way."""

import hashlib
import io
import re
import urllib.error
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import download_weights as module
from pipeline.config import DownloadWeightsConfig
from pipeline.download_weights import download, download_weights
from pipeline.runtime.errors import StageError
from pipeline.runtime.weights import WEIGHTS, is_genuine, weights_present

CONTENTS = b"a checkpoint"
WEIGHT = replace(WEIGHTS[0], sha256=hashlib.sha256(CONTENTS).hexdigest())


def test_every_entry_can_be_checked() -> None:
    for weight in WEIGHTS:
        assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", weight.sha256), weight.file
        if weight.address:
            assert weight.address.startswith("https://") and weight.address.endswith("/" + weight.file)
        if len(weight.sha256) == 8:
            assert weight.sha256 in weight.file, "torchvision's names carry the digest's first digits"
    assert len({weight.file for weight in WEIGHTS}) == len(WEIGHTS)


def test_every_file_offered_by_default_has_an_address() -> None:
    known = {weight.file for weight in WEIGHTS if weight.address}
    assert set(DownloadWeightsConfig().files) <= known


def test_the_sample_weights_are_the_published_ones(shared_data: Path) -> None:
    (weight,) = weights_present(shared_data / "weights", "estimate_flow")
    assert weight.file == "raft-small.pth"
    assert is_genuine(shared_data / "weights" / weight.file, weight)


def test_the_best_file_comes_first(tmp_path: Path) -> None:
    for name in ("raft_small_C_T_V2-01064c6d.pth", "raft_large_C_T_V2-1bb1363a.pth"):
        (tmp_path / name).touch()
    assert [weight.model for weight in weights_present(tmp_path, "estimate_flow")] == ["raft_large", "raft_small"]
    assert weights_present(tmp_path, "segment_objects") == []
    assert weights_present(None, "estimate_flow") == []


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
