"""From images of the video, or of its size and shape, to what the frames show: cropped inside borders, then undistorted."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.formats.lens import Lens, Undistortion

Size = tuple[int, int]
SAME_SHAPE = 0.02  # difference of two aspects, in logarithms


@dataclass(frozen=True)
class Crop:
    """The part of the video that the frames show, in its pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def size(self) -> Size:
        return self.height, self.width

    @property
    def values(self) -> list[int]:
        return [self.top, self.left, self.height, self.width]

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The part of an image of the video."""
        return np.ascontiguousarray(image[self.top : self.top + self.height, self.left : self.left + self.width])


@dataclass(frozen=True)
class SourceShape:
    """Size (height, width) of the video, as it is stored where its pixels are not square, and what is cropped of it."""

    size: Size
    stored: Size
    crop: Crop | None = None

    @classmethod
    def of_info(cls, info: dict[str, Any]) -> "SourceShape":
        """From frames.json; the frames themselves where it does not say."""
        source = info.get("source") or {}
        size = int(source.get("height", info["height"])), int(source.get("width", info["width"]))
        stored = int(source.get("stored_height", size[0])), int(source.get("stored_width", size[1]))
        return cls(size, stored, Crop(*info["crop"]) if info.get("crop") else None)

    @property
    def plain(self) -> bool:
        """Whether the frames show all of a video with square pixels."""
        return self.crop is None and self.stored == self.size

    def is_whole(self, size: Size) -> bool:
        """Whether an image of a size is of all the video, not of the part that is left: by size, else by shape."""
        if self.crop is None or size in (self.size, self.stored):
            return True
        whole = min(other_shape(size, self.size), other_shape(size, self.stored))
        return size != self.crop.size and whole <= other_shape(size, self.crop.size)

    def lens_of_frames(self, lens: Lens) -> Lens:
        """A lens for images of the video as the lens of the part that is left; any other as it is."""
        if self.plain or not self.is_whole((lens.height, lens.width)):
            return lens
        lens = lens.resized(*self.size)
        return lens.cropped(*self.crop.values) if self.crop else lens


@dataclass(frozen=True)
class SourceView:
    """What brings images of the video to the frames, but for their size."""

    shape: SourceShape
    undistortion: Undistortion | None = None

    def apply(self, image: np.ndarray, exact: bool = False) -> np.ndarray:
        """An image of the video as the frames show it; `exact` takes the nearest value, for ids and depths.

        What has the shape of the frames already is not cropped again.
        """
        if not self.shape.plain and self.shape.is_whole(image.shape[:2]):
            image = cropped(image, self.shape)
        return self.undistortion.apply(image, exact) if self.undistortion else image


def cropped(image: np.ndarray, shape: SourceShape) -> np.ndarray:
    """The part that is left of an image of the video, which is first brought to its size by the nearest pixel."""
    height, width = shape.size
    if (
        other_shape(image.shape[:2], shape.size) > SAME_SHAPE
        and other_shape(image.shape[:2], shape.stored) > SAME_SHAPE
    ):
        return image  # of neither shape: whoever needs the frames' size will say so
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return shape.crop.apply(image) if shape.crop else image


def other_shape(one: Size, other: Size) -> float:
    """How much the aspects of two sizes differ: 0 for the same."""
    return abs(float(np.log(one[0] * other[1] / (one[1] * other[0]))))
