"""A copy of the project in a folder of its own, so that a test may edit, run and kill it."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipeline.runtime.sources import ROOT

PARTS = ("config.yaml", "profiles", "workflow", "pipeline", "models", "envs")
SNAKEMAKE = (sys.executable, "-m", "snakemake")
# The smallest scene on which every stage has work to do.
TINY: dict[str, dict[str, Any]] = {
    "simulate_scene": {"frames": 10, "height": 72, "width": 96},
    "reconstruct_objects": {"guided_matching_rounds": 1, "mapping_tracks": 300, "adjustment_tracks": 400},
    "train_osn": {
        "bootstrap_steps": 15,
        "steps": 30,
        "rounds": 2,
        "round_steps": 5,
        "samples_per_step": 4096,
        "grids": [16, 24],
        "network_steps": 50,
        "scale_samples": 30,
        "resume_seconds": 0.3,
    },
    "render_views": {"path_frames": 2, "observed_frames": 2, "held_out_frames": 2, "held_out_samples": 1},
    "export_splats": {
        "steps": 3,
        "background_splats": 300,
        "object_splats": 100,
        "observed_views": 2,
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

    def dry_run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What Snakemake would do here, by a process that has imported it: all that it says is in `stdout`."""
        with tempfile.NamedTemporaryFile("r+") as said:
            words = self.command("--dry-run", *arguments)[len(SNAKEMAKE) :]
            call = {"folder": str(self.folder), "said": said.name, "arguments": words}
            waiting = forked_snakemake()
            assert waiting.stdin and waiting.stdout
            print(json.dumps(call), file=waiting.stdin, flush=True)
            return subprocess.CompletedProcess(words, int(waiting.stdout.readline()), said.read(), "")

    def planned(self, *arguments: str) -> set[str]:
        """The rules of which a dry run would run a job."""
        done = self.dry_run(*arguments)
        assert done.returncode == 0, done.stdout
        table = re.search(r"^job +count\n-+ +-+\n(.*?)\ntotal", done.stdout, re.M | re.S)
        return {line.split()[0] for line in table[1].splitlines()} if table else set()


@cache
def forked_snakemake() -> subprocess.Popen[str]:
    """A process that becomes Snakemake at each call; it ends with its input, with this one."""
    command = [sys.executable, str(Path(__file__).with_name("forked_snakemake.py"))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


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
