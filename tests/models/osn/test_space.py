"""Where points of a box lie in its grid."""

import torch

from models.osn.space import Space


def test_contraction_is_monotone_and_stays_inside():
    space = Space(torch.tensor([1.0, 1.0, 1.0]), near=0.1, shell=0.3)
    distances = torch.tensor([0.0, 0.5, 1.0, 1.5, 4.0, 1e4])
    along = space.grid_points(distances * torch.tensor([[1.0], [0.2], [0.0]]))[0]
    assert (along.diff() > 0).all() and float(along[-1]) < 1
    assert torch.allclose(along[2], torch.tensor(0.5 + 0.5 / 1.3))
