"""Holes in images: transparent pixels of a folder of images, as undistortion or a mask leaves them.

What is transparent shows nothing: it is painted over from around, so that no black spot becomes content, and stays
transparent in the frames' files, which masks then ignore. Where much is transparent the images are a thing cut out: these
are laid on black as they always were.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from pipeline.formats.frames_folder import frame_name, read_frame, write_image
from pipeline.formats.image_file import MAY_BE_TRANSPARENT
from pipeline.formats.source_view import SourceView

MOST = 0.25  # share of all pixels
REACH_PX = 3.0  # of what is painted over


def mark_holes(
    folder: Path, rows: Sequence[dict[str, Any]], files: Sequence[Path], shown: SourceView
) -> tuple[float, bool]:
    """Paint and mark the holes of frames that were written; what share of all pixels is transparent, and whether they are holes.

    `rows` are those of frames.json, `files` the images of the video, `shown` what brings these to what the frames show.
    """
    found: dict[int, Bool[np.ndarray, "height width"]] = {}
    for number, row in enumerate(rows):
        transparent = transparent_pixels(files[int(row["source_index"])])
        if transparent is not None and transparent.any():
            size = read_frame(folder / frame_name(number)).shape[:2]
            found[number] = as_shown(transparent, shown, (size[0], size[1]))
    share = sum(float(holes.mean()) for holes in found.values()) / max(len(rows), 1)
    if not 0 < share <= MOST:
        return share, False
    for number, holes in found.items():
        path = folder / frame_name(number)
        painted = cv2.inpaint(read_frame(path), holes.astype(np.uint8), REACH_PX, cv2.INPAINT_TELEA)
        write_image(path, np.dstack([painted, np.where(holes, 0, 255).astype(np.uint8)]))
    return share, True


def transparent_pixels(file: Path) -> Bool[np.ndarray, "height width"] | None:
    """Where an image shows nothing, or not all; None where its kind cannot tell."""
    if file.suffix.lower() not in MAY_BE_TRANSPARENT:
        return None
    with Image.open(file) as image:
        if image.mode != "RGBA":
            return None
    raw = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if raw is None or raw.ndim != 3 or raw.shape[2] != 4:
        return None
    return np.asarray(raw[..., 3] < (65535 if raw.dtype == np.uint16 else 255))


def as_shown(
    transparent: Bool[np.ndarray, "height width"], shown: SourceView, size: tuple[int, int]
) -> Bool[np.ndarray, "frame_height frame_width"]:
    """The same in a frame of (height, width): every pixel that has some of it."""
    seen: UInt8[np.ndarray, "height width"] = shown.apply(np.where(transparent, np.uint8(255), np.uint8(0)), exact=True)
    if seen.shape == size:
        return seen > 0
    return np.asarray(cv2.resize(seen, size[::-1], interpolation=cv2.INTER_AREA)) > 0
