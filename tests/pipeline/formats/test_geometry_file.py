"""geometry.json survives, and one of another version says what to do."""

import json
from pathlib import Path

import pytest

from pipeline.formats.geometry_file import (
    VERSION,
    Geometry,
    MeasuredRadial,
    ObjectGeometry,
    lens_words,
    read_geometry,
    write_geometry,
)
from pipeline.formats.lens import Lens, undistortion
from pipeline.runtime.errors import StageError

BALL = ObjectGeometry(
    id=1,
    name="ball",
    verdict="weak",
    reason="far away",
    method="global",
    numbers={"points": 9},
    residual_px=[0.1, None],
)
GEOMETRY = Geometry(
    intrinsics=(100.0, 101.0, 60.0, 40.0), intrinsics_source="given", focal_std_px=None, camera="moving", objects=[BALL]
)


def test_geometry_survives_the_file(tmp_path: Path) -> None:
    write_geometry(tmp_path / "geometry.json", GEOMETRY)
    assert read_geometry(tmp_path / "geometry.json") == GEOMETRY
    assert json.loads((tmp_path / "geometry.json").read_text())["schema_version"] == VERSION


def test_a_lens_survives_and_makes_the_view_of_the_intrinsics(tmp_path: Path) -> None:
    lens = Lens("SIMPLE_RADIAL", (100.0, 60.0, 40.0, -0.1), 120, 80)
    camera = undistortion(lens).camera
    radial = MeasuredRadial(k1=-0.1, k1_std=0.01, corner_px=3.7)
    bent = GEOMETRY.model_copy(
        update={"lens": lens.values, "radial": radial, "intrinsics": tuple(camera.values.tolist())}
    )
    write_geometry(tmp_path / "geometry.json", bent)
    found = read_geometry(tmp_path / "geometry.json")
    assert found == bent and found.view is not None and found.view.camera == camera
    assert "SIMPLE_RADIAL (100, 60, 40, -0.1), is undone" in lens_words(found)
    assert GEOMETRY.view is None and lens_words(GEOMETRY) == ""


def test_a_doubt_is_a_sentence() -> None:
    assert BALL.doubt == "ball: weak. far away"


def test_a_file_of_another_version_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "geometry.json"
    write_geometry(path, GEOMETRY)
    content = json.loads(path.read_text())
    for other in (
        {k: v for k, v in content.items() if k != "schema_version"},
        {**content, "schema_version": VERSION + 1},
    ):
        path.write_text(json.dumps(other))
        with pytest.raises(StageError, match=f"expected {VERSION}; delete it and run reconstruct_objects again"):
            read_geometry(path)


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "geometry.json"
    path.write_text(json.dumps({"schema_version": VERSION, "camera": "flying"}))
    with pytest.raises(StageError, match=r"(?s)is damaged.*run reconstruct_objects again"):
        read_geometry(path)
