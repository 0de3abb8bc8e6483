"""Targets that a person may ask for beside the reports."""

from pathlib import Path

import pytest

from tests.workflow.project import Project, copy_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_project(tmp_path_factory.mktemp("targets"), {})


def test_masks_for_other_tools_need_perception_only(project: Project) -> None:
    assert project.planned("results/demo/masks") == {
        "simulate_scene",
        "extract_frames",
        "estimate_flow",
        "segment_objects",
        "export_masks",
    }


def test_reports_do_not_wait_for_exported_masks(project: Project) -> None:
    planned = project.planned()
    assert "report" in planned and "export_masks" not in planned


def test_exported_masks_come_from_their_own_folder_name(project: Project) -> None:
    done = project.snakemake("--dry-run", "-p", "results/demo/masks")
    said = done.stdout + done.stderr
    assert "--export results/demo/masks " in said and str(Path("results/demo/masks.h5")) in said
