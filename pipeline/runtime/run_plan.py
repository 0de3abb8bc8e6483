"""What a run of the graph is going to do for one scene: `.running/plan.json` beside its results.

Written by the process that runs the graph, which renews it while it lives; read by stages, by other processes, and on
other machines, where nobody can ask whether that process still runs (pipeline/runtime/owner_note.py).
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.runtime.atomic import whole
from pipeline.runtime.owner_note import STAGES, Owner, is_gone, notes, read_note, this_process

PLAN = "plan.json"
FAILURES = "failed"  # folder of what failed stages said, beside the notes of those at work


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a run, its log in the scene's folder, and what it may take.

    `expected_from` is `record` (an earlier run), `size` (of the video), or empty where nobody knows.
    """

    stage: str
    log: str
    expected_s: float | None = None
    expected_from: str = ""
    # When the record and the log of earlier runs were changed, ns: later ones are this run's.
    record_before: int | None = None
    log_before: int | None = None


@dataclass(frozen=True)
class Plan:
    """A run's stages of one scene, in order; `ended` is empty while it works, then `done` or `failed`."""

    stages: tuple[PlannedStage, ...]
    started: float  # seconds since the epoch
    ended: str = ""
    owner: Owner | None = None  # the process that runs the graph, as far as it still does


def write_plan(results: Path, plan: Plan) -> None:
    """Write the plan of the run that this process is."""
    said = {**asdict(this_process()), "started": plan.started, "ended": plan.ended}
    with whole(plan_path(results)) as partial:
        partial.write_text(json.dumps({**said, "stages": [asdict(stage) for stage in plan.stages]}, indent=1))


def read_plan(results: Path) -> Plan | None:
    """The last run's plan; None where there is none that can be read: results may be older than plans."""
    try:
        said = json.loads(plan_path(results).read_bytes())
        stages = tuple(PlannedStage(**stage) for stage in said["stages"])
        plan = Plan(stages, float(said["started"]), str(said["ended"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    note = None if plan.ended else read_note(plan_path(results))
    return plan if note is None or is_gone(*note) else replace(plan, owner=note[0])


def begin_plan(results: Path, stages: Iterable[PlannedStage]) -> Plan:
    """Write the plan of a new run; what is left of earlier ones (notes of the dead, failures) no longer counts."""
    listed = tuple(stamped(results, stage) for stage in stages)
    for stage in listed:
        forget_failure(results, stage.stage)
        for path, owner in notes(results / STAGES, stage.stage):
            if owner is None:
                path.unlink(missing_ok=True)
    plan = Plan(listed, time.time())
    write_plan(results, plan)
    return plan


def stamped(results: Path, stage: PlannedStage) -> PlannedStage:
    """A stage that has not begun, with the times at which its record and log of earlier runs were changed."""
    record, told = changed_at(record_path(results, stage.stage)), changed_at(results / stage.log)
    return replace(stage, record_before=record, log_before=told)


def planned(results: Path, stage: str) -> PlannedStage | None:
    """What the plan says of one stage."""
    plan = read_plan(results)
    return next((entry for entry in plan.stages if entry.stage == stage), None) if plan else None


def note_failure(results: Path, stage: str, said: str) -> None:
    """Keep what a stage said when it failed."""
    with whole(failure_path(results, stage)) as partial:
        partial.write_text(json.dumps({"said": said, "ended": time.time()}))


def read_failure(results: Path, stage: str) -> dict[str, Any] | None:
    """What a stage said when it failed last; None where it did not."""
    try:
        said = json.loads(failure_path(results, stage).read_bytes())
        return {"said": str(said["said"]), "ended": float(said["ended"])}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def forget_failure(results: Path, stage: str) -> None:
    """A stage begins anew."""
    failure_path(results, stage).unlink(missing_ok=True)


def plan_path(results: Path) -> Path:
    return results / STAGES / PLAN


def failure_path(results: Path, stage: str) -> Path:
    return results / STAGES / FAILURES / f"{stage}.json"


def record_path(results: Path, stage: str) -> Path:
    return results / "records" / f"{stage}.json"


def changed_at(path: Path) -> int | None:
    """When a file was last changed, ns; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
