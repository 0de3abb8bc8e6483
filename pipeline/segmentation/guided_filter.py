"""Smoothing that stops at the edges of an image (He, Sun and Tang, 2010)."""

import cv2
import numpy as np
from jaxtyping import Float


def guided_filter(
    image: Float[np.ndarray, "height width rgb=3"], values: Float[np.ndarray, "height width"], radius: int, eps: float
) -> Float[np.ndarray, "height width"]:
    """Values smoothed within windows, as locally linear functions of the colours (0 to 1)."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(array: np.ndarray) -> np.ndarray:
        return cv2.blur(array, size, borderType=cv2.BORDER_REFLECT)

    colour, level = mean(image), mean(values)
    products = mean((image[..., :, None] * image[..., None, :]).reshape(*image.shape[:2], 9))
    spread = products.reshape(*image.shape[:2], 3, 3) - colour[..., :, None] * colour[..., None, :]
    spread += eps * np.eye(3, dtype=np.float32)
    together = mean(image * values[..., None]) - colour * level[..., None]
    slope = np.linalg.solve(spread, together[..., None])[..., 0]
    offset = level - (slope * colour).sum(-1)
    return (mean(slope) * image).sum(-1) + mean(offset)
