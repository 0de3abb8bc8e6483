"""Flow of images whose motion is known."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import get_args

import cv2
import h5py
import numpy as np
import pytest

from pipeline.config import EstimateFlowConfig
from pipeline.correspondence import backends
from pipeline.estimate_flow import estimate_flow, log_consistency
from pipeline.formats.flow_file import read_flow_attributes, read_flow_pairs
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.runtime.errors import StageError
from pipeline.runtime.sources import ROOT


def shifted_frames(folder: Path, shifts: list[tuple[int, int]], size: tuple[int, int] = (64, 96)) -> Path:
    """Windows of one large random texture, moved by whole pixels."""
    noise = np.random.default_rng(0).integers(0, 255, (160, 200, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    for index, (x, y) in enumerate(shifts):
        write_image(folder / frame_name(index), texture[40 + y : 40 + y + size[0], 40 + x : 40 + x + size[1]])
    return folder


def test_dis_finds_a_shift_both_ways(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (3, 1), (3, -1)])
    estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig())
    first, second = read_flow_pairs(tmp_path / "flow.h5")
    inner = (slice(12, -12), slice(12, -12))
    np.testing.assert_allclose(np.median(first.forward[inner], axis=(0, 1)), [-3, -1], atol=0.1)
    np.testing.assert_allclose(np.median(first.backward[inner], axis=(0, 1)), [3, 1], atol=0.1)
    np.testing.assert_allclose(np.median(second.forward[inner], axis=(0, 1)), [0, 2], atol=0.1)
    assert first.forward_valid[inner].mean() > 0.95
    assert not first.forward_valid[:, 0].any(), "these pixels leave the image"
    attributes = read_flow_attributes(tmp_path / "flow.h5")
    assert (attributes["backend"], attributes["weights"], attributes["pairs"]) == ("dis", "", 2)


def test_flow_over_several_frames_is_stored_when_asked_for(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0), (4, 1), (6, 1), (8, 2)])
    estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig(strides=[4, 2]))
    inner = (slice(16, -16), slice(16, -16))
    for stride, motions in ((1, 4), (2, 3), (4, 1)):
        pairs = list(read_flow_pairs(tmp_path / "flow.h5", stride=stride))
        assert len(pairs) == motions
        np.testing.assert_allclose(np.median(pairs[0].forward[inner][..., 0]), -2 * stride, atol=0.2)
        np.testing.assert_allclose(np.median(pairs[-1].backward[inner][..., 0]), 2 * stride, atol=0.2)
    assert read_flow_attributes(tmp_path / "flow.h5")["strides"].tolist() == [1, 2, 4]
    with pytest.raises(StageError, match=r"add 8 to estimate_flow\.strides"):
        next(read_flow_pairs(tmp_path / "flow.h5", stride=8))


def test_auto_takes_raft_where_its_weights_lie(tmp_path: Path, shared_data: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0)])
    config = EstimateFlowConfig(enlargements=[2.0], iterations=4)
    estimate_flow(frames, shared_data / "weights", tmp_path / "flow.h5", config)
    attributes = read_flow_attributes(tmp_path / "flow.h5")
    assert (attributes["backend"], attributes["model"]) == ("raft", "raft_small")
    assert attributes["weights"] == "raft-small.pth"


def test_raft_without_weights_says_what_to_do(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0)])
    with pytest.raises(StageError, match="holds no RAFT weights"):
        estimate_flow(frames, tmp_path, tmp_path / "flow.h5", EstimateFlowConfig(backend="raft"))
    assert not (tmp_path / "flow.h5").exists()


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0)])
    write_image(frames / frame_name(2), np.zeros((32, 40, 3), np.uint8))
    with pytest.raises(StageError, match=r"000002\.png is 40x32"):
        estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig())
    assert not list(tmp_path.glob("flow*"))


def test_one_frame_gives_an_empty_file_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0)])
    estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig())
    assert "one frame only" in caplog.text
    with h5py.File(tmp_path / "flow.h5") as file:
        assert file["forward"].shape == (0, 64, 96, 2)


def test_flow_that_cannot_be_trusted_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    log_consistency([0.9, 0.1, 0.9, 0.2])
    assert "2 of 4 pairs" in caplog.text and "frame 1" in caplog.text


def test_settings_that_change_nothing_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0), (4, 0)])
    config = EstimateFlowConfig(backend="dis", weights_file="raft.pth", strides=[2, 8])
    estimate_flow(frames, None, tmp_path / "flow.h5", config)
    assert "weights_file raft.pth is not used: backend is dis" in caplog.text
    assert "no flow over 8 frames" in caplog.text and "no flow over 2 frames" not in caplog.text


def test_weights_that_are_asked_for_and_not_there_are_named(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0)])
    (tmp_path / "raft-small.pth").touch()
    with pytest.raises(StageError, match=r"weights_file raft_large.pth is not in .*; put it there, or leave it out"):
        estimate_flow(frames, tmp_path, tmp_path / "flow.h5", EstimateFlowConfig(weights_file="raft_large.pth"))


def test_a_backend_is_one_file_and_one_name_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends" / "constant.py").write_text(
        "import numpy as np\n"
        'MODEL = "the same everywhere"\n'
        "def load(checkpoint, device):\n    return 2.5\n"
        "def find(model, pairs, config):\n"
        "    return [np.full((*first.shape[:2], 2), model, np.float32) for first, second in pairs]\n"
    )
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path / "backends")])
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0), (4, 0)])
    config = EstimateFlowConfig().model_copy(update={"backend": "constant"})
    estimate_flow(frames, None, tmp_path / "flow.h5", config)
    assert all(
        (pair.forward == 2.5).all() and (pair.backward == 2.5).all() for pair in read_flow_pairs(tmp_path / "flow.h5")
    )
    attributes = read_flow_attributes(tmp_path / "flow.h5")
    assert (attributes["backend"], attributes["model"]) == ("constant", "the same everywhere")


def test_the_settings_name_every_backend() -> None:
    modules = {path.stem for path in Path(backends.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(get_args(EstimateFlowConfig.model_fields["backend"].annotation)) == {"auto", *modules}


def test_a_disk_that_takes_no_more_ends_in_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    shifted_frames(tmp_path / "frames", [(0, 0), (3, 1), (3, -1)])
    command = [sys.executable, "-m", "pipeline.estimate_flow"]
    command += ["--frames", str(tmp_path / "frames"), "--flow", str(tmp_path / "flow.h5")]
    limit = 20_000  # bytes a file may have, far fewer than the flow has
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "flow.partial" in done.stderr and "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]
