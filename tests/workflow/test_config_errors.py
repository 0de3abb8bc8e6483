"""Wrong settings stop before anything runs; paths with spaces work."""

import os
from pathlib import Path

import pytest

from tests.workflow.project import Project, copy_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_project(tmp_path_factory.mktemp("with space") / "project", {})


def test_misspelt_key_names_line_and_closest_name(project: Project) -> None:
    path = project.folder / "config.yaml"
    good = path.read_text()
    line = good.splitlines().index("estimate_flow:") + 2
    path.write_text(good.replace("estimate_flow:\n", "estimate_flow:\n  bakend: dis\n"))
    done = project.dry_run()
    path.write_text(good)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"estimate_flow.bakend (config.yaml, line {line})" in said and "did you mean backend?" in said
    assert "Traceback" not in said


def test_missing_video_stops_at_once(project: Project) -> None:
    done = project.dry_run("--config", "video=no such clip.mp4")
    assert done.returncode != 0 and "no such clip.mp4 does not exist" in done.stdout + done.stderr


def test_target_of_another_scene_says_what_to_repeat(project: Project) -> None:
    """Who made a report by --config video=... has a scene that config.yaml does not know."""
    done = project.dry_run("results/my clip/masks")
    said = done.stdout + done.stderr
    assert (
        done.returncode != 0 and "there is no scene my clip in this run, known are demo; repeat --config video=" in said
    )
    assert "KeyError" not in said


def test_results_that_cannot_be_written_stop_at_once(project: Project) -> None:
    results = project.folder / "results"
    results.write_text("a file of that name")
    done = project.dry_run()
    results.unlink()
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "results is a file" in said and "Traceback" not in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_results_without_permission_stop_at_once(project: Project) -> None:
    results = project.folder / "results"
    results.mkdir(mode=0o555)
    done = project.dry_run()
    results.rmdir()
    assert done.returncode != 0 and "may not be written to" in done.stdout + done.stderr


def test_stages_error_is_the_last_word(project: Project) -> None:
    (project.folder / "empty.mp4").write_bytes(b"")
    done = project.snakemake("--config", "video=empty.mp4")
    said = (done.stdout + done.stderr).split("Exiting because a job execution failed")[1]
    assert done.returncode != 0 and "empty.mp4 is empty (0 bytes)" in said


def test_paths_with_spaces_and_quotes_reach_the_stage_as_they_are(project: Project) -> None:
    clip = project.folder / "my $(touch owned) 'clip'; x.mp4"
    clip.write_bytes(b"not a video")
    done = project.snakemake("results/a clip/frames.json", "--config", f"video={clip.name}", "name=a clip")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "'clip'; x.mp4" in said
    assert not (project.folder / "owned").exists()
    assert not (project.folder / "results/a clip/frames.json").exists()
    assert "Traceback" not in (project.folder / "results/a clip/logs/extract_frames.log").read_text()


def test_mask_folder_and_poses_become_inputs(project: Project) -> None:
    masks = project.folder / "my masks"
    masks.mkdir()
    (masks / "0.png").write_bytes(b"")
    (project.folder / "clip.mp4").write_bytes(b"")
    done = project.dry_run("-p", "--config", "video=clip.mp4", "masks=my masks")
    assert done.returncode == 0, done.stderr
    assert "--mask-folder 'my masks'" in done.stdout + done.stderr


def test_another_method_is_another_branch_of_the_same_graph(project: Project) -> None:
    assert "train_osn" in project.planned("--config", "method=osn")
    done = project.dry_run("--config", "method=nerf")
    assert done.returncode != 0 and "method.0: Input should be 'osn'" in done.stdout + done.stderr


def test_auto_trains_what_the_geometry_speaks_for_once_that_is_known(project: Project) -> None:
    planned = project.planned("--config", "method=auto")
    assert "choose_method" in planned and not planned & {"train_osn", "train_semantic_flow"}
    done = project.dry_run("--config", "method=[auto,osn]")
    assert done.returncode != 0 and "auto chooses among all methods" in done.stdout + done.stderr


def test_size_of_a_scene_replaces_the_section(project: Project) -> None:
    (project.folder / "clip.mp4").write_bytes(b"")
    done = project.dry_run("-p", "--config", "video=clip.mp4", "size=320", "start=1.5")
    said = done.stdout + done.stderr
    assert '"max_size": 320' in said and '"start": 1.5' in said


def test_every_rule_has_log_benchmark_message_and_environment() -> None:
    rules = Path(__file__).parents[2] / "workflow" / "rules"
    for file in rules.glob("*.smk"):
        blocks = file.read_text().split("\nrule ")[1:]
        for block in blocks:
            name = block.split(":")[0]
            wanted = ["log:", "conda:", "message:"] + (
                ["benchmark:", "threads:", "resources:"] if name != "weights" else []
            )
            assert not [part for part in wanted if part not in block], name
