"""A run whose training goes on: the page takes over every state that is kept."""

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.live.trained_run import newest_state, read_state
from pipeline.runtime.errors import StageError

if TYPE_CHECKING:
    from pipeline.live.page import LivePage

log = logging.getLogger("pipeline.view_scene")
LOOKED_S = 2.0


def keep_new(page: "LivePage") -> None:
    """Look for a newer state from time to time, in a thread that ends with the process."""
    threading.Thread(target=watch, args=(page,), daemon=True).start()


def watch(page: "LivePage") -> None:
    while True:
        time.sleep(LOOKED_S)
        renew_if_newer(page)


def renew_if_newer(page: "LivePage") -> bool:
    """Take over a state that was written since; one that cannot be read is told and waited past."""
    run, state, stamp = page.run, page.run.state, page.run.stamp
    try:
        state = newest_state(run.folder)
        stamp = state.stat().st_mtime_ns
        if (state, stamp) == (run.state, run.stamp):
            return False
        page.renew(read_state(run.folder, run.scene, run.tracks))
    except (StageError, OSError) as error:
        if (state, stamp) != (run.state, run.stamp):
            log.warning("shown is what was read before: %s", error)
        page.run = replace(run, state=state, stamp=stamp)
        return False
    log.info("%s is shown as it is now, from %s", page.run.label, page.run.state.name)
    return True
