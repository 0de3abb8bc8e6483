"""Where the nodes of a grid lie, and reads in loops against torch's own and against their transposes."""

import numpy as np
import torch
import torch.nn.functional as F

from models.ops.grid import LINE_AXES, PLANE_AXES, cell, gather_product, scatter_product, scatter_volume, trilinear


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def test_first_and_last_node_lie_on_the_faces_and_borders_go_on() -> None:
    assert [cell(np.float32(x), 5) for x in (0, 0.25, 0.6)] == [(0, 0.0), (1, 0.0), (2, np.float32(0.6) * 4 - 2)]
    assert cell(np.float32(1), 5) == (3, 1.0)
    assert cell(np.float32(-7), 5) == (0, 0.0) and cell(np.float32(9), 5) == (3, 1.0)


def test_every_axis_is_left_to_the_line_of_its_plane() -> None:
    assert [sorted((*plane, line)) for plane, line in zip(PLANE_AXES, LINE_AXES, strict=True)] == [[0, 1, 2]] * 3


def test_a_point_between_eight_nodes_has_their_weighted_mean() -> None:
    volume = np.zeros((2, 2, 2), np.float32)
    volume[1, 0, 1] = 8.0
    assert trilinear(volume, np.float32(0.5), np.float32(0.25), np.float32(1)) == np.float32(0.5 * 0.75 * 8)


def test_volumes_have_the_axes_x_y_z() -> None:
    volume, points = random(4, 5, 6), random(3, 20)
    grid = torch.from_numpy(points).flip(0).T[None, None, None] * 2 - 1
    expected = F.grid_sample(torch.from_numpy(volume)[None, None], grid, align_corners=True).flatten()
    found = torch.tensor([trilinear(volume, *point) for point in points.T])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_what_a_volume_scatters_is_the_transpose_of_what_it_gives() -> None:
    volume, points, gradient = random(4, 5, 6), random(3, 20), random(20)
    total = np.zeros_like(volume)
    scatter_volume(gradient, points, total)
    values = np.array([trilinear(volume, *point) for point in points.T])
    assert np.isclose((total * volume).sum(), (values * gradient).sum(), rtol=1e-4)
    assert np.isclose(total.sum(), gradient.sum(), rtol=1e-4)  # corners' weights sum to 1


def test_a_plane_times_a_line_by_hand_and_its_transpose() -> None:
    """The plane's rows run along its first axis."""
    plane, line = np.arange(6, dtype=np.float32)[:, None], np.array([[1.0], [3.0]], np.float32)  # 2 x 3 nodes, 2 nodes
    where = tuple(np.array([value], np.float32) for value in (0.5, 1.0, 0.25))
    product = np.empty((1, 1), np.float32)
    gather_product(plane, line, *where, 3, product)
    assert product == (2 + 5) / 2 * 1.5
    by_plane, by_line = np.zeros_like(plane), np.zeros_like(line)
    scatter_product(plane, line, *where, 3, np.ones((1, 1), np.float32), by_plane, by_line)
    assert by_plane[:, 0].tolist() == [0, 0, 0.75, 0, 0, 0.75]
    assert by_line[:, 0].tolist() == [3.5 * 0.75, 3.5 * 0.25]
