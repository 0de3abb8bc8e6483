"""Following flow: from pixels to where they land, and back."""

import cv2
import numpy as np
from jaxtyping import Bool, Float


def flow_endpoint(flow: Float[np.ndarray, "height width xy=2"]) -> Float[np.ndarray, "height width xy=2"]:
    """(column, row) at which every pixel lands; integers are pixel centres, as OpenCV's remap wants."""
    height, width = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return flow.astype(np.float32) + np.stack([columns, rows], axis=-1)


def warp(
    values: np.ndarray, flow: Float[np.ndarray, "height width xy=2"], outside: float = 0.0, nearest: bool = False
) -> np.ndarray:
    """`values` of the other frame at where every pixel lands; `outside` beyond the image."""
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    columns, rows = np.moveaxis(flow_endpoint(flow), -1, 0)
    return cv2.remap(values, columns, rows, how, borderMode=cv2.BORDER_CONSTANT, borderValue=[outside] * 4)


def consistent_pixels(
    forward: Float[np.ndarray, "height width xy=2"],
    backward: Float[np.ndarray, "height width xy=2"],
    tolerance_px: float,
) -> Bool[np.ndarray, "height width"]:
    """Pixels that return home when the flow there is followed back; those that leave the image are not."""
    height, width = forward.shape[:2]
    columns, rows = np.moveaxis(flow_endpoint(forward), -1, 0)
    inside = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    return inside & (np.linalg.norm(forward + warp(backward, forward), axis=-1) < tolerance_px)
