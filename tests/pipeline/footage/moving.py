"""Small grey videos of a random texture that a camera pans over."""

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.footage.survey import Survey, survey
from pipeline.formats.video_source import SourceFrame


def panned(
    seed: int, count: int, step: float = 2.0, height: int = 72, width: int = 128
) -> list[UInt8[np.ndarray, "height width"]]:
    """Views of a texture, each `step` pixels further."""
    rng = np.random.default_rng(seed)
    reach = int(step * count) + width + 2
    noise = sum(cv2.GaussianBlur(rng.uniform(-1, 1, (height, reach)), (0, 0), scale) * scale for scale in (1.5, 4, 10))
    picture = (128 + 45 * noise / np.std(noise)).clip(20, 235).astype(np.float32)
    shifts = [np.array([[1, 0, -step * n], [0, 1, 0]], np.float32) for n in range(count)]
    return [cv2.warpAffine(picture, shift, (width, height)).astype(np.uint8) for shift in shifts]


def surveyed(pictures: list[UInt8[np.ndarray, "height width"]]) -> Survey:
    """What a look at these pictures as frames 0, 1, ... gives."""
    seen = survey(SourceFrame(n, n / 10, picture) for n, picture in enumerate(pictures))
    assert seen is not None
    return seen
