"""The folder that everything is written into."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.runtime.errors import StageError

RESULTS = Path("results")


def check_writable(folder: Path = RESULTS) -> None:
    """Refuse a folder that cannot be written to, before any job runs."""
    if folder.exists() and not folder.is_dir():
        raise StageError(f"{folder} is a file; results need a folder of that name: move the file away")
    nearest = folder if folder.exists() else folder.absolute().parent
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise StageError(f"{nearest} may not be written to; change its permissions, or work in a copy of the project")


def finished_trainings(names: Iterable[str], folder: Path = RESULTS) -> list[Path]:
    """What trainings of scenes and groups kept to go on, of those whose checkpoints a run that ended well has accepted."""
    kept = ("*/resume.pt", "*/features_*.pt")
    states = [state for name in names for pattern in kept for state in sorted((folder / name).glob(pattern))]
    return [
        state
        for state in states
        if state.with_name("checkpoint.pt").exists() and not state.with_name("resume.lock").exists()
    ]


def stage_errors(since: float, folder: Path = RESULTS) -> list[str]:
    """What stages that failed after a moment (seconds since the epoch) said last, from their logs."""
    logs = [log for log in sorted(folder.glob("*/logs/*.log")) if log.stat().st_mtime >= since]
    return [line for log in logs for line in log.read_text(errors="replace").splitlines() if " ERROR " in line]


def compared_runs(named: Sequence[str], folder: Path = RESULTS) -> list[Path]:
    """The folders of runs to compare: those that are named, else all that have numbers."""
    if named:
        return [folder / name for name in named]
    return sorted(path.parent for path in folder.glob("*/metrics.csv"))
