"""resume.pt beside a checkpoint: the state of a training that was killed, or whose end nobody has confirmed yet.

It stays when the training is done, marked as such: a job that ends between its last step and what follows it (its time
is up, Snakemake was killed) need not train again. The graph removes it when a run has ended well. A lock beside it keeps
two trainings from writing the same file.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import StageError
from pipeline.runtime.owner_note import is_gone, read_note, renewed, write_note
from pipeline.runtime.tensor_file import load_tensors, save_tensors

log = logging.getLogger(__name__)
NAME = "resume.pt"


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
    with renewed(lock):
        yield resume


def take(lock: Path) -> None:
    """Make the lock, or say who has it; one whose owner is gone is taken over."""
    for _ in range(2):
        try:
            write_note(lock, os.O_EXCL)
        except FileExistsError:
            check_abandoned(lock)
            lock.unlink(missing_ok=True)
            continue
        return
    raise StageError(f"{lock} was taken by another training at this moment; run again")


def check_abandoned(lock: Path) -> None:
    """Refuse a lock whose owner may still work: on this machine as long as it lives, elsewhere as long as it is renewed."""
    note = read_note(lock)
    if note is None or is_gone(*note):
        return
    owner, age = note
    raise StageError(
        f"{lock.parent} is being trained already, by {owner}, seen {age:.0f} s ago; wait for it or "
        f"stop it; if you know that it is gone, delete {lock}"
    )
