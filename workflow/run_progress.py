"""The progress of a whole run: `status.json` of every scene kept up to date, and a line whenever a stage changes its state.

A thread of the Snakemake process that runs the graph looks after what stages say of themselves, on this machine or another;
nothing of Snakemake's own messages is read.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from pipeline.runtime.errors import StageError
from pipeline.runtime.run_plan import Plan, PlannedStage, begin_plan, stamped, write_plan
from pipeline.runtime.run_status import RunStatus, StageStatus, write_status
from pipeline.runtime.status_words import progress_words, stage_line

LOOK_S = 2.0
WRITE_S = 10.0  # status.json is written at least so often, and the plan renewed
REMIND_S = 60.0  # a stage at work gets another line so often


@dataclass(frozen=True)
class RunJob:
    """A job of the graph that leaves a record: its scene's folder, rule, the record's name, and its log in that folder."""

    results: Path
    rule: str
    stage: str
    log: str
    wildcards: Any = None


class RunProgress:
    """Follows a run from its start to its end."""

    def __init__(
        self,
        jobs: Callable[[], Iterable[RunJob]],
        expected: Callable[[RunJob], tuple[float | None, str]],
        order: Iterable[str],
        out: TextIO | None = None,
    ) -> None:
        """`jobs` are those that the run will do, as far as it knows by now; `order` is that of the rules in the graph."""
        self.jobs = jobs
        self.expected = expected
        self.place = {rule: n for n, rule in enumerate(dict.fromkeys(order))}
        self.out = out or sys.stderr
        self.plans: dict[Path, Plan] = {}
        self.said: dict[tuple[Path, str], tuple[str, float]] = {}  # state and time of the last line on a stage
        self.written = 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.follow, daemon=True)

    def begin(self) -> None:
        """Write the plans, say what is to come, and follow it."""
        with self.best_effort():
            self.extend()
            for results, plan in self.plans.items():
                status = write_status(results)
                self.say(f"{status.scene}: {len(plan.stages)} stages to run, {progress_words(status)}")
        self.written = time.monotonic()
        self.thread.start()

    def end(self, outcome: str) -> None:
        """The run ended by itself, as `done` or `failed`."""
        if self.stop.is_set():
            return
        self.stop.set()
        if self.thread.is_alive():
            self.thread.join()
        for results, plan in self.plans.items():
            with self.best_effort():
                write_plan(results, replace(plan, ended=outcome))
                self.tell(results, write_status(results))

    def follow(self) -> None:
        """Look again and again until the run ends."""
        while not self.stop.wait(LOOK_S):
            with self.best_effort():
                self.look()

    @contextmanager
    def best_effort(self) -> Iterator[None]:
        """A run does not end for want of what is said of it; what is wrong with the disk its stages say themselves."""
        try:
            yield
        except (OSError, StageError) as error:
            self.say(f"the progress of this run cannot be written ({error})")

    def look(self) -> None:
        """Write what became of every scene, and tell what is new."""
        self.extend()
        due = time.monotonic() - self.written > WRITE_S
        for results, plan in self.plans.items():
            if due:
                write_plan(results, plan)
            self.tell(results, write_status(results))
        if due:
            self.written = time.monotonic()

    def extend(self) -> None:
        """Take up the stages of the run, also those that turn out to be needed while it works (`method: auto`)."""
        for results, jobs in by_folder(self.jobs()).items():
            plan = self.plans.get(results)
            known = {stage.stage for stage in plan.stages} if plan else set()
            new = [job for job in sorted(jobs, key=self.rank) if job.stage not in known]
            if not new:
                continue
            stages = [PlannedStage(job.stage, job.log, *self.expected(job)) for job in new]
            if plan is None:
                self.plans[results] = begin_plan(results, stages)
            else:
                self.plans[results] = replace(plan, stages=(*plan.stages, *(stamped(results, one) for one in stages)))
                write_plan(results, self.plans[results])

    def rank(self, job: RunJob) -> tuple[int, str]:
        """Where a job stands in the graph."""
        return self.place.get(job.rule, len(self.place)), job.stage

    def tell(self, results: Path, status: RunStatus) -> None:
        """A line for each stage that began, ended or has worked for another minute."""
        of_run = {stage.stage for stage in self.plans[results].stages}
        for stage in status.stages:
            if stage.stage in of_run and self.is_news(results, stage):
                end = f"; {progress_words(status)}" if stage.state == "done" else ""
                self.say(f"{status.scene}: {' '.join(stage_line(stage).split())}{end}")

    def is_news(self, results: Path, stage: StageStatus) -> bool:
        """Whether a line on this stage is due."""
        now = time.monotonic()
        state, last = self.said.get((results, stage.stage), ("waiting", now))
        news = stage.state != state or (stage.state == "running" and now - last > REMIND_S)
        if news:
            self.said[results, stage.stage] = (stage.state, now)
        return news

    def say(self, line: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {line}", file=self.out, flush=True)


def by_folder(jobs: Iterable[RunJob]) -> dict[Path, list[RunJob]]:
    """Jobs by the scene that they are of."""
    found: dict[Path, list[RunJob]] = {}
    for job in jobs:
        found.setdefault(job.results, []).append(job)
    return found
