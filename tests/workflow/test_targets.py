"""Targets that a person may ask for beside the reports."""

import json
import re
from pathlib import Path

import pytest

from pipeline.config import BASELINES, METHODS
from pipeline.runtime.presets import PRESETS
from tests.workflow.project import Project, copy_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_project(tmp_path_factory.mktemp("targets"), {})


def test_masks_for_other_tools_need_no_training(project: Project) -> None:
    assert project.planned("results/demo/masks") == {
        "simulate_scene",
        "extract_frames",
        "check_inputs",
        "hold_until_checked",
        "estimate_flow",
        "segment_objects",
        "track_points",
        "reconstruct_objects",
        "refine_masks",
        "export_masks",
    }


def test_reports_do_not_wait_for_exported_masks(project: Project) -> None:
    planned = project.planned()
    assert "report" in planned and "export_masks" not in planned


def test_exported_masks_come_from_their_own_folder_name(project: Project) -> None:
    done = project.dry_run("-p", "results/demo/masks")
    said = done.stdout + done.stderr
    assert "--export results/demo/masks " in said and str(Path("results/demo/refined/masks.h5")) in said


def test_scenes_of_one_model_are_trained_together_and_another_starts_from_it(tmp_path: Path) -> None:
    scene = {"video": "simulate"}
    shared = {"scenes": {"a": scene, "b": scene, "c": {**scene, "start_from": "both"}}, "method": "semantic_flow"}
    project = copy_project(tmp_path, {"shared_semantics": {"both": ["a", "b"]}})
    project.configure({"scenes": None, **shared})
    done = project.dry_run("-p", "results/c/report.html", "results/a/report.html")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("-m pipeline.train_shared_semantics") == 1
    assert "--scenes results/a/scene.h5 results/b/scene.h5" in said
    assert said.count("--start-from results/both/shared_semantics/checkpoint.pt") == 2


def test_a_benchmark_trains_and_judges_every_combination_in_a_folder_of_its_own(project: Project) -> None:
    grid = "{small: {scenes: [demo], methods: [osn, hexplane], depth_supervision: [none, sfm], seeds: [3, 4]}}"
    done = project.dry_run("-p", "results/benchmarks/small/table.html", "--config", f"benchmark={grid}")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    runs = [f"{supervision}_{seed}/hexplane" for supervision in ("none", "sfm") for seed in (3, 4)]
    runs += [run.replace("hexplane", "osn") for run in runs]
    for stage, kept in (("train_", "checkpoint"), ("render_views", "renders"), ("evaluate", "metrics")):
        found = re.findall(rf"-m pipeline\.{stage}.* --{kept} results/benchmarks/small/demo/(\w+/\w+)/", said)
        assert sorted(found) == sorted(runs), stage
    assert said.count("-m pipeline.pack_scene") == 1 and said.count("-m pipeline.tabulate_benchmark") == 1
    asked = [
        json.loads(told) for told in re.findall(r"-m pipeline\.train_baseline.*--options '(\{.*?\})' --record", said)
    ]
    of_osn = [json.loads(told) for told in re.findall(r"-m pipeline\.train_osn.*--options '(\{.*?\})' --record", said)]
    assert {told["depth_supervision"] for told in of_osn} == {"none", "sfm"}
    assert {(told["method"], told["depth_supervision"], told["seed"]) for told in asked} == {
        ("hexplane", supervision, seed) for supervision in ("none", "sfm") for seed in (3, 4)
    }
    assert all("tineuvox" not in told for told in asked)


def commands(project: Project, *settings: str) -> dict[str, list[str]]:
    """What a dry run would run, by stage, in no order."""
    every = ["--config", f"method=[{','.join(METHODS)}]", *settings]
    done = project.dry_run("-p", *every)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, list[str]] = {}
    for stage, rest in sorted(re.findall(r"(-m pipeline\.\w+)(.*)", done.stdout + done.stderr)):
        found.setdefault(stage, []).append(rest)
    return found


@pytest.fixture(scope="module")
def usual(project: Project) -> dict[str, list[str]]:
    """The commands without a preset."""
    return commands(project)


def test_every_baseline_is_trained_by_its_own_settings_alone(usual: dict[str, list[str]]) -> None:
    told = [
        json.loads(found)
        for found in re.findall(r"--options '(\{.*?\})' --record", "\n".join(usual["-m pipeline.train_baseline"]))
    ]
    assert sorted(one["method"] for one in told) == sorted(BASELINES)
    assert all(set(one) & set(BASELINES) == {one["method"]} for one in told)


@pytest.mark.parametrize("preset", ["draft", "quality", "paper"])
def test_preset_changes_the_commands_of_the_stages_that_it_sets_and_of_no_other(
    project: Project, usual: dict[str, list[str]], preset: str
) -> None:
    after = commands(project, f"preset={preset}")
    changed = {name.removeprefix("-m pipeline.") for name in usual if usual[name] != after[name]}
    assert changed == set(PRESETS[preset])  # type: ignore[index]
