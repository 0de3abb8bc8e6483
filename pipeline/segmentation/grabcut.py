"""Masks cut out by colour alone (GrabCut), for things of which nothing but a hint is known."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.segmentation.boundary_refinement import box_around, main_body
from pipeline.segmentation.morphology import disk


def cut_object(
    image: UInt8[np.ndarray, "height width rgb=3"],
    mask: Bool[np.ndarray, "height width"],
    others: Bool[np.ndarray, "height width"],
    still: Bool[np.ndarray, "height width"],
    reach: float,
) -> Bool[np.ndarray, "height width"]:
    """One mask, cut out by GrabCut in a band around its border."""
    size = np.sqrt(mask.sum())
    band = max(3, int(reach * size))
    labels = np.full(mask.shape, cv2.GC_BGD, np.uint8)
    labels[cv2.dilate(mask.astype(np.uint8), disk(band)) > 0] = cv2.GC_PR_BGD
    labels[still & (cv2.dilate(mask.astype(np.uint8), disk(max(2, band // 5))) == 0)] = cv2.GC_BGD
    labels[mask] = cv2.GC_PR_FGD
    labels[cv2.erode(mask.astype(np.uint8), disk(max(2, int(0.1 * size))), borderValue=1) > 0] = cv2.GC_FGD
    labels[cv2.erode(others.astype(np.uint8), disk(2)) > 0] = cv2.GC_BGD
    window = box_around(labels != cv2.GC_BGD, margin=band + 8)
    crop, part = np.ascontiguousarray(image[window]), np.ascontiguousarray(labels[window])
    if mask.sum() < 12:
        return mask
    inside = np.zeros_like(mask)
    inside[window] = grab_cut(crop, part, 3)
    return main_body(inside, mask)


def grab_cut(
    image: UInt8[np.ndarray, "height width rgb=3"], labels: UInt8[np.ndarray, "height width"], rounds: int
) -> Bool[np.ndarray, "height width"]:
    """OpenCV's GrabCut from its labels; without anything to tell apart, what is labelled as object."""
    inside = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if inside.all() or not inside.any():
        return inside
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    result, _, _ = cv2.grabCut(image, labels.copy(), (0, 0, 1, 1), *models, rounds, cv2.GC_INIT_WITH_MASK)
    return np.isin(result, (cv2.GC_FGD, cv2.GC_PR_FGD))
