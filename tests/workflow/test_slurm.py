"""The shipped profile on a real SLURM of two nodes: two scenes side by side, and everything that ends jobs there.

`make test-slurm`; not a part of `make test`.
"""

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.reliability import SETTINGS
from pipeline.runtime.atomic import host_name
from tests.workflow.project import SNAKEMAKE, Project, copy_project
from tests.workflow.slurm_cluster import Cluster, missing, processes, running_cluster
from tests.workflow.test_graph import assert_same, wait_for_file

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(missing()), reason=missing())]
SCENES = ("left", "right")
SMALL = {**SETTINGS, "method": "osn", "scenes": None}
PATIENCE_S = 2400
PROFILE = (
    "--workflow-profile",
    "profiles/slurm",
    "--max-threads",
    "1",
    "--slurm-init-seconds-before-status-checks",
    "2",
)
NO_GPU = ("--resources", "gpu=0")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def project(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose two scenes have gone through the whole graph on the cluster."""
    project = copy_project(tmp_path_factory.mktemp("slurm"), SMALL)
    project.configure({"scenes": {name: {"video": "simulate"} for name in SCENES}})
    done = finished(start(cluster, project))
    assert done[0] == 0, done[1]
    return project


@pytest.fixture(scope="module")
def expected(project: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The checkpoint of the same scene, trained without a cluster; its files before training are compared here too."""
    local = copy_project(tmp_path_factory.mktemp("local"), SMALL)
    local.configure({"scenes": {"left": {"video": "simulate"}}})
    done = local.snakemake("results/left/osn/checkpoint.pt")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("flow.h5", "masks.h5", "tracks.h5", "scene.h5"):
        here, there = (one.folder / "results" / "left" / name for one in (local, project))
        assert here.read_bytes() == there.read_bytes(), name
    return read_checkpoint(local.folder / "results" / "left")


def start(cluster: Cluster, project: Project, *arguments: str) -> subprocess.Popen[str]:
    """Snakemake with the shipped profile, in the background."""
    gpus = () if "--resources" in arguments else NO_GPU
    return subprocess.Popen(
        [*SNAKEMAKE, *arguments, *PROFILE, *gpus],
        cwd=project.folder,
        env={**cluster.environment, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(run: subprocess.Popen[str]) -> tuple[int, str]:
    """The return code of a run that is waited for, and what it said."""
    said, _ = run.communicate(timeout=PATIENCE_S)
    return run.returncode, said


def read_checkpoint(results: Path) -> dict[str, object]:
    checkpoint: dict[str, object] = torch.load(results / "osn" / "checkpoint.pt", weights_only=True)
    return checkpoint


def stage_process(cluster: Cluster, job: str, module: str = "pipeline.train_osn") -> int:
    """The process of a stage in a job of the cluster."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for pid in processes(cluster.folder, f"SLURM_JOB_ID={job}"):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"-m" in words and module.encode() in words and words[0].endswith(b"python"):
                return pid
        time.sleep(0.05)
    raise AssertionError(f"{module} did not start in job {job}")


class Training:
    """A training on the cluster that a test interrupts."""

    def __init__(self, cluster: Cluster, project: Project, *arguments: str) -> None:
        self.cluster, self.results = cluster, project.folder / "results" / "left"
        checkpoint = self.results / "osn" / "checkpoint.pt"
        checkpoint.unlink(missing_ok=True)
        checkpoint.with_name("resume.pt").unlink(missing_ok=True)
        target = str(checkpoint.relative_to(project.folder))
        self.arguments = (target, *arguments)
        self.run = start(cluster, project, *self.arguments)
        self.job = cluster.job("rule_train_osn_wildcards_left", seconds=PATIENCE_S)
        wait_for_file(checkpoint.with_name("resume.pt"))

    def ends_as(self, expected: dict[str, object]) -> str:
        """Wait for the run, which must go on from the kept state to the same bits; returns what it said."""
        code, said = finished(self.run)
        assert code == 0, said
        assert "going on at" in (self.results / "logs" / "train_osn.log").read_text()
        assert_same(read_checkpoint(self.results), expected)
        assert not list(self.results.rglob("*.partial*"))
        return said


def test_two_scenes_go_side_by_side_to_the_same_results_as_without_a_cluster(
    project: Project, cluster: Cluster, expected: dict[str, object]
) -> None:
    for name in SCENES:
        assert (project.folder / "results" / name / "report.html").stat().st_size > 50_000
    assert_same(read_checkpoint(project.folder / "results" / "left"), expected)
    nodes = {row["node"] for row in cluster.jobs("rule_segment_objects_wildcards_left", "all")}
    nodes |= {row["node"] for row in cluster.jobs("rule_segment_objects_wildcards_right", "all")}
    assert nodes == {"node1", "node2"}


def test_a_job_that_wants_a_gpu_gets_it_in_the_partition_that_has_one(project: Project, cluster: Cluster) -> None:
    (project.folder / "results" / "right" / "flow.h5").unlink()
    partitions = ("--slurm-partition-config", "profiles/slurm/partitions.yaml")
    code, said = finished(start(cluster, project, "results/right/flow.h5", "--resources", "gpu=1", *partitions))
    assert code == 0, said
    job = cluster.job("rule_estimate_flow_wildcards_right", "all")
    assert (job["partition"], job["node"], job["gpus"]) == ("gpu", "node2", "gres:gpu:1") or job[
        "partition"
    ] == "gpu", job


def test_a_cancelled_job_is_tried_again_and_goes_on(
    project: Project, cluster: Cluster, expected: dict[str, object]
) -> None:
    training = Training(cluster, project)
    cluster.ask("scancel", training.job["job"])
    assert "CANCELLED" in training.ends_as(expected)


def test_a_stage_killed_inside_its_job_goes_on(project: Project, cluster: Cluster, expected: dict[str, object]) -> None:
    training = Training(cluster, project)
    os.kill(stage_process(cluster, training.job["job"]), signal.SIGKILL)
    assert "FAILED" in training.ends_as(expected)


def test_a_training_that_runs_out_of_time_goes_on(
    project: Project, cluster: Cluster, expected: dict[str, object]
) -> None:
    training = Training(cluster, project, "--set-resources", "train_osn:runtime=1")
    os.kill(stage_process(cluster, training.job["job"]), signal.SIGSTOP)
    assert "TIMEOUT" in training.ends_as(expected)


def test_a_training_whose_node_goes_down_goes_on_at_another(
    project: Project, cluster: Cluster, expected: dict[str, object]
) -> None:
    training = Training(cluster, project)
    cluster.cut_power(training.job["node"])
    try:
        training.ends_as(expected)
        job = cluster.job("rule_train_osn_wildcards_left", "all")
        assert job["node"] != training.job["node"]
    finally:
        cluster.start_node(training.job["node"])
        cluster.wait_for_nodes(2)


def test_killed_snakemake_says_which_job_works_on_and_a_second_training_waits_its_turn(
    project: Project, cluster: Cluster, expected: dict[str, object]
) -> None:
    training = Training(cluster, project)
    stage = stage_process(cluster, training.job["job"])
    os.kill(stage, signal.SIGSTOP)
    training.run.kill()
    training.run.wait()
    code, said = finished(start(cluster, project, *training.arguments))
    assert code != 0 and f"train_osn of left (process {stage} on {host_name()}, job {training.job['job']})" in said, (
        said
    )
    command = re.search(r"To go on: snakemake (--unlock .*), then", said)
    assert command is not None, said
    words = [word for word in shlex.split(command[1]) if word not in (*PROFILE, *NO_GPU)]
    assert finished(start(cluster, project, *words))[0] == 0
    code, said = finished(start(cluster, project, *training.arguments, "--retries", "0"))
    assert code != 0 and f"job {training.job['job']}, seen" in said, said
    cluster.ask("scancel", "--signal=KILL", "--full", training.job["job"])
    cluster.job("rule_train_osn_wildcards_left", "FAILED,CANCELLED")
    training.run = start(cluster, project, *training.arguments)
    training.ends_as(expected)
