"""A copy of the project in a folder of its own, so that a test may edit, run and kill it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.runtime.sources import ROOT

PARTS = ("config.yaml", "profiles", "workflow", "pipeline", "models", "envs")
SNAKEMAKE = (sys.executable, "-m", "snakemake")
# The smallest scene on which every stage has work to do.
TINY: dict[str, dict[str, Any]] = {
    "simulate_scene": {"frames": 12, "height": 96, "width": 128},
    "train_osn": {
        "bootstrap_steps": 30,
        "steps": 60,
        "rounds": 2,
        "round_steps": 15,
        "samples_per_step": 8192,
        "grids": [24, 32],
        "network_steps": 100,
        "scale_samples": 50,
        "resume_seconds": 1,
    },
    "render_views": {"path_frames": 4},
    "export_splats": {
        "steps": 5,
        "background_splats": 500,
        "object_splats": 200,
        "observed_views": 3,
        "turned_views": 1,
    },
}


@dataclass(frozen=True)
class Project:
    """A project folder with its own config.yaml and results."""

    folder: Path

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Merge sections into config.yaml."""
        path = self.folder / "config.yaml"
        values = yaml.safe_load(path.read_text())
        for name, section in changes.items():
            values[name] = {**(values.get(name) or {}), **section} if isinstance(section, dict) else section
        path.write_text(yaml.safe_dump(values, sort_keys=False))

    def command(self, *arguments: str, cores: int = 1) -> list[str]:
        return [*SNAKEMAKE, "--cores", str(cores), *arguments]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake here."""
        return subprocess.run(self.command(*arguments), cwd=self.folder, capture_output=True, text=True, timeout=1000)

    def planned(self, *arguments: str) -> set[str]:
        """The rules of which a dry run would run a job."""
        done = self.snakemake("--dry-run", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        table = re.search(r"^job +count\n-+ +-+\n(.*?)\ntotal", done.stdout + done.stderr, re.M | re.S)
        return {line.split()[0] for line in table[1].splitlines()} if table else set()


def copy_project(folder: Path, changes: Mapping[str, Any]) -> Project:
    """The project's own files in `folder`, with some settings changed."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.partial"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    project = Project(folder)
    if changes:
        project.configure(changes)
    return project
