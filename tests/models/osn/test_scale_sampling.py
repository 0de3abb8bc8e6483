"""Sampling from the scale network never fails, and its baselines know nothing of the video."""

import logging

import torch

from models.osn.scale_network import ScaleNetwork
from models.osn.scale_sampling import (
    ScaleSamples,
    middle_sample,
    nearest_first,
    sample_valid,
    sample_within,
    uniform_samples,
    valid_region,
)

RANGE = torch.tensor([[1.0, 1.0], [0.5, 2.5], [1.0, 3.0]])


def network() -> ScaleNetwork:
    return ScaleNetwork(RANGE, torch.Generator().manual_seed(0))


def test_at_first_everything_is_valid():
    bank = torch.rand(500, 2, generator=torch.Generator().manual_seed(1))
    assert valid_region(network(), bank).fraction == 1.0


def test_samples_are_valid_sorted_and_in_range():
    samples = sample_valid(network(), 50, torch.Generator().manual_seed(3))
    assert (samples.scores > 0.5).all() and (samples.scores.diff() <= 0).all()
    assert (samples.scales >= RANGE[:, 0]).all() and (samples.scales <= RANGE[:, 1]).all()


def test_where_nothing_is_valid_the_best_are_taken_with_a_warning(caplog):
    hopeless = network()
    hopeless.biases[-1].data.fill_(-50.0)
    with caplog.at_level(logging.WARNING, logger="models.osn"):
        samples = sample_valid(hopeless, 20, torch.Generator().manual_seed(3))
    assert samples.scales.shape == (20, 3) and "accepts 0 of" in caplog.text
    bank = torch.rand(100, 2, generator=torch.Generator().manual_seed(1))
    region = valid_region(hopeless, bank)
    assert region.fraction == 0.0 and region.bounds.shape == (3, 2)


def test_samples_of_the_inner_bound_hide_no_more_than_is_allowed_and_else_the_least(caplog):
    inner = sample_within(network(), lambda scales: scales[:, 1] - 0.5, 0.4, 50, torch.Generator().manual_seed(3))
    assert len(inner.scales) == 50 and (inner.scales[:, 1] <= 0.9).all() and (inner.scores.diff() <= 0).all()
    assert inner.scales[:, 1].std() > 0.05 and "hide" not in caplog.text
    with caplog.at_level(logging.WARNING, logger="models.osn"):
        least = sample_within(network(), lambda scales: scales[:, 1], 0.0, 50, torch.Generator().manual_seed(3))
    assert len(least.scales) == 50 and (least.scales[:, 1] < 0.6).all() and "0 of 8192 valid" in caplog.text


def test_samples_of_the_inner_bound_fill_it_evenly():
    samples = sample_within(network(), lambda scales: 0 * scales[:, 1], 0.0, 512, torch.Generator().manual_seed(3))
    across = ScaleNetwork(RANGE, torch.Generator()).normalised(samples.scales)
    cells = torch.bincount((across * 8).long().clamp(0, 7) @ torch.tensor([8, 1]), minlength=64)
    assert cells.tolist() == [8] * 64  # what Sobol's sequence promises of its first 512 points


def test_the_nearest_sample_in_ratio_comes_first():
    samples = ScaleSamples(torch.tensor([[1.0, 4.0], [1.0, 1.2]]), torch.tensor([0.0, 1.0]))
    assert nearest_first(samples, torch.tensor([1.0, 2.1])).scores.tolist() == [1, 0]  # 2.1 / 1.2 < 4 / 2.1
    assert nearest_first(samples, torch.tensor([1.0, 2.3])).scores.tolist() == [0, 1]


def test_baselines_stay_in_range():
    samples = uniform_samples(RANGE, 500, torch.Generator().manual_seed(0)).scales
    assert (samples[:, 0] == 1).all() and (samples >= RANGE[:, 0]).all() and (samples <= RANGE[:, 1]).all()
    assert samples[:, 1].std() > 0.4 and middle_sample(RANGE).scales.tolist() == [[1.0, 1.5, 2.0]]
