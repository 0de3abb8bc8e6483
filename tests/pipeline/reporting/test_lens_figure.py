"""The grid of a lens that was undistorted."""

import numpy as np

from pipeline.formats.geometry_file import Geometry
from pipeline.formats.lens import Lens, undistortion
from pipeline.reporting.lens_figure import calibrated_lens_figure, grid, lens_figure

FRAME = np.full((120, 160, 3), 90, np.uint8)


def test_a_lens_is_drawn_and_a_pinhole_is_not() -> None:
    lens = Lens("SIMPLE_RADIAL", (150.0, 80.0, 60.0, -0.2), 160, 120)
    info = {"lens": lens.values, "camera": undistortion(lens).camera.values.tolist()}
    drawn = lens_figure(info, FRAME)
    assert "SIMPLE_RADIAL" in drawn and drawn.count("<path") > 18
    assert lens_figure({}, FRAME) == ""


def test_a_lens_that_the_tracks_told_is_drawn_too() -> None:
    lens = Lens("SIMPLE_RADIAL", (150.0, 80.0, 60.0, -0.2), 160, 120)
    values = tuple(undistortion(lens).camera.values.tolist())
    plain = Geometry(
        intrinsics=values, intrinsics_source="self_calibrated", focal_std_px=None, camera="moving", objects=[]
    )
    assert "SIMPLE_RADIAL" in calibrated_lens_figure(plain.model_copy(update={"lens": lens.values}), FRAME)
    assert calibrated_lens_figure(plain, FRAME) == ""


def test_lines_reach_from_border_to_border() -> None:
    lines = grid(160, 120)
    assert (lines[0][:, 0] == 0).all() and lines[0][-1, 1] == 120 and (lines[-1][:, 1] == 120).all()
