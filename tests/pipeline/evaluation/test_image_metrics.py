"""Metrics against numbers one can check by hand, against torchmetrics, and by their laws."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.detection import panoptic_quality as torchmetrics_panoptic_quality
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from pipeline.evaluation.image_metrics import (
    PSNR_CAP_DB,
    depth_mae,
    depth_mse,
    endpoint_errors,
    intersection_over_union,
    masked_psnr_db,
    masked_ssim,
    overlap_counts,
    panoptic_quality,
    psnr_db,
    ssim,
)


def noisy_pair(height: int = 40, width: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth image and the same with noise."""
    generator = torch.Generator().manual_seed(3)
    ramp = torch.linspace(0.1, 0.9, width).expand(height, width)
    image = torch.stack([ramp, ramp.flip(1), 0.5 * ramp], dim=-1)
    return image, (image + 0.1 * torch.randn(image.shape, generator=generator)).clamp(0, 1)


def test_an_error_of_a_tenth_everywhere_is_20_db() -> None:
    image = torch.full((16, 16, 3), 0.5)
    assert psnr_db(image, image + 0.1) == pytest.approx(20.0, abs=1e-4)


def test_equal_images_have_the_largest_psnr_and_an_ssim_of_one() -> None:
    image, _ = noisy_pair()
    full = torch.ones(image.shape[:2], dtype=torch.bool)
    assert psnr_db(image, image) == PSNR_CAP_DB == masked_psnr_db(image, image, full)
    assert ssim(image, image) == pytest.approx(1.0) == masked_ssim(image, image, full)


def test_psnr_and_ssim_are_those_of_torchmetrics() -> None:
    image, noisy = noisy_pair()
    batch = (image.movedim(-1, 0)[None], noisy.movedim(-1, 0)[None])
    assert psnr_db(image, noisy) == pytest.approx(float(peak_signal_noise_ratio(*batch, data_range=1.0)))
    assert ssim(image, noisy) == pytest.approx(
        float(structural_similarity_index_measure(*batch, data_range=1.0)), abs=1e-5
    )


def test_masked_metrics_under_a_full_mask_are_the_plain_ones() -> None:
    image, noisy = noisy_pair()
    full = torch.ones(image.shape[:2], dtype=torch.bool)
    assert masked_psnr_db(image, noisy, full) == pytest.approx(psnr_db(image, noisy), abs=1e-4)
    assert masked_ssim(image, noisy, full) == pytest.approx(ssim(image, noisy), abs=1e-4)


def test_pixels_outside_the_mask_change_no_masked_metric() -> None:
    image, noisy = noisy_pair()
    mask = torch.zeros(image.shape[:2], dtype=torch.bool)
    mask[:, :30] = True
    spoilt = noisy.clone()
    spoilt[~mask] = 1 - spoilt[~mask]
    assert masked_psnr_db(image, spoilt, mask) == pytest.approx(masked_psnr_db(image, noisy, mask), abs=1e-5)
    assert masked_ssim(image, spoilt, mask) == pytest.approx(masked_ssim(image, noisy, mask), abs=1e-5)
    assert ssim(image, spoilt) < masked_ssim(image, spoilt, mask)


def test_masked_ssim_equals_a_loop_over_windows() -> None:
    image, noisy = noisy_pair(16, 18)
    mask = torch.rand(image.shape[:2], generator=torch.Generator().manual_seed(1)) > 0.3
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(line, line)
    values = []
    padded = [np.pad(array, ((5, 5), (5, 5), (0, 0)), mode="reflect") for array in (image, noisy, mask[..., None])]
    for row in range(16):
        for column in range(18):
            if mask[row, column]:
                cut = (slice(row, row + 11), slice(column, column + 11))
                x, y, seen = (array[cut] for array in padded)
                weight = window[..., None] * seen / (window[..., None] * seen).sum()
                mx, my = (x * weight).sum((0, 1)), (y * weight).sum((0, 1))
                vx, vy = (x**2 * weight).sum((0, 1)) - mx**2, (y**2 * weight).sum((0, 1)) - my**2
                cov = (x * y * weight).sum((0, 1)) - mx * my
                value = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
                values.append(value.mean())
    assert masked_ssim(image, noisy, mask) == pytest.approx(float(np.mean(values)), abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_depth_error_does_not_see_scale_and_shift(scale: float, shift: float) -> None:
    depth = np.random.default_rng(0).uniform(1, 4, (12, 10))
    assert depth_mae(scale * depth + shift, depth) == pytest.approx(0, abs=1e-9)


def test_depth_error_is_in_the_truths_units() -> None:
    target = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    depth = np.array([[3.0, 2.0, 1.0, 4.0, 5.0]])  # same median and spread, two pixels swapped
    assert depth_mae(depth, target) == pytest.approx((2 + 0 + 2 + 0 + 0) / 5)
    assert depth_mse(depth, target) == pytest.approx((4 + 0 + 4 + 0 + 0) / 5)


def test_a_flat_depth_map_is_as_wrong_as_the_spread_of_the_truth() -> None:
    target = np.array([[1.0, 2.0, 3.0]])
    assert depth_mae(np.full((1, 3), 7.0), target) == pytest.approx(2 / 3)


def test_endpoint_error_is_the_length_of_the_difference() -> None:
    flow = np.array([[3.0, 0.0], [0.0, 0.0]])
    assert endpoint_errors(flow, np.array([[0.0, 4.0], [0.0, 0.0]])).tolist() == [5.0, 0.0]


def test_iou_by_hand() -> None:
    target = np.array([0, 0, 1, 1, 2], np.uint8)
    ids = np.array([0, 1, 1, 1, 0], np.uint8)
    iou = intersection_over_union(overlap_counts(ids, target))
    assert iou[0, 0] == pytest.approx(1 / 3)
    assert iou[1, 1] == pytest.approx(2 / 3)
    assert iou[2, 2] == 0 and iou[7, 7] == 0


def test_panoptic_quality_is_the_iou_of_found_segments_over_all() -> None:
    target = np.zeros((1, 10, 10), np.uint8)
    target[0, :4, :5] = 1
    target[0, 6:, 5:] = 2
    ids = target.copy()
    ids[0, 0, :5] = 0  # 15 of 20 pixels of object 1
    ids[ids == 2] = 0  # object 2 missed
    things = 0.75 / (1 + 0.5)  # one found at IoU 0.75, one missed
    stuff = 60 / (60 + 5 + 20)  # the background, with 5 and 20 pixels too many
    assert panoptic_quality(ids, target) == pytest.approx((things + stuff) / 2, abs=1e-5)
    assert panoptic_quality(target, target) == pytest.approx(1.0)


def test_panoptic_quality_is_that_of_torchmetrics() -> None:
    random = np.random.default_rng(5)
    target = np.kron(random.integers(0, 4, (5, 4, 4)), np.ones((1, 6, 6))).astype(np.uint8)
    ids = np.where(random.random(target.shape) < 0.2, random.integers(0, 5, target.shape), target).astype(np.uint8)
    expected = torchmetrics_panoptic_quality(labels(ids), labels(target), things={1}, stuffs={0})
    assert panoptic_quality(ids, target) == pytest.approx(float(expected))
    assert 0.1 < float(expected) < 0.9


def labels(ids: np.ndarray) -> torch.Tensor:
    """Class and instance of each pixel."""
    instance = torch.from_numpy(ids.astype(np.int64))
    return torch.stack([(instance > 0).long(), instance], dim=-1)
