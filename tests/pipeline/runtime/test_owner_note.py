"""Notes say who is at work, and are nobody's when their process is gone."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.runtime import owner_note
from pipeline.runtime.atomic import host_name
from pipeline.runtime.owner_note import LOST_S, UNKNOWN, Owner, noted, notes, read_note, renewed, this_process


def test_a_note_is_there_while_the_block_runs_and_says_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    with noted(tmp_path / "notes", "stage"):
        ((path, owner),) = notes(tmp_path / "notes")
        assert owner == this_process() and str(owner) == f"process {os.getpid()} on {host_name()}, job 42"
        assert path.name.startswith("stage.")
    assert not notes(tmp_path / "notes")


def test_the_note_of_an_ended_process_is_nobodys_and_goes_when_the_stage_runs_again(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = tmp_path / "stage.left.json"
    left.write_text(json.dumps({"host": host_name(), "pid": ended.pid}))
    assert notes(tmp_path) == [(left, None)]
    with noted(tmp_path, "stage"):
        assert not left.exists()


def test_a_note_of_another_machine_lives_as_long_as_it_is_renewed(tmp_path: Path) -> None:
    path = tmp_path / "stage.there.json"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "job": "7"}))
    assert notes(tmp_path) == [(path, Owner("elsewhere", 1, "7"))]
    long_ago = time.time() - LOST_S - 1
    os.utime(path, (long_ago, long_ago))
    assert notes(tmp_path) == [(path, None)]


@pytest.mark.parametrize("content", ["", "[1]", '{"host": "a"}', '{"host": "a", "pid": "x"}', "\udcff"])
def test_a_note_that_cannot_be_read_is_of_another_process(tmp_path: Path, content: str) -> None:
    path = tmp_path / "note.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    note = read_note(path)
    assert note is not None and note[0] == UNKNOWN and str(note[0]) == "another process"
    assert read_note(tmp_path / "none.json") is None


def test_a_note_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_note, "BEAT_S", 0.01)
    path = tmp_path / "note.json"
    path.touch()
    os.utime(path, (1, 1))
    with renewed(path):
        deadline = time.monotonic() + 10
        while path.stat().st_mtime == 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert not path.exists()
