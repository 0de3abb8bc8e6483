"""The state of a training is gone on from where it fits, and one training at a time writes it."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
import torch

from pipeline.runtime.atomic import host_name
from pipeline.runtime.errors import StageError
from pipeline.runtime.owner_note import LOST_S
from pipeline.runtime.resume_file import keep_state, kept_state, sole_training


def test_a_state_is_of_one_scene_and_its_settings(tmp_path: Path) -> None:
    path = tmp_path / "resume.pt"
    assert kept_state(path, "this") is None
    keep_state(path, "this", {"step": 3})
    assert (kept_state(path, "this", "any code") or {})["step"] == 3
    assert kept_state(path, "other") is None


def test_a_finished_state_is_of_its_code_too(tmp_path: Path) -> None:
    keep_state(tmp_path / "resume.pt", "this", {"step": 9}, done_by="old")
    assert (kept_state(tmp_path / "resume.pt", "this", "old") or {})["step"] == 9
    assert kept_state(tmp_path / "resume.pt", "this", "new") is None


def test_a_damaged_state_begins_anew_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep_state(tmp_path / "resume.pt", "this", {"weights": torch.zeros(1000)})
    content = bytearray((tmp_path / "resume.pt").read_bytes())
    content[content.index(bytes(500)) + 100] ^= 1
    (tmp_path / "resume.pt").write_bytes(content)
    assert kept_state(tmp_path / "resume.pt", "this") is None
    assert "training begins anew" in caplog.text


def test_a_second_training_stops_and_says_who_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    with sole_training(tmp_path / "checkpoint.pt") as resume:
        assert resume == tmp_path / "resume.pt"
        words = f"trained already, by process {os.getpid()} on {host_name()}, job 42"
        with pytest.raises(StageError, match=words), sole_training(tmp_path / "checkpoint.pt"):
            pass
    assert not list(tmp_path.iterdir())
    with sole_training(tmp_path / "checkpoint.pt"):
        pass


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "resume.lock").write_text(json.dumps({"host": host_name(), "pid": ended.pid}))
    with sole_training(tmp_path / "checkpoint.pt"):
        pass


def test_a_training_that_was_suspended_keeps_its_lock(tmp_path: Path) -> None:
    """A laptop that slept: the process lives, but has renewed nothing for long."""
    lock = tmp_path / "resume.lock"
    lock.write_text(json.dumps({"host": host_name(), "pid": os.getppid()}))
    long_ago = time.time() - 2 * LOST_S
    os.utime(lock, (long_ago, long_ago))
    with pytest.raises(StageError, match="trained already"), sole_training(tmp_path / "checkpoint.pt"):
        pass


def test_the_lock_of_another_machine_is_taken_over_when_it_is_not_renewed(tmp_path: Path) -> None:
    lock = tmp_path / "resume.lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    with pytest.raises(StageError, match="on elsewhere"), sole_training(tmp_path / "checkpoint.pt"):
        pass
    long_ago = time.time() - LOST_S - 1
    os.utime(lock, (long_ago, long_ago))
    with sole_training(tmp_path / "checkpoint.pt"):
        pass


def test_a_failed_training_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError), sole_training(tmp_path / "checkpoint.pt"):
        raise ValueError
    assert not (tmp_path / "resume.lock").exists()
