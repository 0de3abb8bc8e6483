"""The whole graph on a tiny simulated scene: run, rerun, edit, kill."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
import torch

from pipeline.runtime.owner_note import STAGES, host_name
from tests.workflow.project import TINY, Project, copy_project

pytestmark = pytest.mark.graph
FROM_TRAINING = {"train_osn", "render_views", "export_splats", "evaluate", "report", "all"}
FROM_TRACKS = FROM_TRAINING | {"track_points", "reconstruct_objects", "refine_masks", "pack_scene"}
FROM_FLOW = FROM_TRACKS | {"estimate_flow", "segment_objects"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the tiny scene has gone through the whole graph."""
    project = copy_project(tmp_path_factory.mktemp("graph"), TINY)
    done = project.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def results(project: Project) -> Path:
    return project.folder / "results" / "demo"


def test_simulated_scene_goes_from_nothing_to_a_report(project: Project) -> None:
    page = (results(project) / "report.html").read_text()
    assert "<video" in page and "demo" in page and len(page) > 50_000
    assert not list(project.folder.rglob("*.partial*"))


def test_metrics_cover_every_stage_that_truth_can_judge(project: Project) -> None:
    with (results(project) / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    metrics = {row["metric"] for row in rows}
    assert {"epe_px", "miou", "rotation_error_deg", "psnr_db", "ssim", "seconds", "peak_memory_mb"} <= metrics


def test_every_stage_left_its_record(project: Project) -> None:
    records = {path.stem: json.loads(path.read_text()) for path in (results(project) / "records").glob("*.json")}
    assert len(records) >= 11 and all(record["seconds"] >= 0 for record in records.values())


def test_status_says_that_the_run_and_all_its_stages_are_done(project: Project) -> None:
    status = json.loads((results(project) / "status.json").read_text())
    records = {path.stem for path in (results(project) / "records").glob("*.json")}
    assert status["run"]["state"] == "done" and {stage["stage"] for stage in status["stages"]} == records
    assert {stage["state"] for stage in status["stages"]} == {"done"}
    assert all((project.folder / stage["log"]).exists() for stage in status["stages"])


def test_snakemakes_own_report_has_pages_numbers_and_views_by_scene_and_method(project: Project) -> None:
    done = project.snakemake("--report", "snakemake.zip")
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(project.folder / "snakemake.zip") as file:
        names = {Path(name).name for name in file.namelist()}
        (page,) = [file.read(name).decode() for name in file.namelist() if name == "snakemake/report.html"]
    assert {"report.html", "metrics.csv", "history.csv", "scales.csv", "observed.mp4", "held_out_000.mp4"} <= names
    for label in ("Scenes", "Numbers", "Views", "training of osn", "valid scenes of osn", "held_out_000"):
        assert f'"{label}"' in page, label


def test_second_run_does_nothing(project: Project) -> None:
    assert project.planned() == set()


def test_touched_files_rerun_nothing(project: Project) -> None:
    for name in (
        "pipeline/estimate_flow.py",
        "results/demo/video.mp4",
        "results/demo/flow.h5",
        "results/demo/scene.h5",
    ):
        (project.folder / name).touch()
    assert project.planned() == set()


def test_changed_training_setting_reruns_training_and_what_follows(project: Project) -> None:
    assert project.planned("--config", "train_osn={seed: 77}") == FROM_TRAINING


def test_changed_preset_reruns_only_what_it_sets(project: Project) -> None:
    assert project.planned("--config", "preset=paper") == FROM_TRAINING
    assert project.planned("--config", "preset=draft") == FROM_FLOW | {"extract_frames", "check_inputs"}


def test_changed_flow_setting_reruns_from_flow(project: Project) -> None:
    assert project.planned("--config", "estimate_flow={consistency_px: 1.25}") == FROM_FLOW


@pytest.mark.parametrize(
    ("file", "expected"), [("pipeline/estimate_flow.py", FROM_FLOW), ("pipeline/track_points.py", FROM_TRACKS)]
)
def test_edited_stage_reruns_with_what_follows_and_nothing_else(
    project: Project, file: str, expected: set[str]
) -> None:
    path = project.folder / file
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    planned = project.planned()
    path.write_text(before)
    assert planned == expected


def test_checking_inputs_anew_hides_nothing_else_that_has_changed(project: Project) -> None:
    checked = {"check_inputs", "evaluate", "report", "all"}
    path = project.folder / "pipeline/check_inputs.py"
    before = path.read_text()
    path.write_text(before + "\n# edited\n")
    planned = [project.planned(), project.planned("--config", "estimate_flow={consistency_px: 1.25}")]
    path.write_text(before)
    assert planned == [checked, FROM_FLOW | checked]


def test_bad_inputs_hold_up_all_that_takes_long_even_where_a_run_goes_on_after_errors(tmp_path: Path) -> None:
    project = copy_project(tmp_path, TINY)
    given = tmp_path / "truth.h5"
    given.write_text("no truth")
    project.configure({"scenes": {"demo": {"video": "simulate", "truth": str(given)}}})
    done = project.snakemake("--keep-going")
    assert done.returncode != 0 and str(given) in done.stdout + done.stderr
    assert (results(project) / "frames.json").exists() and not (results(project) / "flow.h5").exists()


def test_interrupted_snakemake_leaves_no_partial_output(project: Project) -> None:
    flow = results(project) / "flow.h5"
    before = flow.read_bytes()
    flow.unlink()
    process = start(project, flow)
    wait_for_stage(project, "pipeline.estimate_flow")
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
    assert process.wait(timeout=60) != 0
    assert not flow.exists()
    finish(project, flow)
    assert flow.read_bytes() == before


def test_killed_snakemake_says_what_still_works_and_how_to_go_on(project: Project) -> None:
    flow = results(project) / "flow.h5"
    flow.unlink()
    process = start(project, flow)
    stage = wait_for_stage(project, "pipeline.estimate_flow")
    wait_for_file(results(project) / STAGES / f"estimate_flow.{host_name()}-{stage}.json")
    os.kill(stage, signal.SIGSTOP)
    process.kill()
    process.wait(timeout=60)
    said = project.snakemake(str(flow.relative_to(project.folder))).stderr
    assert "left by a run of Snakemake that was killed" in said and f"estimate_flow of demo (process {stage} on" in said
    os.kill(stage, signal.SIGKILL)
    command = re.search(r"To go on: snakemake (--unlock .*), then", said)
    assert command is not None, said
    assert project.snakemake(*shlex.split(command[1])).returncode == 0
    finish(project, flow)


def test_killed_training_resumes_to_the_same_checkpoint(project: Project) -> None:
    checkpoint = results(project) / "osn" / "checkpoint.pt"
    expected = torch.load(checkpoint, weights_only=True)
    checkpoint.unlink()
    process = start(project, checkpoint)
    pid = wait_for_stage(project, "pipeline.train_osn")
    wait_for_file(checkpoint.with_name("resume.pt"))
    os.kill(pid, signal.SIGKILL)
    assert process.wait(timeout=60) != 0
    assert not checkpoint.exists()
    finish(project, checkpoint)
    assert "going on at" in (results(project) / "logs" / "train_osn.log").read_text()
    assert_same(torch.load(checkpoint, weights_only=True), expected)


def test_run_after_kills_makes_what_is_stale_and_leaves_nothing_to_do(project: Project) -> None:
    done = project.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.planned() == set()


def start(project: Project, target: Path) -> subprocess.Popen[bytes]:
    """Snakemake in the background, on its way to one file."""
    command = project.command(str(target.relative_to(project.folder)))
    return subprocess.Popen(
        command, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def finish(project: Project, target: Path) -> None:
    """Make the file."""
    done = project.snakemake(str(target.relative_to(project.folder)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert target.exists()


def wait_for_stage(project: Project, module: str) -> int:
    """The process id of a stage that runs in this project."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                here = (entry / "cwd").resolve() == project.folder.resolve()
            except OSError:
                continue
            if here and b"-m" in words and module.encode() in words:
                return int(entry.name)
        time.sleep(0.02)
    raise AssertionError(f"{module} did not start")


def wait_for_file(path: Path) -> None:
    """Return when the file is there."""
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def assert_same(one: object, other: object, where: str = "checkpoint") -> None:
    """Equal to the last bit, whatever the nesting."""
    if isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor) and torch.equal(one, other), where
    elif isinstance(one, dict):
        assert isinstance(other, dict) and one.keys() == other.keys(), where
        for key in one.keys() - {"commit", "seconds"}:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert isinstance(other, list | tuple) and len(one) == len(other), where
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}[{index}]")
    else:
        assert one == other, where
