"""The workflow runs from another folder: as it is, as a module, from a git repository, and its jobs in a container."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from pipeline.runtime.sources import ROOT
from tests.workflow.project import Project, copy_project

SETTINGS = {
    "scenes": {"small": {"video": "simulate"}},
    "simulate_scene": {"frames": 8, "height": 48, "width": 64},
}
MODULE = """
configfile: "settings.yaml"

module monoverse:
    snakefile: "{snakefile}"
    config: config

use rule * from monoverse as monoverse_*
"""
# Says its version, and runs what it is told to run in a container outside of one.
APPTAINER = """#!/bin/sh
[ "$1" = --version ] && echo "apptainer version 1.3.0" && exit
echo "$@" >> "{asked}"
while [ "$1" != -c ]; do shift; done
exec bash -c "$2"
"""


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the workflow whose settings nobody should read, in a git repository."""
    project = copy_project(tmp_path_factory.mktemp("workflow"), {"preset": "paper"})
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *command], cwd=project.folder, check=True)
    return project


def empty_folder(folder: Path, snakefile: str) -> Project:
    """A folder with nothing but a workflow that uses ours."""
    folder.mkdir()
    (folder / "Snakefile").write_text(MODULE.format(snakefile=snakefile))
    (folder / "settings.yaml").write_text(yaml.safe_dump(SETTINGS))
    return Project(folder)


def run(project: Project, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """What a run of Snakemake said, which must succeed."""
    done = subprocess.run(
        project.command(*arguments, cores=1),
        cwd=project.folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def plan(project: Project, *arguments: str) -> str:
    """What a dry run said, which must succeed."""
    done = project.dry_run(*arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_module_from_an_empty_folder_runs_a_stage_and_plans_the_others(workflow: Project, tmp_path: Path) -> None:
    project = empty_folder(tmp_path / "empty", str(workflow.folder / "workflow" / "Snakefile"))
    planned = plan(project)
    assert "monoverse_train_osn" in planned and "monoverse_all" in planned
    run(project, "results/small/video.mp4")
    assert (project.folder / "results" / "small" / "truth.h5").exists()
    assert not (workflow.folder / "results").exists()


def test_a_module_of_a_git_repository_brings_its_code(workflow: Project, tmp_path: Path) -> None:
    project = empty_folder(tmp_path / "empty", f"git+file://{workflow.folder}/workflow/Snakefile@HEAD")
    said = run(project, "--dry-run", "-p", environment={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert re.search(r"--weights \S+/weights ", said)
    (laid_out,) = (tmp_path / "cache").rglob("monoverse/*/pipeline/simulate_scene.py")
    assert laid_out.read_text() == (workflow.folder / "pipeline" / "simulate_scene.py").read_text()
    assert str(laid_out.parents[1] / "weights") in said


def test_from_another_folder_its_own_settings_are_taken_unless_there_are_others(
    workflow: Project, tmp_path: Path
) -> None:
    project, snakefile = Project(tmp_path), str(workflow.folder / "workflow" / "Snakefile")
    assert "results/demo/report.html" in plan(project, "-p", "--snakefile", snakefile)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SETTINGS))
    assert "results/small/report.html" in plan(project, "-p", "--snakefile", snakefile)


def test_jobs_run_in_the_container_when_it_is_asked_for(workflow: Project, tmp_path: Path) -> None:
    apptainer = tmp_path / "bin" / "apptainer"
    apptainer.parent.mkdir()
    apptainer.write_text(APPTAINER.format(asked=tmp_path / "asked"))
    apptainer.chmod(0o755)
    python = Path(sys.executable).parent
    path = os.pathsep.join([str(apptainer.parent), str(python), os.environ["PATH"]])
    small = ["--config", f"simulate_scene={SETTINGS['simulate_scene']}"]
    run(workflow, "results/demo/video.mp4", "--sdm", "apptainer", *small, environment={"PATH": path})
    asked = (tmp_path / "asked").read_text()
    assert "containers/monoverse.sif" in asked and "python -m pipeline.simulate_scene" in asked


def test_a_file_of_configfile_is_checked_too(workflow: Project, tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text("method: osn\nmethod: semantic_flow\n")
    done = workflow.dry_run("--configfile", str(tmp_path / "twice.yaml"))
    assert done.returncode != 0 and "method is given in line 1 and again in line 2" in done.stdout + done.stderr


def test_both_recipes_of_the_container_hold_the_lock_and_the_same_files() -> None:
    docker, apptainer = ((ROOT / "containers" / name).read_text() for name in ("Dockerfile", "monoverse.def"))
    base = re.search(r"^FROM (\S+)$", docker, re.M)
    assert base and f"\nFrom: {base[1]}\n" in apptainer
    for environment in (ROOT / "envs").glob("*.yaml"):
        assert f"python={base[1].removeprefix('python:').removesuffix('-slim')}\n" in environment.read_text()
    copied = dict(re.findall(r"^COPY (\S+) (\S+)$", docker, re.M))
    files = apptainer.split("%files\n")[1].split("\n\n")[0]
    assert copied == dict(line.split() for line in files.splitlines())
    assert all((ROOT / name).exists() and target == f"/opt/monoverse/{name}" for name, target in copied.items())
    flat = docker.replace(" \\\n    && ", "\n")
    commands = [line.strip() for line in apptainer.split("%post\n")[1].split("\n\n")[0].splitlines()]
    assert all(re.search(rf"^(RUN )?{re.escape(command)}$", flat, re.M) for command in commands)
    assert "pip install --no-cache-dir --requirement /opt/monoverse/requirements.lock" in commands
    known = {"FROM", "RUN", "COPY", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert {line.split()[0] for line in flat.splitlines() if line[:1].isalpha() and line.split()[0].isupper()} <= known


def test_the_catalog_finds_what_it_asks_for() -> None:
    catalog = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert catalog["usage"]["software-stack-deployment"] == {"conda": True, "apptainer": True, "apptainer+conda": False}
    assert (ROOT / "config" / "config.yaml").read_text() == (ROOT / "config.yaml").read_text()
    assert (ROOT / "config" / "README.md").exists() and (ROOT / "workflow" / "Snakefile").exists()
