"""One stage of a finished run, run again under trouble, and what became of it: see benchmarks/reliability.py."""

import csv
import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from pipeline.runtime.digests import hidden
from pipeline.runtime.resume_file import NAME as RESUME
from pipeline.runtime.sources import ROOT

COMMAND = re.compile(r"^Shell command: (python -m pipeline\.\w+ .*?) 2>&1 \| tee", re.M)
# What differs between two runs that did the same: times and memory, and what says when and by which commit.
CLOCKED = {"seconds", "peak_memory_mb", "steps_per_second", "commit", "train_seconds"}
DEADLINE_S = 900


@dataclass(frozen=True)
class Stage:
    """A command of the graph: its words, and the files and folders that it writes."""

    name: str
    words: list[str]
    outputs: list[Path]

    def inputs(self, folder: Path) -> list[Path]:
        """The files that it reads in a copy of the run, those in folders one by one."""
        given = [Path(word) for word in self.words if word.startswith("results/")]
        read = [folder / path for path in given if path not in self.outputs and "logs" not in path.parts]
        files = [entry for path in read for entry in (path.rglob("*") if path.is_dir() else [path])]
        return sorted(entry for entry in files if entry.is_file() and not hidden(entry.relative_to(folder)))


@dataclass
class Outcome:
    """How a stage ended: its code (below 0 for a signal), what it said, and how long it took."""

    code: int
    said: str
    seconds: float

    @property
    def traceback(self) -> bool:
        return "Traceback" in self.said

    @property
    def crashed(self) -> bool:
        return self.code < 0

    @property
    def sentence(self) -> bool:
        """Whether it ended with an error in one line, as stages do."""
        return self.code == 1 and " ERROR " in self.said and not self.traceback


@dataclass
class Count:
    """A row of the table: trials of one kind, and those that broke a promise, each with the words that name it."""

    trials: int = 0
    stopped: int = 0
    silent: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    partials: list[str] = field(default_factory=list)

    def add(self, name: str, outcome: Outcome, *, silent: bool = False, partial: bool = False) -> None:
        """Count a trial."""
        self.trials += 1
        self.stopped += outcome.code != 0
        self.silent += [name] * silent
        self.crashes += [name] * outcome.crashed
        self.tracebacks += [name] * (outcome.traceback or (outcome.code > 0 and not outcome.sentence))
        self.partials += [name] * partial


def planned_stages(project: Path) -> list[Stage]:
    """The commands of a project's graph, in its order, from a dry run of all of it."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "-p", "--forceall"]
    done = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, check=True)
    found = [shlex.split(words) for words in COMMAND.findall(done.stdout + done.stderr)]
    outputs = output_flags()
    return [
        Stage(words[2].removeprefix("pipeline."), words, written(words, outputs[words[2].removeprefix("pipeline.")]))
        for words in found
    ]


def output_flags() -> dict[str, set[str]]:
    """For every stage the flags of the files that it writes, from the rules: `--flow {output.flow:q}`."""
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
    rules = re.split(r"^rule ", text, flags=re.M)[1:]
    return {rule.split(":")[0]: set(re.findall(r"(--[\w-]+) \{output\.", rule)) for rule in rules}


def written(words: list[str], flags: set[str]) -> list[Path]:
    """The paths behind these flags of a command line."""
    return [Path(words[place + 1]) for place, word in enumerate(words) if word in flags]


@contextmanager
def copy_of(run: Path, folder: Path) -> Iterator[Path]:
    """A copy of a run's results that a trial may break, with the run's weights."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run / "results", folder / "results", symlinks=True)
    if (run / "weights").exists():
        (folder / "weights").symlink_to(run / "weights")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_outputs(stage: Stage, folder: Path) -> None:
    """As Snakemake does before a job."""
    for path in stage.outputs:
        if (folder / path).is_dir():
            shutil.rmtree(folder / path)
        else:
            (folder / path).unlink(missing_ok=True)


