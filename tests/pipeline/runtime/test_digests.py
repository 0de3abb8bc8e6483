"""What a stage wrote and was damaged since stops the stage that would read it."""

from pathlib import Path

import pytest

from pipeline.runtime.digests import changed, check_whole, digest, digest_file, keep_digests, stamps
from pipeline.runtime.errors import StageError


@pytest.fixture
def written(tmp_path: Path) -> list[Path]:
    """A file and a folder that `make_things` wrote."""
    file, folder = tmp_path / "a.h5", tmp_path / "frames"
    file.write_bytes(b"content")
    (folder / "deeper").mkdir(parents=True)
    (folder / "deeper" / "0.png").write_bytes(b"picture")
    keep_digests([file, folder], "make_things")
    return [file, folder]


def test_whole_inputs_pass(written: list[Path]) -> None:
    check_whole(written, "use_things")


@pytest.mark.parametrize("damaged", ["a.h5", "frames/deeper/0.png"])
def test_a_changed_byte_names_file_stage_and_the_way_out(written: list[Path], damaged: str) -> None:
    path = written[0].parent / damaged
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    with pytest.raises(StageError, match=r"is not what make_things wrote.*delete it.*\.digests") as caught:
        check_whole(written, "use_things")
    assert str(written[damaged != "a.h5"]) in str(caught.value)


def test_a_file_more_or_less_in_a_folder_is_found(written: list[Path]) -> None:
    (written[1] / "1.png").write_bytes(b"")
    with pytest.raises(StageError, match="frames is not what"):
        check_whole(written, "use_things")


def test_hidden_files_are_no_content(written: list[Path]) -> None:
    (written[1] / ".DS_Store").write_bytes(b"")
    check_whole(written, "use_things")


def test_the_stage_that_writes_it_anew_does_not_ask(written: list[Path]) -> None:
    written[0].write_bytes(b"damaged")
    check_whole(written, "make_things")
    assert not digest_file(written[0]).exists()
    check_whole(written, "use_things")  # killed before it was written: nothing is promised any more


def test_a_persons_own_file_and_a_torn_digest_promise_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own.mp4"
    own.write_bytes(b"x")
    check_whole([own, tmp_path / "absent"], "use_things")
    digest_file(own).parent.mkdir()
    digest_file(own).write_bytes(b"\xff{")
    check_whole([own], "use_things")


def test_what_is_replaced_is_an_output(tmp_path: Path) -> None:
    kept, replaced, new = (tmp_path / name for name in "abc")
    kept.write_text("1")
    replaced.write_text("1")
    before = stamps([kept, replaced, new])
    replaced.unlink()
    replaced.write_text("1")
    new.write_text("1")
    assert set(changed(before)) == {replaced, new}


def test_a_folder_that_files_come_into_is_nobodys_output(tmp_path: Path) -> None:
    """weights/, to which people add files by hand."""
    weights = tmp_path / "weights"
    weights.mkdir()
    before = stamps([weights])
    (weights / "sam.pth").write_text("x")
    assert changed(before) == []


def test_names_in_a_folder_count(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "a").write_text("x")
    (tmp_path / "two" / "b").write_text("x")
    assert digest(tmp_path / "one") != digest(tmp_path / "two")
