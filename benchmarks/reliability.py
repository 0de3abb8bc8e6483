"""Kills, damaged files, broken settings and full disks: nothing lost, nothing silently wrong.

    python -m benchmarks.reliability --work /tmp/reliability
    python -m benchmarks.reliability --work /tmp/reliability --kills 30 --minutes 10

A tiny simulated scene goes through the whole graph by both methods first (again only if `--work` has no run). Then

    kills      a stage is killed with SIGKILL at a random moment and run again: its files must be the same, to the last
               bit, as those of the run that nobody disturbed (without times and memory), and nothing half written is left
    damage     one of a stage's input files gets random bytes changed, or its end cut off: the stage must say so
    unsigned   the same without the digests that stages keep, as with files of another tool: it may compute with them, but
               not end in a traceback or a crash
    settings   config.yaml with random changes of its values and of its text: a sentence, or a configuration by which
               Snakemake plans a run
    disks      no file may grow beyond a random part of what the stage writes, as on a full disk: a sentence, and
               nothing half written is left

`silent`: another result without a word. A kind stops early when its part of `--minutes` is over; the table counts what ran.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.known_depth.transformers import remember
from benchmarks.stage_trials import (
    Count,
    Outcome,
    Stage,
    contents,
    copy_of,
    damage,
    environment,
    killed_after,
    partials,
    planned_stages,
    remove_outputs,
    run,
)
from pipeline.runtime.atomic import remove
from pipeline.runtime.config_file import checked_config
from pipeline.runtime.digests import FOLDER as DIGESTS
from pipeline.runtime.errors import StageError
from pipeline.runtime.sources import ROOT
from pipeline.truth.truth_file import read_truth
from workflow.config_yaml import check_yaml

# The smallest scene on which every stage of both methods, a baseline and estimated depth has work to do, in a few seconds each.
SETTINGS: dict[str, Any] = {
    "method": ["osn", "semantic_flow", "hexplane"],
    "scenes": {"demo": {"video": "simulate", "depth": "estimate"}},
    "simulate_scene": {"frames": 10, "height": 72, "width": 96},
    "reconstruct_objects": {"guided_matching_rounds": 1, "mapping_tracks": 300, "adjustment_tracks": 400},
    "train_osn": {
        "bootstrap_steps": 10, "steps": 20, "rounds": 1, "round_steps": 5, "samples_per_step": 2048, "grids": [16, 24],
        "network_steps": 30, "scale_samples": 20, "resume_seconds": 0.2,
    },
    "train_semantic_flow": {
        "static_steps": 10, "steps": 10, "static_rays": 128, "rays": 128, "semantic_rays": 64, "warped_rays": 16,
        "coarse_samples": 16, "fine_samples": 8, "static_cells": 8000, "static_resolution": 48, "dynamic_resolution": 24,
        "resume_seconds": 0.2,
    },
    "train_baseline": {
        "resume_seconds": 0.2,
        "hexplane": {
            "steps": 30, "rays": 64, "coarse_samples": 16, "fine_samples": 8, "grids": [8, 12], "time_grids": [3, 5],
            "refine_at": [0.5], "width": 8, "density_channels": 2, "colour_channels": 2,
        },
    },
    "render_views": {"path_frames": 2, "observed_frames": 2, "held_out_frames": 2, "held_out_samples": 1},
    "export_splats": {
        "steps": 5, "background_splats": 500, "object_splats": 200, "observed_views": 2, "turned_views": 1,
    },
}  # fmt: skip
KINDS = ("kills", "damage", "unsigned", "settings", "disks")
SHARES = {"kills": 0.6, "damage": 0.15, "unsigned": 0.12, "settings": 0.03, "disks": 0.1}
ODD: tuple[Any, ...] = (None, True, -1, 10**30, float("inf"), float("nan"), "", " ", "x" * 300, "{scene}", [], {}, [[]])


@dataclass(frozen=True)
class Campaign:
    """The undisturbed run, its stages, and where trials happen."""

    run: Path
    stages: list[Stage]
    trial: Path
    choose: random.Random

    def turns(self) -> Iterator[Stage]:
        """Stages without end, each as often as the others, in random order."""
        while True:
            yield from self.choose.sample(self.stages, len(self.stages))


def undisturbed(work: Path) -> Path:
    """The project that has gone through the whole graph; made once."""
    project = work / "project"
    if (project / "results" / "demo" / "report.html").exists():
        return project
    project.mkdir(parents=True, exist_ok=True)
    settings = {**yaml.safe_load((ROOT / "config.yaml").read_text()), **SETTINGS}
    (project / "config.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    for name in ("workflow", "pipeline", "models", "envs", "profiles"):
        remove(project / name)
        (project / name).symlink_to(ROOT / name)
    snakemake = [sys.executable, "-m", "snakemake", "--quiet", "rules", "--cores", "1"]
    subprocess.run([*snakemake, "results/demo/truth.h5"], cwd=project, env=environment(), check=True)
    shown = read_truth(project / "results" / "demo" / "truth.h5").train
    remember(project / "weights" / "remembered", shown.images, shown.depth)
    subprocess.run(snakemake, cwd=project, env=environment(), check=True)
    return project


def kills(campaign: Campaign, stage: Stage, count: Count) -> None:
    """One kill, and the run after it; where the stage was faster than the kill, it is tried again, sooner."""
    with copy_of(campaign.run, campaign.trial) as folder:
        expected, usual = contents(stage, folder), recorded_seconds(stage, folder)
        first = Outcome(0, "", usual)
        while first.code == 0:
            remove_outputs(stage, folder)
            first = killed_after(stage, folder, campaign.choose.uniform(0.1, 1.0) * first.seconds)
        again = run(stage, folder)
        same = contents(stage, folder) == expected
        outcome = Outcome(again.code, first.said + again.said, again.seconds)
        count.add(stage.name, outcome, silent=again.code == 0 and not same, partial=bool(partials(folder)))


def recorded_seconds(stage: Stage, folder: Path) -> float:
    """How long the stage took, with the start of Python and its libraries."""
    (record,) = [path for path in stage.outputs if path.parent.name == "records"]
    return 3.0 + float(json.loads((folder / record).read_text())["seconds"])


def damaged(campaign: Campaign, stage: Stage, count: Count, *, signed: bool) -> None:
    """One damaged input."""
    with copy_of(campaign.run, campaign.trial) as folder:
        by_format: dict[str, list[Path]] = {}
        for path in stage.inputs(folder):
            by_format.setdefault(path.suffix, []).append(path)
        if not by_format:
            return
        chosen = campaign.choose.choice(by_format[campaign.choose.choice(sorted(by_format))])
        if not signed:
            for kept in list(folder.rglob(DIGESTS)):
                remove(kept)
        expected = contents(stage, folder)
        remove_outputs(stage, folder)
        how = damage(chosen, campaign.choose)
        outcome = run(stage, folder)
        silent = signed and outcome.code == 0 and contents(stage, folder) != expected
        name = f"{stage.name}: {chosen.relative_to(folder)} ({how})"
        count.add(name, outcome, silent=silent, partial=bool(partials(folder)))


def full_disk(campaign: Campaign, stage: Stage, count: Count) -> None:
    """One disk that takes a part of what the stage writes."""
    with copy_of(campaign.run, campaign.trial) as folder:
        sizes = [size for path in stage.outputs for size in file_sizes(folder / path)]
        remove_outputs(stage, folder)
        limit = int(campaign.choose.uniform(0.0, 0.95) * max(sizes))
        outcome = run(stage, folder, limit)
        count.add(f"{stage.name}: {limit} bytes", outcome, silent=outcome.code == 0, partial=bool(partials(folder)))


def file_sizes(path: Path) -> list[int]:
    """Bytes of a file, or of those in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return [file.stat().st_size for file in files if file.is_file()]


