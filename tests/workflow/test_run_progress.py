"""A run is followed from its start to its end: a line a change, status.json for others, stages that turn up late."""

import io
import json
from pathlib import Path

import pytest

from pipeline.runtime.run_plan import read_plan
from pipeline.runtime.run_status import STATUS, reported_stage
from workflow.run_progress import RunJob, RunProgress


class Run:
    """A run of a graph of two stages, looked after by hand."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "demo"
        (self.results / "records").mkdir(parents=True)
        self.jobs = [self.job("report"), self.job("estimate_flow")]
        self.out = io.StringIO()
        order = ("estimate_flow", "train_osn", "report")
        self.progress = RunProgress(lambda: self.jobs, lambda job: (5.0, "record"), order, self.out)
        self.progress.follow = lambda: None  # type: ignore[method-assign]
        self.progress.begin()

    def job(self, stage: str) -> RunJob:
        return RunJob(self.results, stage, stage, f"logs/{stage}.log")

    def said(self) -> list[str]:
        """The lines since the last time, without the clock."""
        lines = [line.partition(" ")[2] for line in self.out.getvalue().splitlines()]
        self.out.truncate(self.out.seek(0))
        return lines


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_every_change_is_told_once(run: Run) -> None:
    assert run.said() == ["demo: 2 stages to run, 0 of 2 stages done, about 10 s left"]
    with reported_stage(run.results, "estimate_flow"):
        run.progress.look()
        run.progress.look()
        assert [line.partition(" (")[0] for line in run.said()] == ["demo: estimate_flow running 0 s of about 5 s"]
        (run.results / "records" / "estimate_flow.json").write_text('{"seconds": 2}')
    run.progress.look()
    assert run.said() == ["demo: estimate_flow done 2 s, expected about 5 s; 1 of 2 stages done, about 5 s left"]


def test_a_stage_at_work_is_told_again_after_a_minute(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow.run_progress.REMIND_S", -1.0)
    with reported_stage(run.results, "estimate_flow"):
        run.progress.look()
        run.progress.look()
    assert sum("estimate_flow running" in line for line in run.said()) == 2


def test_failure_and_end_are_told_and_kept(run: Run) -> None:
    with pytest.raises(ValueError, match="gone wrong"), reported_stage(run.results, "estimate_flow"):
        raise ValueError("gone wrong")
    run.progress.end("failed")
    run.progress.end("failed")
    assert f"demo: estimate_flow failed - gone wrong - see {run.results}/logs/estimate_flow.log" in "\n".join(
        " ".join(line.split()) for line in run.said()
    ).replace("about 5 s ", "")
    written = json.loads((run.results / STATUS).read_text())
    assert written["run"]["state"] == "failed" and [one["state"] for one in written["stages"]] == ["failed", "waiting"]


def test_stages_stand_in_the_order_of_the_graph_and_late_ones_are_taken_up(run: Run) -> None:
    run.jobs = [run.job("train_osn")]
    run.progress.look()
    run.progress.look()
    plan = read_plan(run.results)
    assert plan is not None and [stage.stage for stage in plan.stages] == ["estimate_flow", "report", "train_osn"]
