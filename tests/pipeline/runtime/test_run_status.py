"""What status.json says follows from what lies in the folder of a scene, whoever wrote it and whoever is gone."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.runtime.atomic import host_name
from pipeline.runtime.owner_note import LOST_S, STAGES, noted
from pipeline.runtime.run_plan import Plan, PlannedStage, begin_plan, plan_path, read_plan, write_plan
from pipeline.runtime.run_status import STATUS, StageStatus, reported_stage, run_status

TRAIN = PlannedStage("train_osn", "logs/train_osn.log", 60.0, "record")
RENDER = PlannedStage("render_views_osn", "logs/render_views_osn.log", 10.0, "size")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A scene of which two stages are planned, one of them done by an earlier run."""
    folder = tmp_path / "results" / "demo"
    write_record(folder, "train_osn", 50.0)
    (folder / "logs").mkdir()
    (folder / "logs" / "train_osn.log").write_text("of the earlier run")
    begin_plan(folder, [TRAIN, RENDER])
    return folder


def write_record(folder: Path, stage: str, seconds: float) -> None:
    path = folder / "records" / f"{stage}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(json.dumps({"seconds": seconds, "started": 1.0}))


def write_dead_note(folder: Path, stage: str) -> None:
    """What a stage that was killed on this machine leaves."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    (folder / STAGES / f"{stage}.x.json").write_text(json.dumps({"host": host_name(), "pid": ended.pid, "started": 5}))


def stage_of(folder: Path, name: str = "train_osn") -> StageStatus:
    return next(stage for stage in run_status(folder).stages if stage.stage == name)


def said(folder: Path) -> dict[str, str]:
    written = json.loads((folder / STATUS).read_text())
    return {stage["stage"]: stage["state"] for stage in written["stages"]}


def test_a_planned_stage_waits_although_an_earlier_run_did_it(results: Path) -> None:
    assert [stage.state for stage in run_status(results).stages] == ["waiting", "waiting"]
    assert run_status(results).left_s == 70 and run_status(results).run == "working"


def test_a_stage_counts_as_running_then_as_done(results: Path) -> None:
    with reported_stage(results, "train_osn"):
        assert said(results) == {"train_osn": "running", "render_views_osn": "waiting"}
        running = json.loads((results / STATUS).read_text())["stages"][0]
        assert running["process"] == {"host": host_name(), "pid": os.getpid(), "job": ""}
        assert running["expected_s"] == 60 and 0 <= running["elapsed_s"] < 5
        assert running["log"] == str(results / "logs" / "train_osn.log")
        write_record(results, "train_osn", 55.0)
    assert said(results)["train_osn"] == "done" and stage_of(results).elapsed_s == 55


def test_a_stage_that_raises_has_failed_with_its_words_until_it_begins_anew(results: Path) -> None:
    with pytest.raises(ValueError, match="no tracks"), reported_stage(results, "train_osn"):
        raise ValueError("no tracks")
    assert said(results)["train_osn"] == "failed" and stage_of(results).said == "no tracks"
    begin_plan(results, [TRAIN])
    assert stage_of(results).state == "waiting"


def test_a_stage_whose_process_is_gone_is_said_to_be_so(results: Path) -> None:
    write_dead_note(results, "train_osn")
    found = stage_of(results)
    assert found.state == "failed" and found.started == 5 and "its process is gone" in found.said
    write_record(results, "train_osn", 3.0)  # it was killed between its record and the end
    assert stage_of(results).state == "done"


def test_of_another_machine_a_note_that_is_not_renewed_is_of_nobody(results: Path) -> None:
    note = results / STAGES / "train_osn.node7-5.json"
    note.write_text(json.dumps({"host": "node7", "pid": 5, "job": "81", "started": time.time() - 30}))
    running = stage_of(results)
    assert running.state == "running" and str(running.process) == "process 5 on node7, job 81"
    assert running.elapsed_s == pytest.approx(30, abs=5)
    silent = time.time() - LOST_S - 1
    os.utime(note, (silent, silent))
    assert stage_of(results).state == "failed"


def test_a_stage_with_a_new_log_and_no_process_starts_or_if_the_run_is_over_has_failed(results: Path) -> None:
    (results / "logs" / "render_views_osn.log").write_text("Killed")
    assert stage_of(results, "render_views_osn").state == "running"
    plan = read_plan(results)
    assert plan is not None
    write_plan(results, Plan(plan.stages, plan.started, "failed"))
    found = stage_of(results, "render_views_osn")
    assert found.state == "failed" and found.log.endswith("render_views_osn.log")
    assert stage_of(results).state == "waiting" and run_status(results).run == "failed"


def test_a_run_whose_process_is_gone_is_said_to_be_so(results: Path) -> None:
    path = plan_path(results)
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": "login", "pid": 1}))
    assert run_status(results).run == "working"
    os.utime(path, (1, 1))
    assert run_status(results).run == "gone"


def test_without_a_plan_records_and_notes_are_told(tmp_path: Path) -> None:
    write_record(tmp_path, "evaluate", 4.0)
    with noted(tmp_path / STAGES, "report"):
        found = run_status(tmp_path)
    assert [(stage.stage, stage.state) for stage in found.stages] == [("evaluate", "done"), ("report", "running")]
    assert found.run == "unknown"


@pytest.mark.parametrize("content", ["", "[]", '{"stages": [{"name": 1}]}', '{"stages": 3}'])
def test_a_plan_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    plan_path(tmp_path).parent.mkdir(parents=True)
    plan_path(tmp_path).write_text(content)
    assert read_plan(tmp_path) is None and run_status(tmp_path).stages == ()


def test_work_goes_on_where_its_progress_cannot_be_written(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    (results / STATUS).unlink(missing_ok=True)
    (results / STATUS).mkdir()
    (results / STATUS / "kept").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.runtime.run_status.write_status", full_disk)
        with reported_stage(results, "train_osn"):
            pass
    assert "cannot be written" in caplog.text


def full_disk(results: Path) -> None:
    raise OSError(28, "No space left on device")
