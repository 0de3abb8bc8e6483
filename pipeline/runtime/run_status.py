"""How far a run of the graph is with one scene: `results/NAME/status.json`, and the same in words.

Nothing here is remembered: the state of every stage follows from the run's plan, the notes of stages at work, their
records and what the failed ones said. So whoever asks finds out by the same rules, also after a kill or on another machine.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.owner_note import STAGES, Owner, noted, notes, read_start
from pipeline.runtime.run_plan import (
    Plan,
    PlannedStage,
    changed_at,
    forget_failure,
    note_failure,
    read_failure,
    read_plan,
    record_path,
)

log = logging.getLogger(__name__)
STATUS = "status.json"
STARTING_S = (
    60.0  # a log that is younger may be of a stage that has not noted itself yet, though who started it is gone
)
State = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class StageStatus:
    """One stage: its state, times in seconds, who runs it, and of a failed one what went wrong."""

    stage: str
    state: State
    started: float | None = None  # seconds since the epoch
    elapsed_s: float | None = None
    expected_s: float | None = None
    expected_from: str = ""
    process: Owner | None = None
    log: str = ""
    said: str = ""


@dataclass(frozen=True)
class RunStatus:
    """A scene: the stages of the last run in order, after those that were done before."""

    scene: str
    run: Literal["working", "done", "failed", "gone", "unknown"]
    stages: tuple[StageStatus, ...]
    process: Owner | None = None
    started: float | None = None

    def count(self, state: State) -> int:
        return sum(stage.state == state for stage in self.stages)

    @property
    def left_s(self) -> float:
        """Seconds that the stages which wait or run still need one after another, as far as that is known."""
        known = [(stage.expected_s, stage.elapsed_s or 0.0) for stage in self.open if stage.expected_s]
        return sum((max(0.0, expected - elapsed) for expected, elapsed in known), 0.0)

    @property
    def open(self) -> list[StageStatus]:
        """What waits or runs."""
        return [stage for stage in self.stages if stage.state in ("waiting", "running")]


def run_status(results: Path) -> RunStatus:
    """How far the last run is with a scene."""
    plan = read_plan(results)
    listed = plan.stages if plan else ()
    stages = [stage_status(results, stage, plan) for stage in listed]
    known = {stage.stage for stage in listed}
    before = [path.stem for path in sorted((results / "records").glob("*.json")) if path.stem not in known]
    at_work = {path.name.partition(".")[0] for path, owner in notes(results / STAGES) if owner is not None}
    alone = [running_status(results, PlannedStage(name, "")) for name in sorted(at_work - known)]
    done = [done_status(results, PlannedStage(name, "")) for name in before if name not in at_work]
    return RunStatus(
        scene=results.name,
        run=run_state(plan),
        stages=tuple([*done, *(one for one in alone if one), *stages]),
        process=plan.owner if plan else None,
        started=plan.started if plan else None,
    )


def run_state(plan: Plan | None) -> Literal["working", "done", "failed", "gone", "unknown"]:
    """What became of the process that runs the graph; `gone` where it was killed."""
    if plan is None:
        return "unknown"
    if plan.ended:
        return "done" if plan.ended == "done" else "failed"
    return "working" if plan.owner else "gone"


def stage_status(results: Path, stage: PlannedStage, plan: Plan | None) -> StageStatus:
    """The state of one stage of a run, by what lies there."""
    running = running_status(results, stage)
    if running and running.state == "running":
        return running
    if changed_at(record_path(results, stage.stage)) not in (None, stage.record_before):
        return done_status(results, stage)
    failure = read_failure(results, stage.stage)
    if failure:
        return outcome(results, stage, "failed", said=failure["said"])
    if running:
        return running
    told = changed_at(results / stage.log)
    if told is None or told == stage.log_before:
        return outcome(results, stage, "waiting")
    if plan and (plan.owner or (not plan.ended and time.time() - told / 1e9 < STARTING_S)):
        return outcome(results, stage, "running", elapsed_s=0.0, said="it is starting")
    return outcome(results, stage, "failed", said="it ended before its work was done; its log has the last words")


def running_status(results: Path, stage: PlannedStage) -> StageStatus | None:
    """A stage that works, or whose process went away without a word; None where no process noted itself."""
    found = notes(results / STAGES, stage.stage)
    for path, owner in sorted(found, key=lambda one: one[1] is None):
        started = read_start(path)
        if owner is None:
            return outcome(
                results, stage, "failed", started=started, said="its process is gone, without a word: it was killed"
            )
        elapsed = max(0.0, time.time() - started) if started else None
        return outcome(results, stage, "running", started=started, elapsed_s=elapsed, process=owner)
    return None


def done_status(results: Path, stage: PlannedStage) -> StageStatus:
    """A stage that left its record."""
    try:
        record = json.loads(record_path(results, stage.stage).read_bytes())
        took, started = float(record["seconds"]), record.get("started")
    except (OSError, ValueError, TypeError, KeyError):
        return outcome(results, stage, "done", said="its record cannot be read")
    return outcome(results, stage, "done", elapsed_s=took, started=started)


def outcome(results: Path, stage: PlannedStage, state: State, **known: Any) -> StageStatus:
    """A planned stage in a state."""
    return StageStatus(
        stage.stage,
        state,
        expected_s=stage.expected_s,
        expected_from=stage.expected_from,
        log=str(results / stage.log) if stage.log else "",
        **known,
    )


def write_status(results: Path) -> RunStatus:
    """Find out how far a scene is, and write it for others to read."""
    status = run_status(results)
    with whole(results / STATUS) as partial:
        partial.write_text(json.dumps(as_json(status), indent=1))
    return status


def as_json(status: RunStatus) -> dict[str, Any]:
    """What status.json says: times as ISO 8601 in UTC, spans in seconds."""
    return {
        "scene": status.scene,
        "updated": moment(time.time()),
        "run": {"state": status.run, "process": said_of(status.process), "started": moment(status.started)},
        "left_s": round(status.left_s, 1),
        "left_unknown": [stage.stage for stage in status.open if stage.expected_s is None],
        "stages": [
            {
                **asdict(stage),
                "started": moment(stage.started),
                "elapsed_s": rounded(stage.elapsed_s),
                "expected_s": rounded(stage.expected_s),
                "process": said_of(stage.process),
            }
            for stage in status.stages
        ],
    }


def said_of(owner: Owner | None) -> dict[str, Any] | None:
    return asdict(owner) if owner else None


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def moment(seconds: float | None) -> str | None:
    """A time since the epoch as ISO 8601."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@contextmanager
def reported_stage(results: Path, stage: str) -> Iterator[None]:
    """While the block runs the stage counts as running; then as done (it wrote its record) or failed (it raised)."""
    forget_failure(results, stage)
    try:
        with noted(results / STAGES, stage):
            refresh(results)
            yield
    except BaseException as error:
        with best_effort(results):
            note_failure(results, stage, str(error) or type(error).__name__)
        raise
    finally:
        refresh(results)


def refresh(results: Path) -> None:
    """Write the status, if it can be written."""
    with best_effort(results):
        write_status(results)


@contextmanager
def best_effort(results: Path) -> Iterator[None]:
    """Work does not fail for want of what is said about it: a warning is all."""
    try:
        yield
    except (OSError, StageError) as error:
        log.warning("the progress of %s cannot be written (%s)", results, error)
