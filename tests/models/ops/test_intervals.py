"""Pieces of rays."""

import torch

from models.ops.intervals import coarse_edges, inverse_cdf, inverse_cdf_samples


def test_fine_samples_gather_where_the_weight_is() -> None:
    edges = coarse_edges(1.0, 10.0, 50, 4, None, torch.device("cpu"))
    weights = torch.zeros(4, 50)
    weights[:, 30] = 1.0
    finer = inverse_cdf(edges, weights, inverse_cdf_samples(20, 4, None, torch.device("cpu")))
    assert bool((finer.diff(dim=1) >= 0).all())
    inside = (finer >= edges[:, 29:30]) & (finer <= edges[:, 32:33])
    assert int(inside[0].sum()) >= 16
    torch.testing.assert_close(finer[:, [0, -1]], edges[:, [0, -1]])
