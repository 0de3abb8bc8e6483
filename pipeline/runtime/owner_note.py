"""Who is at work: a note that a process keeps beside what it writes, and renews while it lives.

Read by other processes, also on other machines, which cannot ask whether a process of this one still runs.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.runtime.atomic import host_name, is_alive

log = logging.getLogger(__name__)
BEAT_S = 10.0
LOST_S = 180.0  # a note of another machine that was not renewed for so long is of nobody
STAGES = ".running"  # folder of the stages' notes, beside their results


@dataclass(frozen=True)
class Owner:
    """A process, the machine that it runs on, and its job on a cluster if it is one."""

    host: str
    pid: int
    job: str = ""

    def __str__(self) -> str:
        if not self.host:
            return "another process"
        return f"process {self.pid} on {self.host}{f', job {self.job}' if self.job else ''}"


UNKNOWN = Owner("", 0)


def this_process() -> Owner:
    """Who we are."""
    return Owner(host_name(), os.getpid(), os.environ.get("SLURM_JOB_ID", ""))


def write_note(path: Path, flags: int = os.O_TRUNC) -> None:
    """Write who we are and since when; `flags` say what is done where there is a note already."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | flags), "w") as file:
        try:
            json.dump({**asdict(this_process()), "started": time.time()}, file)
            file.flush()
        except OSError:
            path.unlink(missing_ok=True)
            raise


def read_note(path: Path) -> tuple[Owner, float] | None:
    """Whose note it is (UNKNOWN where it cannot be read) and its age in seconds; None where there is no note."""
    try:
        age = time.time() - path.stat().st_mtime
        said = json.loads(path.read_bytes())
        return Owner(str(said["host"]), int(said["pid"]), str(said.get("job", ""))), age
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None if not path.exists() else (UNKNOWN, time.time() - path.stat().st_mtime)


def read_start(path: Path) -> float | None:
    """When the owner of a note began, seconds since the epoch; None where the note does not tell."""
    try:
        return float(json.loads(path.read_bytes())["started"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_gone(owner: Owner, age: float) -> bool:
    """Whether nobody works there: on this machine when the process has ended, elsewhere when nothing renews the note."""
    if owner.host == host_name():
        return not is_alive(owner.pid)
    return age >= LOST_S


@contextmanager
def renewed(path: Path) -> Iterator[None]:
    """Renew a note every few seconds until the block ends, then remove it."""
    stop = threading.Event()
    beat = threading.Thread(target=touch_until, args=(path, stop), daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        path.unlink(missing_ok=True)


@contextmanager
def noted(folder: Path, name: str) -> Iterator[None]:
    """Have a note in a folder while the block runs; notes of this name that are nobody's are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, owner in notes(folder, name):
        if owner is None:
            path.unlink(missing_ok=True)
    path = folder / f"{name}.{host_name()}-{os.getpid()}.json"
    write_note(path)
    with renewed(path):
        yield


def notes(folder: Path, name: str = "*") -> list[tuple[Path, Owner | None]]:
    """The notes of a name in a folder, with who still works; None where nobody does."""
    found = [(path, read_note(path)) for path in sorted(folder.glob(f"{name}.*.json"))]
    return [(path, None if is_gone(*note) else note[0]) for path, note in found if note is not None]


def touch_until(path: Path, stop: threading.Event) -> None:
    """Show every few seconds that the note's owner lives."""
    while not stop.wait(BEAT_S):
        try:
            os.utime(path)
        except OSError as error:
            log.warning("the note %s cannot be renewed (%s)", path, error.strerror)
