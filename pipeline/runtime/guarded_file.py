"""A file for libraries that crash when a write fails: HDF5 and torch's archives end the process on a full disk.

They write through this file, which keeps the first fault, takes everything after it without writing, and raises the
fault when the library has let go.
"""

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

SPACE = 1 << 20  # bytes; a disk that takes them stands in nobody's way


class GuardedFile(io.FileIO):
    """A new file whose writes never fail; `check` raises what the first of them met."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.fault: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while len(rest) and self.fault is None:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.fault = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size) if self.fault is None else size or 0
        except OSError as error:
            self.fault = error
            return size or 0

    def check(self) -> None:
        """Raise the first fault, if there was one."""
        if self.fault is not None:
            raise OSError(self.fault.errno, self.fault.strerror, str(self.name))


@contextmanager
def guarded(path: Path) -> Iterator[GuardedFile]:
    """A new guarded file, checked when the block ends without an error."""
    with GuardedFile(path) as file:
        yield file
        file.check()


def write_array(path: Path, array: np.ndarray) -> None:
    """A `.npy` file; `np.save` to a full disk says neither what happened nor where."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getbuffer())


def copy_folder(source: Path, target: Path) -> None:
    """A copy of a folder; `shutil.copytree` hands on neither what the disk said nor of which file."""
    target.mkdir(parents=True)
    for entry in sorted(source.rglob("*")):
        if entry.is_dir():
            (target / entry.relative_to(source)).mkdir()
        else:
            shutil.copyfile(entry, target / entry.relative_to(source))


def check_space(folder: Path) -> None:
    """Raise what a disk says that takes no more files: COLMAP does not pass it on."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(SPACE))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
