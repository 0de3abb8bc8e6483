"""resume.pt beside a checkpoint: the state of a training that was killed, or whose end nobody has confirmed yet.

It stays when the training is done, marked as such: a job that ends between its last step and what follows it (its time
is up, Snakemake was killed) need not train again. The graph removes it when a run has ended well. A lock beside it keeps
two trainings from writing the same file.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.runtime.atomic import host_name, is_alive
from pipeline.runtime.errors import StageError
from pipeline.runtime.tensor_file import load_tensors, save_tensors

log = logging.getLogger(__name__)
NAME = "resume.pt"
BEAT_S = 10.0
LOST_S = 180.0  # a lock of another machine that was not touched for so long belongs to nobody


def keep_state(path: Path, fingerprint: str, contents: Mapping[str, Any], done_by: str = "") -> None:
    """Keep a state; `done_by` is the digest of the code that has finished it."""
    save_tensors(path, {"fingerprint": fingerprint, "done_by": done_by, **contents})


def kept_state(path: Path, fingerprint: str, code: str = "") -> dict[str, Any] | None:
    """A state that can be gone on from: there, whole, of the same inputs and settings; if done, by the same code."""
    if not path.exists():
        return None
    try:
        stored: dict[str, Any] = load_tensors(path)
    except StageError as error:
        log.warning("%s: training begins anew", error)
        return None
    if stored.get("fingerprint") != fingerprint:
        log.info("%s is of another scene or of other settings: training begins anew", path)
        return None
    if stored["done_by"] not in ("", code):
        log.info("%s is of a finished training by other code: training begins anew", path)
        return None
    return stored


@contextmanager
def sole_training(checkpoint: Path) -> Iterator[Path]:
    """Where the state of the training of a checkpoint is kept, locked against a second training of it."""
    resume = checkpoint.with_name(NAME)
    resume.parent.mkdir(parents=True, exist_ok=True)
    lock = resume.with_suffix(".lock")
    take(lock)
    stop = threading.Event()
    beat = threading.Thread(target=touch_until, args=(lock, stop), daemon=True)
    beat.start()
    try:
        yield resume
    finally:
        stop.set()
        beat.join()
        lock.unlink(missing_ok=True)


def take(lock: Path) -> None:
    """Make the lock, or say who has it; one whose owner is gone is taken over."""
    for _ in range(2):
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            check_abandoned(lock)
            lock.unlink(missing_ok=True)
            continue
        with os.fdopen(handle, "w") as file:
            json.dump({"host": host_name(), "pid": os.getpid(), "job": os.environ.get("SLURM_JOB_ID", "")}, file)
        return
    raise StageError(f"{lock} was taken by another training at this moment; run again")


def check_abandoned(lock: Path) -> None:
    """Refuse a lock whose owner may still work: on this machine as long as it lives, elsewhere as long as it is renewed."""
    try:
        owner, age = json.loads(lock.read_text()), time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        owner, age = {}, time.time() - lock.stat().st_mtime
    here = owner.get("host") == host_name()
    if (here and not is_alive(int(owner["pid"]))) or (not here and age >= LOST_S):
        return
    job = f", job {owner['job']}" if owner.get("job") else ""
    whose = f"process {owner['pid']} on {owner['host']}{job}" if owner else "another process"
    raise StageError(
        f"{lock.parent} is being trained already, by {whose}, seen {age:.0f} s ago; wait for it or stop it; "
        f"if you know that it is gone, delete {lock}"
    )


def touch_until(lock: Path, stop: threading.Event) -> None:
    """Show every few seconds that the lock's owner lives."""
    while not stop.wait(BEAT_S):
        try:
            os.utime(lock)
        except OSError as error:
            log.warning("the lock %s cannot be renewed (%s)", lock, error.strerror)
