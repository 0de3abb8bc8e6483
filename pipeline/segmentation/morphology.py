"""Shapes by which masks are grown and shrunk."""

import cv2
import numpy as np
from jaxtyping import UInt8


def disk(radius: int) -> UInt8[np.ndarray, "size size"]:
    """A round structuring element, 2 radius + 1 pixels wide."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
