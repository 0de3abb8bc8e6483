"""How long a stage will take: as long as an earlier run of it, else as its size and steps say, else nobody knows.

An earlier run is this scene's own or the latest one of another scene; its time is stretched by the steps of a training
and, of another scene, by the work (frames x pixels x objects). Runs on another device or beside other work mislead it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.job_size import Size, scene_size, training_minutes, usual_seconds

TRAININGS = ("train_osn", "train_semantic_flow", "train_baseline")


@dataclass(frozen=True)
class Job:
    """A stage to come: its rule, its record's name, its scene's size, and the minutes that its steps ask for."""

    rule: str
    record: str
    size: Size
    training_minutes: float = 0.0


def expected_seconds(job: Job, name: str, results: Path) -> tuple[float | None, str]:
    """Seconds that a job of a scene may take, and what says so: `record`, `size`, or nothing."""
    for other in [name, *others(job.record, name, results)]:
        seconds = recorded_seconds(job, results / other, own=other == name)
        if seconds is not None:
            return seconds, "record"
    usual = usual_seconds(job.rule, job.size, job.training_minutes)
    return (usual, "size") if usual else (None, "")


def others(record: str, name: str, results: Path) -> list[str]:
    """Other scenes with a record of the same stage, the latest first."""
    found = [(path.stat().st_mtime, path.parent.parent.name) for path in results.glob(f"*/records/{record}.json")]
    return [other for _, other in sorted(found, reverse=True) if other != name]


def recorded_seconds(job: Job, scene: Path, own: bool) -> float | None:
    """The time of an earlier run, stretched to this one; None where there is none to compare with."""
    try:
        record = json.loads((scene / "records" / f"{job.record}.json").read_bytes())
        seconds = float(record["seconds"])
        steps = steps_minutes(job.rule, record.get("options") or {})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if job.rule in TRAININGS:
        return seconds * job.training_minutes / steps if steps else None
    if own:
        return seconds
    nothing = Size(0.0, 1)
    size = scene_size(scene, nothing)
    return seconds * job.size.work / size.work if size.work and job.size.work else None


def steps_minutes(rule: str, options: Mapping[str, Any]) -> float:
    """What a training's settings say of its length; nothing of another stage."""
    return training_minutes(rule, options) if rule in TRAININGS else 0.0
