"""What is laid over the scene: places by hand."""

import numpy as np

from pipeline.live.layers import reconstructed_points, trajectory
from pipeline.scene.placement import world_from_object
from tests.analytic_world import RADIUS, UNITS, WALL, analytic_scene, analytic_truth


def test_reconstructed_points_lie_on_the_surfaces() -> None:
    scene = analytic_scene(analytic_truth())
    places, colours = reconstructed_points(scene, 1)
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), RADIUS / UNITS[1], rtol=1e-3)
    wall, _ = reconstructed_points(scene, 0)
    from tests.analytic_world import TURNS

    np.testing.assert_allclose((wall @ TURNS[0])[:, 2], WALL / UNITS[0], rtol=1e-3)
    first = np.flatnonzero(scene.observation_object == 1)[0]
    x, y = np.floor(scene.observation_xy[first]).astype(int)
    assert np.array_equal(colours[0], scene.images[scene.observation_frame[first], y, x])


def test_trajectory_goes_through_the_centres_and_leaves_out_what_is_not_known() -> None:
    scene = analytic_scene(analytic_truth())
    lines = trajectory(scene, 2, 0.7)
    pose = world_from_object(scene, 2, 3, 0.7)
    assert lines.shape == (7, 2, 3) and pose is not None
    np.testing.assert_allclose(lines[2, 1], pose[:3, 3])
    np.testing.assert_allclose(lines[3, 0], pose[:3, 3])
    scene.visible[2, 3] = False
    assert len(trajectory(scene, 2, 0.7)) == 5
    scene.visible[2] = False
    assert trajectory(scene, 2, 0.7).shape == (0, 2, 3)
