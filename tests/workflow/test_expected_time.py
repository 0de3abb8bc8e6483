"""The time that a stage will take is that of an earlier run, stretched, else by the size of its scene."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import TrainOsnConfig
from workflow.expected_time import Job, expected_seconds
from workflow.job_size import Size, training_minutes, usual_seconds

SIZE = Size(2.0, 3)
FLOW = Job("estimate_flow", "estimate_flow", SIZE)


def write_scene(
    folder: Path, stage: str, seconds: float, options: dict[str, Any] | None = None, frames: int = 5
) -> None:
    """A scene of a megapixel a frame and three objects, whose stage took that long."""
    (folder / "records").mkdir(parents=True, exist_ok=True)
    record = folder / "records" / f"{stage}.json"
    record.write_text(json.dumps({"seconds": seconds, "options": options or {}}))
    (folder / "frames.json").write_text(json.dumps({"frames": [{}] * frames, "height": 1000, "width": 1000}))
    (folder / "objects.json").write_text(json.dumps({"objects": [{}] * 3}))


def test_a_scenes_own_record_counts_first(tmp_path: Path) -> None:
    write_scene(tmp_path / "other", "estimate_flow", 100.0)
    write_scene(tmp_path / "demo", "estimate_flow", 8.0)
    assert expected_seconds(FLOW, "demo", tmp_path) == (8.0, "record")


def test_of_another_scene_time_grows_with_the_work_and_the_latest_counts(tmp_path: Path) -> None:
    write_scene(tmp_path / "old", "estimate_flow", 1.0)
    os.utime(tmp_path / "old" / "records" / "estimate_flow.json", (1, 1))
    write_scene(tmp_path / "other", "estimate_flow", 100.0, frames=5)
    assert expected_seconds(FLOW, "demo", tmp_path) == (pytest.approx(100 * 2 / 5), "record")


def test_a_training_takes_as_long_as_its_steps_say(tmp_path: Path) -> None:
    options = TrainOsnConfig().model_dump()
    write_scene(tmp_path / "demo", "train_osn", 100.0, options)
    minutes = training_minutes("train_osn", options) / 4
    assert expected_seconds(Job("train_osn", "train_osn", SIZE, minutes), "demo", tmp_path) == (25.0, "record")


def test_without_records_the_size_tells_and_where_it_does_not_nobody_knows(tmp_path: Path) -> None:
    seconds, source = expected_seconds(FLOW, "demo", tmp_path)
    assert (seconds, source) == (usual_seconds("estimate_flow", SIZE), "size") and seconds == pytest.approx(
        60 * 0.3 * 2 / 4
    )
    assert expected_seconds(Job("choose_method", "choose_method", SIZE), "demo", tmp_path) == (None, "")


def test_a_record_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    write_scene(tmp_path / "demo", "estimate_flow", 8.0)
    (tmp_path / "demo" / "records" / "estimate_flow.json").write_text("{")
    assert expected_seconds(FLOW, "demo", tmp_path)[1] == "size"
