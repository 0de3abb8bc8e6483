"""Masks cut out by colour."""

import cv2
import numpy as np

from pipeline.segmentation.grabcut import cut_object, grab_cut
from tests.pipeline.test_segment_objects import HEIGHT, WIDTH, texture


def two_squares() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An image of two red squares beside each other before a grey wall, and their masks."""
    image, masks = texture(0, (HEIGHT, WIDTH), (90, 90, 110)), np.zeros((2, HEIGHT, WIDTH), bool)
    masks[0, 20:50, 30:60], masks[1, 20:50, 60:90] = True, True
    image[masks.any(0)] = texture(1, (HEIGHT, WIDTH), (190, 70, 60))[masks.any(0)]
    return image, masks[0], masks[1]


def test_a_mask_that_is_too_small_grows_to_the_edge() -> None:
    image, first, second = two_squares()
    image[second] = texture(0, (HEIGHT, WIDTH), (90, 90, 110))[second]
    start, nothing = np.zeros_like(first), np.zeros_like(first)
    start[24:46, 34:56] = True
    found = cut_object(image, start, nothing, nothing, 0.3)
    assert (start & first).sum() < 0.6 * first.sum() and (found & first).sum() > 0.85 * (found | first).sum()


def test_pixels_of_another_object_are_not_taken() -> None:
    image, first, second = two_squares()
    nothing = np.zeros_like(first)
    found = cut_object(image, first, second, nothing, 0.3)
    assert not (found & cv2.erode(second.astype(np.uint8), np.ones((7, 7))).astype(bool)).any()


def test_where_nothing_is_to_be_told_apart_labels_stay() -> None:
    image = np.zeros((10, 12, 3), np.uint8)
    for label, expected in ((cv2.GC_PR_FGD, True), (cv2.GC_BGD, False)):
        assert (grab_cut(image, np.full((10, 12), label, np.uint8), 2) == expected).all()
