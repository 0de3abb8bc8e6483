"""Libraries that would crash on a full disk end in an error; /dev/full is a disk that is."""

import errno
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.runtime.atomic import whole
from pipeline.runtime.guarded_file import GuardedFile, copy_folder, guarded, write_array
from tests.full_disk import files_up_to


def test_what_is_written_is_there(tmp_path: Path) -> None:
    with guarded(tmp_path / "a.h5") as disk, h5py.File(disk, "w") as file:
        file["values"] = np.arange(1000)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["values"], np.arange(1000))


def test_a_full_disk_is_told_when_the_library_has_let_go() -> None:
    with pytest.raises(OSError, match="No space left") as caught, guarded(Path("/dev/full")) as disk:
        assert disk.write(b"abc") == 3 and disk.write(b"more") == 4
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == "/dev/full"


def test_a_long_writer_can_ask_and_stop_early() -> None:
    with GuardedFile(Path("/dev/full")) as disk:
        disk.check()
        disk.write(b"abc")
        with pytest.raises(OSError, match="No space left"):
            disk.check()


def test_an_array_on_a_full_disk_says_so(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    write_array(tmp_path / "array.npy", array)
    assert np.array_equal(np.load(tmp_path / "array.npy"), array)
    with pytest.raises(OSError, match="No space left") as caught:
        write_array(Path("/dev/full"), array)
    assert caught.value.errno == errno.ENOSPC


def test_a_copied_folder_is_the_same_and_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "a" / "1").mkdir(parents=True)
    (tmp_path / "a" / "1" / "points").write_bytes(bytes(3000))
    (tmp_path / "a" / "note").write_text("x")
    copy_folder(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b" / "1" / "points").read_bytes() == bytes(3000) and (tmp_path / "b" / "note").exists()
    with pytest.raises(OSError, match="too large") as caught, files_up_to(1000):
        copy_folder(tmp_path / "a", tmp_path / "c")
    assert caught.value.errno == errno.EFBIG


def test_a_full_disk_is_told_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too large") as caught, files_up_to(1000), whole(tmp_path / "a.json") as partial:
        partial.write_text("x" * 5000)
    assert caught.value.filename == str(tmp_path / "a.json") and not list(tmp_path.iterdir())