def environment() -> dict[str, str]:
    """Variables of a run: on the CPU, with our code from any folder, and a depth network that needs no weights."""
    places = os.pathsep.join([str(ROOT), str(ROOT / "benchmarks" / "known_depth")])
    return {**os.environ, "PYTHONPATH": places, "CUDA_VISIBLE_DEVICES": ""}


def start(stage: Stage, folder: Path, limit: int | None = None) -> subprocess.Popen[str]:
    """Start a stage in a copy of the run; `limit` is the most bytes that a file may have."""

    def before() -> None:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, *stage.words[1:]],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=before,
    )


def outcome_of(process: subprocess.Popen[str], begun: float) -> Outcome:
    """Wait for a stage; one that hangs is killed, and counts as a crash."""
    try:
        said, _ = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    return Outcome(process.returncode, said, time.monotonic() - begun)


def run(stage: Stage, folder: Path, limit: int | None = None) -> Outcome:
    """Run a stage to its end."""
    begun = time.monotonic()
    return outcome_of(start(stage, folder, limit), begun)


def killed_after(stage: Stage, folder: Path, seconds: float) -> Outcome:
    """Run a stage and kill it, if it still runs, after some time."""
    begun = time.monotonic()
    process = start(stage, folder)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return outcome_of(process, begun)
    return Outcome(process.returncode, said, time.monotonic() - begun)


def partials(folder: Path) -> list[Path]:
    """Half-written files that are left."""
    return list(folder.rglob("*.partial*"))


def damage(path: Path, choose: random.Random) -> str:
    """Change some bytes of a file, or cut it; returns which."""
    content = bytearray(path.read_bytes())
    if choose.random() < 0.35 or not content:
        path.write_bytes(content[: choose.randrange(max(1, len(content)))])
        return "cut"
    for _ in range(choose.choice((1, 1, 4, 64))):
        place = choose.randrange(len(content))
        content[place] ^= choose.randrange(1, 256)
    path.write_bytes(content)
    return "bytes"


def contents(stage: Stage, folder: Path) -> dict[str, Any]:
    """What a stage has written, comparable: each file by its path, without what clocks and commits say."""
    files: list[Path] = []
    for path in stage.outputs:
        full = folder / path
        files += sorted(full.rglob("*")) if full.is_dir() else [full]
    found = (path.relative_to(folder) for path in files if path.is_file())
    names = [path for path in found if not hidden(path) and path.name != RESUME and "records" not in path.parts]
    return {str(name): readable(folder / name) for name in names}


def readable(path: Path) -> Any:
    """A file's content without its clocks."""
    reader: Callable[[Path], Any] = READERS.get(path.suffix, Path.read_bytes)
    return reader(path)


def read_table(path: Path) -> list[dict[str, str]]:
    """A CSV without columns and rows of time and memory."""
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("metric") not in CLOCKED]
    return [{key: value for key, value in row.items() if key not in CLOCKED} for row in rows]


def read_tensors(path: Path) -> Any:
    """All tensors of a file."""
    return unclocked(torch.load(path, weights_only=True))


def read_datasets(path: Path) -> dict[str, Any]:
    """All datasets and attributes of an HDF5 file."""
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        parts = [file, *(file[name] for name in names)]
        attributes = {part.name: unclocked({key: str(value) for key, value in part.attrs.items()}) for part in parts}
        arrays = {
            part.name: (part.shape, np.asarray(part[()]).tobytes()) for part in parts if isinstance(part, h5py.Dataset)
        }
    return {"attributes": attributes, "arrays": arrays}


def unclocked(value: Any) -> Any:
    """Nested values with tensors as bytes, without clocks."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return {key: unclocked(part) for key, part in value.items() if key not in CLOCKED}
    return [unclocked(part) for part in value] if isinstance(value, list | tuple) else value


READERS: dict[str, Callable[[Path], Any]] = {
    ".h5": read_datasets,
    ".html": lambda path: path.stat().st_size > 0,  # times and memory of every stage are all over it
    ".csv": read_table,
    ".pt": read_tensors,
    ".json": lambda path: unclocked(json.loads(path.read_text())),
}
