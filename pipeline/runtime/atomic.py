"""Outputs appear whole or not at all: written aside, then renamed."""

import errno
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.errors import StageError

# What only writing meets: a full disk, a quota, a limit of a file's size, a disk that is read-only.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
ABANDONED_S = 24 * 3600.0  # age of another machine's partial file that nobody can still be writing


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write a file or a folder to; takes its place when the block ends without an error.

    The suffix is kept (`masks.partial-HOST-PID.h5`), because writers choose their format by it. The name is this
    process's own: two jobs that write the same output, one of them left over from a killed run, do not mix.
    """
    partial = path.with_name(f"{path.stem}.partial-{host_name()}-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        remove(partial)
    except OSError as error:
        raise StageError(
            f"cannot write {path}: {error.strerror}; choose a results folder that you may write to"
        ) from error
    try:
        yield partial
    except OSError as error:
        remove(partial)
        if error.errno in NO_SPACE and not error.filename:
            error.filename = str(path)  # writes, unlike opening, do not say of which file
        raise
    except BaseException:
        remove(partial)
        raise
    if path.is_dir() or partial.is_dir():
        remove(path)
    partial.replace(path)


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes left beside an output."""
    prefix = f"{path.stem}.partial-"
    for leftover in path.parent.iterdir():
        if not (leftover.name.startswith(prefix) and leftover.name.endswith(path.suffix)):
            continue
        host, _, pid = leftover.name.removeprefix(prefix).removesuffix(path.suffix).rpartition("-")
        if not pid.isdigit():
            continue
        age = time.time() - leftover.stat().st_mtime
        if (host == host_name() and not is_alive(int(pid))) or age > ABANDONED_S:
            remove(leftover)


def host_name() -> str:
    """This machine's name, without its domain."""
    return socket.gethostname().split(".")[0]


def is_alive(pid: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
