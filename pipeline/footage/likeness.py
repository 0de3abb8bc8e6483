"""How much of one small grey picture another one shows, however the camera moved or however bright it is."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

BLANK = 3.0  # standard deviation, grey levels, of a picture that shows nothing: black between fades
SAME = 0.5  # correlation of two pictures, local contrast made even, that are surely of one shot
EXPLAINED = 0.12  # share of pixels explained by flow; other scenes reach 0.06, neighbours in fast motion have 0.4
OF_NEIGHBOURS = 0.2  # the same, times what neighbours have
EVEN_PX = 8.0  # scale over which contrast is made even
ROUND_TRIP_PX = 1.0
PATCH_PX = 9
MATCHING = 0.7  # normalised cross-correlation of patches that show the same
Picture = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True)
class Comparison:
    """The share of a picture that another explains; how far its pixels moved, and along x and y: medians over all."""

    share: float
    moved_px: float
    drift_px: tuple[float, float]


def even_contrast(picture: Picture) -> Picture:
    """The picture with the same mean and contrast everywhere: exposure does not count."""
    values = picture.astype(np.float32)
    centred = values - cv2.GaussianBlur(values, (0, 0), EVEN_PX)
    spread = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), EVEN_PX))
    return np.clip(128 + 40 * centred / (spread + 4), 0, 255).astype(np.uint8)


def share(a: Picture, b: Picture) -> float:
    """The share of a picture that another explains; 1 without a look at the flow where they are nearly the same."""
    return 1.0 if np.corrcoef(a.ravel(), b.ravel())[0, 1] > SAME else compare(a, b).share


def compare(a: Picture, b: Picture) -> Comparison:
    """A picture beside another, by dense flow there and back."""
    flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    there, back = flow.calc(a, b, None), flow.calc(b, a, None)
    places = there + np.stack(np.meshgrid(*map(np.arange, a.shape[::-1])), axis=-1).astype(np.float32)
    error = np.linalg.norm(there + sampled(back, places, 1e3), axis=-1)
    length = np.linalg.norm(there, axis=-1)
    returns = error < ROUND_TRIP_PX + 0.05 * length
    alike = patch_correlation(a, sampled(b, places, 0.0)) > MATCHING
    x, y = np.median(there, axis=(0, 1))
    return Comparison(float((returns & alike).mean()), float(np.median(length)), (float(x), float(y)))


def cohesion(pictures: list[Picture]) -> float:
    """How well neighbours explain each other; a single picture tells nothing against it."""
    shares = [share(a, b) for a, b in pairwise(pictures)]
    return float(np.median(shares)) if shares else 1.0


def nothing_goes_on(before: list[Picture], after: list[Picture]) -> bool:
    """Whether nothing before is explained by anything after, while neighbours on both sides are."""
    limit = min(EXPLAINED, OF_NEIGHBOURS * min(cohesion(before), cohesion(after)))
    across = [(before[-1], later) for later in after] + [(earlier, after[0]) for earlier in before[:-1]]
    return all(share(a, b) < limit for a, b in across)


def sampled(image: np.ndarray, places: Float[np.ndarray, "height width xy=2"], outside: float) -> np.ndarray:
    """An image's values at places."""
    return cv2.remap(
        image,
        places[..., 0],
        places[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(outside, outside),
    )


def patch_correlation(a: Picture, b: Picture) -> Float[np.ndarray, "height width"]:
    """Normalised cross-correlation of the patches around each pixel, near 0 where there is no texture."""

    def mean(values: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
        return cv2.blur(values, (PATCH_PX, PATCH_PX))

    a, b = a.astype(np.float32), b.astype(np.float32)
    covariance = mean(a * b) - mean(a) * mean(b)
    product = (mean(a * a) - mean(a) ** 2) * (mean(b * b) - mean(b) ** 2)
    return covariance / np.sqrt(np.maximum(product, 25.0))
