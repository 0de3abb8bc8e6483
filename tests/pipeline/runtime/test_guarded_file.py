"""Libraries that would crash on a full disk end in an error; /dev/full is a disk that is."""

import errno
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.runtime.guarded_file import GuardedFile, guarded, write_array


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
