"""The picture of fits breaks where there is no pose, and is absent where there are no numbers."""

import numpy as np

from pipeline.formats.geometry_file import FocalLikelihood, Geometry, ObjectGeometry
from pipeline.reporting.geometry_figures import fit_figure, focal_figure, frame_values, legend
from pipeline.sfm.verdicts import frame_points, frame_residuals_px
from tests.pipeline.tracked_body import solid, tracked, turning_poses

ENTRY = ObjectGeometry(
    id=1, name="ball", verdict="ok", reason="", method="global", residual_px=[0.2, None, 0.4], points=[9, 0, 7],
    numbers={"rotation_std_deg": 0.5, "trajectory_std_percent": 2.0},
)  # fmt: skip


def geometry(entries: list[ObjectGeometry]) -> Geometry:
    return Geometry(
        intrinsics=(1.0, 1.0, 1.0, 1.0), intrinsics_source="given", focal_std_px=None, camera="moving", objects=entries
    )


def test_a_frame_without_pose_is_a_gap() -> None:
    np.testing.assert_array_equal(frame_values(ENTRY), [0.2, np.nan, 0.4])


def test_the_legend_says_frames_and_spread() -> None:
    assert legend(ENTRY) == "ball: 2 of 3 frames, ± 0.50°, ± 2.0 %"
    assert legend(ENTRY.model_copy(update={"numbers": {}})) == "ball: 2 of 3 frames"


def test_the_figure_names_every_object() -> None:
    assert "ball" in fit_figure(geometry([ENTRY]))
    assert fit_figure(geometry([ENTRY.model_copy(update={"points": [], "residual_px": []})])) == ""


def test_the_focal_curve_is_drawn_where_there_is_one() -> None:
    focals = np.geomspace(100, 600, 40)
    height = (-20 * np.log(focals / 250) ** 2).tolist()
    curve = FocalLikelihood(
        focal_px=focals.tolist(),
        log_likelihood=height,
        log_posterior=height,
        interval_68=(220, 280),
        interval_95=(200, 320),
    )
    assert focal_figure(geometry([])) == ""
    drawn = focal_figure(geometry([]).model_copy(update={"focal_curve": curve, "intrinsics": (250.0, 250.0, 4.0, 4.0)}))
    assert "focal length, pixels" in drawn and "tracks alone" in drawn


def test_residuals_and_points_are_counted_by_frame() -> None:
    model, seen = tracked(turning_poses(4), solid(10))
    model.camera_from_object[2] = np.nan
    seen.xy[seen.frame == 3] += [0.3, 0.4]
    residuals = frame_residuals_px(model, seen)
    assert residuals[2] is None and residuals[0] == 0.0 and residuals[3] == 0.5
    assert frame_points(model, seen) == [10, 10, 0, 10]
