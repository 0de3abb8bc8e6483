"""A camera path's file: written and read back, and refused where it is none."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.camera_path_file import CameraPath, PathView, read_camera_path, write_camera_path
from pipeline.runtime.errors import StageError

ROWS = tuple(tuple(row) for row in np.eye(4).tolist())


def a_path() -> CameraPath:
    views = [PathView(frame=t, world_from_camera=ROWS, fov_y_deg=50.0) for t in (0, 3)]
    return CameraPath(seconds=2.0, fps=4.0, height=6, width=8, scales=[1.0, 0.5], views=views)


def test_path_comes_back(tmp_path: Path) -> None:
    write_camera_path(tmp_path / "mine.json", a_path())
    assert read_camera_path(tmp_path / "mine.json") == a_path()
    assert json.loads((tmp_path / "mine.json").read_text())["schema"] == "monoverse-camera-path"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"views": []}, "views"),
        ({"scales": [1.0, -2.0]}, "scales.1"),
        ({"schema": "other"}, "schema"),
        ({"seconds": 1e9}, "seconds"),
        ({"speed": 1}, "speed"),
    ],
)
def test_what_is_no_path_is_refused(tmp_path: Path, change: dict, said: str) -> None:
    values = {**a_path().model_dump(mode="json", by_alias=True), **change}
    (tmp_path / "bad.json").write_text(json.dumps(values))
    with pytest.raises(StageError, match=f"bad.json is no camera path: {said}"):
        read_camera_path(tmp_path / "bad.json")


def test_missing_path_says_where_paths_come_from(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="save a path in"):
        read_camera_path(tmp_path / "none.json")
