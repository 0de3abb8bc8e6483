"""Colours by which a thing is known again."""

import numpy as np

from pipeline.segmentation.colour_histogram import colour_histogram, histogram_bins, similarity, smoothed_histogram


def test_shares_sum_up_to_one_and_a_look_is_like_itself() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    for these in (colours, colours // 16, np.full((9, 3), 255, np.uint8)):  # also where they are all dark, or white
        shares = smoothed_histogram(these)
        assert abs(shares.sum() - 1) < 1e-6 and abs(similarity(shares, shares) - 1) < 1e-6


def test_red_and_green_have_nothing_in_common_and_two_reds_much() -> None:
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, :10], image[:, 10:20], image[:, 20:] = (200, 20, 20), (205, 25, 18), (20, 200, 20)
    looks = []
    for start in (0, 10, 20):
        mask = np.zeros((10, 30), bool)
        mask[:, start : start + 10] = True
        looks.append(colour_histogram(image, mask))
    assert similarity(looks[0], looks[1]) > 0.8
    assert similarity(looks[0], looks[2]) < 0.01


def test_bins_count_red_first() -> None:
    assert histogram_bins(np.array([[255, 0, 0], [0, 0, 255], [16, 0, 0]])).tolist() == [15 * 256, 15, 256]
