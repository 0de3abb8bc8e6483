"""One look at all frames of a video in grey: small pictures, and the mean of every row and column at full size."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from pipeline.formats.source_view import Crop
from pipeline.formats.video_source import SourceFrame

SMALL_PX = 128  # longer side of the small pictures
LEAST_PX = 24  # their shorter side, where the image has as much: less is too thin for dense flow


@dataclass(frozen=True)
class Survey:
    """What is kept of each frame that can be decoded; `index` is its place in the video."""

    index: Int[np.ndarray, "frame"]
    small: UInt8[np.ndarray, "frame small_height small_width"]
    rows: Float[np.ndarray, "frame height"]
    columns: Float[np.ndarray, "frame width"]

    def __len__(self) -> int:
        return len(self.index)

    def part(self, first: int, last: int) -> "Survey":
        """The frames whose place in the video is from `first` to `last`."""
        chosen = (self.index >= first) & (self.index <= last)
        return Survey(self.index[chosen], self.small[chosen], self.rows[chosen], self.columns[chosen])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the video's images."""
        return self.rows.shape[1], self.columns.shape[1]

    def inside(self, crop: Crop | None) -> "Survey":
        """What is inside bars, as far as the small pictures tell them apart; all where too little is left of these."""
        if crop is None:
            return self
        small_height, small_width = self.small.shape[1:]
        scale = small_height / self.size[0], small_width / self.size[1]
        top, left = int(np.ceil(crop.top * scale[0])), int(np.ceil(crop.left * scale[1]))
        bottom, right = int((crop.top + crop.height) * scale[0]), int((crop.left + crop.width) * scale[1])
        if min(bottom - top, right - left) < LEAST_PX:
            return self
        rows = self.rows[:, crop.top : crop.top + crop.height]
        columns = self.columns[:, crop.left : crop.left + crop.width]
        return Survey(self.index, self.small[:, top:bottom, left:right], rows, columns)


def survey(frames: Iterable[SourceFrame]) -> Survey | None:
    """Survey grey frames; None where none can be decoded."""
    index, small, rows, columns = [], [], [], []
    for frame in frames:
        if frame.image is None:
            continue
        index.append(frame.index)
        small.append(reduced(frame.image))
        rows.append(cv2.reduce(frame.image, 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[:, 0])
        columns.append(cv2.reduce(frame.image, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[0])
    if not index:
        return None
    return Survey(np.array(index), np.stack(small), np.stack(rows), np.stack(columns))


def reduced(image: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "small_height small_width"]:
    """The image with a longer side of `SMALL_PX`, by area, but no side below `LEAST_PX`; smaller ones as they are."""
    height, width = image.shape
    scale = min(1.0, max(SMALL_PX / max(height, width), LEAST_PX / min(height, width)))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