def settings(campaign: Campaign, stage: Stage, count: Count) -> None:
    """One broken config.yaml."""
    path = campaign.trial / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(broken_settings(campaign))
    try:
        check_yaml(path)
        checked_config(yaml.safe_load(path.read_text()) or {}, [path])
        outcome = planned(campaign.run, campaign.trial)
    except StageError as error:
        outcome = Outcome(1, f" ERROR {error}", 0)
    except Exception as error:  # every other error would be a traceback, whatever its kind
        outcome = Outcome(1, f"Traceback: {error!r}", 0)
    count.add(outcome.said[:200], outcome)


def planned(project: Path, folder: Path) -> Outcome:
    """What Snakemake makes of a configuration that passed: the plan of a run, or an error in words of ours."""
    graph = ["--snakefile", str(project / "workflow" / "Snakefile"), "--cores", "1", "--dry-run"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *graph], cwd=folder, env=environment(), capture_output=True, text=True
    )
    return plan_outcome(done.returncode, done.stdout + done.stderr)


def plan_outcome(code: int, said: str) -> Outcome:
    """How a plan ended: Snakemake shows errors of ours as WorkflowError, and others without the word Traceback."""
    kind = " ERROR " if "WorkflowError" in said else "Traceback: "
    return Outcome(code, kind * (code != 0) + said[-1000:], 0)


