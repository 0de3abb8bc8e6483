"""Progress of long work: every few seconds a line with what is done and what is left, in terminals and logs alike."""

import logging
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")
log = logging.getLogger("pipeline.runtime.progress")
SECONDS_BETWEEN_LINES = 4.0


def progress(items: Iterable[Item], what: str, total: int | None = None, unit: str = "") -> Iterator[Item]:
    """Pass `items` through, logging `what 120/800 (15 %), 41 s left` every few seconds."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    start = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last > SECONDS_BETWEEN_LINES and done:
            log.info("%s", progress_line(what, done, total, now - start, unit))
            last = now
        yield item


def progress_line(what: str, done: int, total: int | None, seconds: float, unit: str = "") -> str:
    """One line that says how far the work is and how long it will still take."""
    unit = f" {unit}" if unit else ""
    if not total:
        return f"{what} {done}{unit}, {seconds:.0f} s so far"
    left = seconds / done * (total - done)
    return f"{what} {done}/{total}{unit} ({100 * done // total} %), {left:.0f} s left"
