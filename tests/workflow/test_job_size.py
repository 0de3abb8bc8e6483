"""Memory and run time of a job follow frames x pixels x objects and the steps of a training, and rise with each attempt."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import SegmentObjectsConfig, TrainOsnConfig, TrainSemanticFlowConfig
from tests.workflow.project import TINY, copy_project
from workflow.job_size import DEMANDS, Size, memory_mb, run_minutes, scene_size, training_minutes

SMALL, LARGE = Size(1.0, 3), Size(10.0, 3)
# Attempts 1 and 2 of every job, as Snakemake evaluates them, where the machine has so many GPUs; a line for each number.
ASKED = """
import json, os, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

for gpus in sys.argv[1:]:
    resources = ResourceSettings(cores=2, resources={"gpu": int(gpus)})
    with SnakemakeApi(OutputSettings()) as api:
        graph = api.workflow(resources, ConfigSettings(), snakefile=Path("workflow/Snakefile")).dag(DAGSettings())
        workflow = graph.workflow_api._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        asked = {}
        for job in workflow.dag.jobs:
            for job.attempt in (1, 2):
                of_job = {key: job.resources.get(key) for key in ("mem_mb", "runtime", "gpu")}
                asked.setdefault(job.rule.name, []).append(of_job)
        print(json.dumps({"asked": asked, "no_gpu": os.environ["MONOVERSE_NO_GPU"]}))
"""


def test_memory_is_the_least_and_the_slope_times_the_work() -> None:
    demand = DEMANDS["segment_objects"]
    assert memory_mb("segment_objects", LARGE, 1) == demand.memory_mb + 10 * demand.memory_slope
    assert run_minutes("segment_objects", LARGE, 1) == demand.minutes + 10 * demand.minutes_slope


@pytest.mark.parametrize("stage", DEMANDS)
def test_more_pixels_objects_and_attempts_ask_for_no_less(stage: str) -> None:
    many = Size(LARGE.megapixels, 6)
    asked = [memory_mb(stage, *given) for given in ((SMALL, 1), (LARGE, 1), (many, 1), (many, 2))]
    assert asked == sorted(asked) and asked[3] == 2 * asked[2] and asked[0] < asked[2]
    minutes = [run_minutes(stage, *given) for given in ((SMALL, 1), (LARGE, 1), (many, 1), (many, 2))]
    assert minutes == sorted(minutes) and minutes[3] == 2 * minutes[2]


def test_training_takes_as_long_as_its_steps_and_samples() -> None:
    osn = TrainOsnConfig().model_dump()
    assert training_minutes("train_osn", osn) == pytest.approx(1.6 * 15)
    twice = {**osn, "samples_per_step": 2 * osn["samples_per_step"]}
    assert training_minutes("train_osn", twice) == 2 * training_minutes("train_osn", osn)
    flow = TrainSemanticFlowConfig().model_dump()
    assert training_minutes("train_semantic_flow", flow) == pytest.approx((1.2 * 2048 / 1536 + 1.2) * 15)
    size = {"steps": 1000, "rays": 1024, "fine_samples": 16}
    for method, looks in (("hexplane", 1), ("nsff", 5)):  # which looks at neighbouring frames, too
        told = {"method": method, method: size}
        assert training_minutes("train_baseline", told) == pytest.approx(looks * 15)


def test_size_is_of_the_settings_until_frames_and_objects_are_known(tmp_path: Path) -> None:
    assert scene_size(tmp_path, LARGE) == LARGE
    (tmp_path / "frames.json").write_text(json.dumps({"frames": [{}] * 5, "height": 400, "width": 1000}))
    assert scene_size(tmp_path, LARGE) == Size(2.0, 3)
    (tmp_path / "objects.json").write_text(json.dumps({"objects": [{}] * 2}))
    assert scene_size(tmp_path, LARGE) == Size(2.0, 2)
    (tmp_path / "frames.json").write_text("{damaged")
    assert scene_size(tmp_path, LARGE) == Size(10.0, 2)


def asked(folder: Path, gpus: tuple[int, ...]) -> list[tuple[dict[str, list[dict[str, Any]]], bool]]:
    """What every job asks for, and whether its own Snakemake on a node is told that there is no GPU; by numbers of GPUs."""
    command = [sys.executable, "-c", ASKED, *map(str, gpus)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"asked"')]
    return [(answer["asked"], bool(answer["no_gpu"])) for answer in answers]


def test_jobs_ask_for_it_and_for_no_gpu_where_there_is_none(tmp_path: Path) -> None:
    project = copy_project(tmp_path, TINY)
    (with_gpu, told_with), (without, told_without) = asked(project.folder, (1, 0))
    assert told_without and not told_with
    shown = TINY["simulate_scene"]
    size = Size(shown["frames"] * shown["height"] * shown["width"] / 1e6, SegmentObjectsConfig().max_objects + 1)
    first, second = with_gpu["segment_objects"]
    assert first == {
        "mem_mb": memory_mb("segment_objects", size, 1),
        "runtime": run_minutes("segment_objects", size, 1),
        "gpu": 1,
    }
    assert second["mem_mb"] == 2 * first["mem_mb"] and second["runtime"] == 2 * first["runtime"]
    wanting = {name for name, jobs in with_gpu.items() if jobs[0]["gpu"]}
    assert wanting == {"estimate_flow", "segment_objects", "train_osn", "render_views", "export_splats", "evaluate"}
    assert not any(job["gpu"] for jobs in without.values() for job in jobs)
