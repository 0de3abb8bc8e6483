"""Snakemake's lock on a folder, explained: whose it is, what of that run still works, and what to do.

A run notes itself in .snakemake/ while it works. A killed one leaves its lock there, and jobs that nobody waits for.
"""

import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.runtime.owner_note import STAGES, notes
from workflow.results_folder import RESULTS

RUNS = Path(".snakemake") / "monoverse"
RUN = "run"
OWN = (
    Path(".venv") / "bin" / "snakemake"
)  # of the environment that make sets up, which need not be on the reader's PATH


def why_locked(names: Iterable[str], jobs: Iterable[str], arguments: Sequence[str], runs: Path = RUNS) -> str:
    """The lock in words: for scenes and groups of a run, its jobs on a cluster, and its command line."""
    alive = [str(owner) for _, owner in notes(runs, RUN) if owner is not None]
    if alive:
        return (
            f"The lock is of a run of Snakemake that still works: {', '.join(alive)}. "
            "Wait for it, or stop it there with Ctrl-C."
        )
    told = ["The lock was left by a run of Snakemake that was killed; no run that is known works here now."]
    working = still_working(names) + queued(jobs)
    if working:
        told.append(
            f"Its jobs go on without it: {'; '.join(working)}. Let them end, or stop them first (kill PROCESS, scancel JOB)."
        )
    told.append(f"To go on: {unlocking(arguments)}, then the same command as before; what is done is not done twice.")
    return "\n".join(told)


def unlocking(arguments: Sequence[str]) -> str:
    """The command that removes the lock of the run that these arguments start."""
    kept = [word for word in arguments if word not in ("-n", "--dry-run", "--dryrun")]
    return shlex.join([str(OWN) if OWN.exists() else "snakemake", "--unlock", *kept])


def still_working(names: Iterable[str], folder: Path = RESULTS) -> list[str]:
    """Stages of these scenes and groups that are at work, whoever started them."""
    return [
        f"{path.name.partition('.')[0]} of {name} ({owner})"
        for name in names
        for path, owner in notes(folder / name / STAGES)
        if owner is not None
    ]


def queued(jobs: Iterable[str]) -> list[str]:
    """Which of these jobs SLURM still has to run or is running."""
    known = sorted({job for job in jobs if job.isdigit()}, key=int)
    if not known or shutil.which("squeue") is None:
        return []
    asked = ["squeue", "--noheader", "--format=%i %T", f"--jobs={','.join(known)}"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return [f"perhaps job {', '.join(known)} of SLURM, whose controller does not answer"]
    return [f"job {line.split()[0]} of SLURM ({line.split()[1].lower()})" for line in answer.stdout.splitlines()]
