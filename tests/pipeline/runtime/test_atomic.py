"""Outputs appear whole or not at all."""

from pathlib import Path

import pytest

from pipeline.runtime.atomic import whole


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
    leftover = tmp_path / "frames.partial"
    leftover.mkdir()
    (leftover / "half.png").write_text("")
    with whole(tmp_path / "frames") as partial:
        partial.mkdir()
    assert list((tmp_path / "frames").iterdir()) == []
