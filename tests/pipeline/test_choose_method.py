"""`method: auto`: what each kind of object speaks for, and what is written for the graph."""

import json
from pathlib import Path

import pytest

from pipeline.choose_method import Motion, choose_method, chosen, motion_of
from pipeline.formats.geometry_file import Geometry, ObjectGeometry, write_geometry

RIGID = {"inlier_ratio_percent": 99.0, "normalised_residual": 0.8}
BENDING = {"inlier_ratio_percent": 60.0, "normalised_residual": 0.8}
STRETCHING = {"inlier_ratio_percent": 97.0, "normalised_residual": 2.5}
LOST = {"tracks": 3.0}


def geometry(*numbers: dict[str, float]) -> Geometry:
    """A background that would bend, were it judged, and objects 1, 2, ... with these numbers."""
    return Geometry(
        intrinsics=(100.0, 100.0, 64.0, 48.0),
        intrinsics_source="given",
        focal_std_px=None,
        camera="moving",
        objects=[
            ObjectGeometry(
                id=identity,
                name=f"object {identity}" if identity else "background",
                verdict="weak",
                reason="so",
                method="global",
                numbers=of_object,
            )
            for identity, of_object in enumerate((BENDING, *numbers))
        ],
    )


@pytest.mark.parametrize(
    ("numbers", "motion"), [(RIGID, "rigid"), (BENDING, "bending"), (STRETCHING, "bending"), (LOST, "unknown")]
)
def test_motion_is_told_by_what_one_rigid_motion_explains(numbers: dict[str, float], motion: Motion) -> None:
    assert motion_of(numbers) == motion


@pytest.mark.parametrize(
    ("motions", "methods"),
    [
        ((), ("osn",)),
        (("rigid", "rigid"), ("osn",)),
        (("rigid", "unknown"), ("osn",)),
        (("bending",), ("semantic_flow",)),
        (("bending", "unknown"), ("semantic_flow",)),
        (("rigid", "bending"), ("osn", "semantic_flow")),
        (("unknown",), ("osn", "semantic_flow")),
    ],
)
def test_methods_follow_the_motions(motions: tuple[Motion, ...], methods: tuple[str, ...]) -> None:
    assert chosen({f"object {index}": motion for index, motion in enumerate(motions)}).methods == methods


def test_choice_is_written_with_its_reason_and_the_background_has_no_say(tmp_path: Path) -> None:
    write_geometry(tmp_path / "geometry.json", geometry(RIGID, LOST, RIGID))
    choose_method(tmp_path / "geometry.json", tmp_path / "method.json")
    said = json.loads((tmp_path / "method.json").read_text())
    assert said == {
        "methods": ["osn"],
        "reason": "object 1, object 3 moves rigidly; object 2 left too few tracks to tell",
    }
