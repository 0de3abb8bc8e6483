"""Points on the surfaces of fields, where there are no splats."""

import numpy as np

from pipeline.live.field_points import frame_points, object_points
from tests.analytic_world import RADIUS, UNITS, analytic_method, analytic_scene, analytic_truth, world_from_object
from tests.pipeline.trained_balls import trained_balls


def test_objects_points_lie_on_its_ball() -> None:
    scene = analytic_scene(analytic_truth())
    method = trained_balls(scene)
    points = object_points(method, 1)
    away = np.linalg.norm(points.places, axis=1)
    assert len(away) > 100 and away.std() < 0.1 * away.mean() and points.colours.dtype == np.uint8
    scene.visible[2] = False
    assert len(object_points(method, 2).places) == 0


def test_points_of_a_frame_are_told_apart_by_what_is_seen() -> None:
    method = analytic_method(analytic_scene(analytic_truth()))
    method.scales = method.scales[len(method.scales) // 2 :]  # the true scales first
    points = frame_points(method, 3)
    from tests.analytic_world import TURNS

    for k in (1, 2):
        centre = TURNS[0] @ world_from_object(k, 3)[:3, 3] / UNITS[0]
        away = np.linalg.norm(points[k].places - centre, axis=1) * UNITS[0]
        assert len(away) > 50 and np.abs(np.median(away) / RADIUS - 1) < 0.02
