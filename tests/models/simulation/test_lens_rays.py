"""Lenses are those of COLMAP's camera models, backwards."""

import numpy as np
import pytest
import torch

from models.simulation.lens_rays import PINHOLE, FisheyeLens, RadialLens
from pipeline.formats.lens import Lens

POINTS = torch.tensor([[0.0, 0.0], [0.2, -0.1], [-0.45, 0.3], [0.5, 0.35]])


@pytest.mark.parametrize(
    ("lens", "model", "params"),
    [
        (RadialLens(-0.2), "SIMPLE_RADIAL", (1.0, 0.0, 0.0, -0.2)),
        (RadialLens(0.15), "SIMPLE_RADIAL", (1.0, 0.0, 0.0, 0.15)),
        (FisheyeLens(), "OPENCV_FISHEYE", (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)),
    ],
)
def test_colmap_projects_the_direction_of_a_point_to_that_point(lens, model, params) -> None:
    straight = lens.straightened(POINTS).double().numpy()
    directions = np.concatenate([straight, np.ones((len(straight), 1))], axis=1)
    np.testing.assert_allclose(Lens(model, params, 2, 2).project(directions), POINTS.numpy(), atol=1e-6)


def test_a_pinhole_bends_nothing_and_a_barrel_widens_the_view() -> None:
    assert PINHOLE.straightened(POINTS) is POINTS
    assert (RadialLens(-0.2).straightened(POINTS)[1:].norm(dim=-1) > POINTS[1:].norm(dim=-1)).all()
