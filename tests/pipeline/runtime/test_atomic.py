"""Outputs appear whole or not at all."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.runtime.atomic import ABANDONED_S, host_name, whole


def test_file_appears_only_when_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with whole(target) as partial:
        partial.write_text("x")
        assert not target.exists() and partial.suffix == ".txt"
    assert target.read_text() == "x" and list(target.parent.iterdir()) == [target]


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ValueError), whole(target) as partial:
        partial.write_text("half")
        raise ValueError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_folder_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "frames"
    target.mkdir()
    (target / "stale.png").write_text("")
    with whole(target) as partial:
        partial.mkdir()
        (partial / "new.png").write_text("")
    assert [path.name for path in target.iterdir()] == ["new.png"]


def test_leftover_of_a_killed_run_is_replaced(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    leftover = tmp_path / f"frames.partial-{host_name()}-{ended.pid}"
    leftover.mkdir()
    (leftover / "half.png").write_text("")
    with whole(tmp_path / "frames") as partial:
        partial.mkdir()
    assert list(tmp_path.iterdir()) == [tmp_path / "frames"] and not list((tmp_path / "frames").iterdir())


def test_what_others_may_still_be_writing_is_left_alone(tmp_path: Path) -> None:
    others = [f"a.partial-{host_name()}-{os.getppid()}.h5", "a.partial-elsewhere-7.h5", "a.partial-notes.h5"]
    for name in others:
        (tmp_path / name).write_text("")
    with whole(tmp_path / "a.h5") as partial:
        partial.write_text("x")
    assert {path.name for path in tmp_path.iterdir()} == {*others, "a.h5"}
    long_ago = time.time() - 2 * ABANDONED_S
    os.utime(tmp_path / others[1], (long_ago, long_ago))
    with whole(tmp_path / "a.h5") as partial:
        partial.write_text("x")
    assert not (tmp_path / others[1]).exists()