def broken_settings(campaign: Campaign) -> bytes:
    """config.yaml with a value, or some of its text, changed."""
    choose, text = campaign.choose, (campaign.run / "config.yaml").read_text()
    if choose.random() < 0.5:
        content = bytearray(text.encode())
        for _ in range(choose.choice((1, 2, 8))):
            place = choose.randrange(len(content))
            content[place : place + choose.randrange(3)] = bytes(
                choose.choice(b"\t{}[]:#&*!\"'-\0\xff a0\n") for _ in "ab"
            )
        return bytes(content)
    values = yaml.safe_load(text)
    section = choose.choice(sorted(values))
    if isinstance(values[section], dict) and values[section]:
        values[section][choose.choice(sorted(values[section]))] = choose.choice(ODD)
    else:
        values[section] = choose.choice(ODD)
    return yaml.safe_dump(values).encode()


TRIALS: dict[str, Callable[[Campaign, Stage, Count], None]] = {
    "kills": kills,
    "damage": lambda *given: damaged(*given, signed=True),
    "unsigned": lambda *given: damaged(*given, signed=False),
    "settings": settings,
    "disks": full_disk,
}


def table(counts: dict[str, Count]) -> str:
    """The table, and below it each trial that broke a promise."""
    rows = [
        "| kind | trials | stopped with a sentence | silent | tracebacks | crashes | partial files |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, one in counts.items():
        faults = [len(found) for found in (one.silent, one.tracebacks, one.crashes, one.partials)]
        sentences = one.stopped - len(one.tracebacks) - len(one.crashes)
        rows.append(f"| {kind} | {one.trials} | {sentences} | {' | '.join(map(str, faults))} |")
    for kind, one in counts.items():
        for what in ("silent", "tracebacks", "crashes", "partials"):
            rows += [f"{kind}, {what}: {name}" for name in getattr(one, what)]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "reliability", help="folder of the run"
    )
    for kind, number in zip(KINDS, (100, 100, 50, 200, 20), strict=True):
        parser.add_argument(f"--{kind}", type=int, default=number, help=f"trials of this kind (default: {number})")
    parser.add_argument("--minutes", type=float, default=60.0, help="all kinds together, after the undisturbed run")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    project = undisturbed(asked.work)
    campaign = Campaign(project, planned_stages(project), asked.work / "trial", random.Random(asked.seed))
    counts = {}
    for kind in KINDS:
        counts[kind], turns = Count(), campaign.turns()
        until = time.monotonic() + 60 * asked.minutes * SHARES[kind]
        while counts[kind].trials < getattr(asked, kind) and time.monotonic() < until:
            TRIALS[kind](campaign, next(turns), counts[kind])
            if counts[kind].trials % 10 == 0:
                print(table({kind: counts[kind]}), file=sys.stderr, flush=True)
    print(table(counts))


if __name__ == "__main__":
    main()
