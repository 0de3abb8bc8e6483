"""Histograms of the colours of things, by which they are known again."""

import numpy as np
from jaxtyping import Bool, Float, Int, Num, UInt8
from scipy.ndimage import gaussian_filter

BINS = 16  # of each colour channel


def histogram_bins(colours: Num[np.ndarray, "*place rgb=3"]) -> Int[np.ndarray, "*place"]:
    """Which bin of a colour histogram each colour falls into."""
    red, green, blue = np.moveaxis(colours.astype(np.int64) * BINS // 256, -1, 0)
    return (red * BINS + green) * BINS + blue


def smoothed_histogram(colours: Num[np.ndarray, "pixel rgb=3"], blur: float = 0.7) -> Float[np.ndarray, "colour"]:
    """A smoothed histogram of colours that sums up to 1."""
    counts = np.bincount(histogram_bins(colours), minlength=BINS**3).reshape(BINS, BINS, BINS).astype(float)
    return gaussian_filter(counts, blur, mode="reflect").ravel() / max(len(colours), 1)


def similarity(first: Float[np.ndarray, "colour"], second: Float[np.ndarray, "colour"]) -> float:
    """1 for the same shares of colours, 0 for no colour in common (Bhattacharyya coefficient)."""
    return float(np.sqrt(first * second).sum())


def colour_histogram(
    image: UInt8[np.ndarray, "height width rgb=3"], mask: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "colour"]:
    """The colours of what a mask covers."""
    return smoothed_histogram(image[mask], blur=1.0)
