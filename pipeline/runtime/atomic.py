"""Outputs appear whole or not at all: written aside, then renamed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.errors import StageError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write a file or a folder to; takes its place when the block ends without an error.

    The suffix is kept (`masks.partial.h5`), because writers choose their format by it.
    """
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(partial)
    except OSError as error:
        raise StageError(
            f"cannot write {path}: {error.strerror}; choose a results folder that you may write to"
        ) from error
    try:
        yield partial
    except BaseException:
        remove(partial)
        raise
    if path.is_dir() or partial.is_dir():
        remove(path)
    partial.replace(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
