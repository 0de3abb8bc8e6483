"""A lock that Snakemake found is explained: whose it is, what still works, and the command that removes it."""

import os
from pathlib import Path

import pytest

from pipeline.runtime.atomic import host_name
from pipeline.runtime.owner_note import STAGES, noted
from workflow.run_lock import OWN, RUN, queued, still_working, unlocking, why_locked

ARGUMENTS = ["--cores", "4", "-n", "--config", "video=my clip.mp4"]


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `squeue` that knows one running job, and keeps what it was asked."""
    program = tmp_path / "bin" / "squeue"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/asked"\necho "8 RUNNING"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "asked"


def test_a_run_that_still_works_is_to_be_waited_for(tmp_path: Path) -> None:
    with noted(tmp_path, RUN):
        said = why_locked(["demo"], [], ARGUMENTS, tmp_path)
    assert f"process {os.getpid()} on {host_name()}" in said and "--unlock" not in said


def test_the_lock_of_a_killed_run_says_the_command_and_which_stages_work_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with noted(tmp_path / "results" / "demo" / STAGES, "train_osn"):
        said = why_locked(["demo", "other"], [], ARGUMENTS)
    assert f"train_osn of demo (process {os.getpid()} on {host_name()})" in said
    assert "snakemake --unlock --cores 4 --config 'video=my clip.mp4'" in said
    assert not still_working(["demo"])
    assert "go on without it" not in why_locked(["demo"], [], ARGUMENTS)


def test_jobs_that_slurm_still_has_are_named(squeue: Path) -> None:
    assert queued(["9", "8", "9", "nonsense; rm"]) == ["job 8 of SLURM (running)"]
    assert squeue.read_text().split()[-1] == "--jobs=8,9"


def test_without_jobs_slurm_is_not_asked(squeue: Path) -> None:
    assert queued([]) == [] and not squeue.exists()


def test_the_command_is_not_a_dry_run_and_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the environment that `make` has set up here, if there is one: it need not be on the PATH."""
    monkeypatch.chdir(tmp_path)
    assert unlocking(["-n", "all"]) == "snakemake --unlock all"
    (tmp_path / OWN).parent.mkdir(parents=True)
    (tmp_path / OWN).touch()
    assert unlocking(["all"]) == ".venv/bin/snakemake --unlock all"
