"""Pixels of frames that do not show the scene: what is drawn over it, and transparent holes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from pipeline.formats.frames_folder import read_frames_info, read_holes


def drawn_over(
    overlays: Sequence[dict[str, Any]], shape: tuple[int, int, int]
) -> Bool[np.ndarray, "frame height width"]:
    """Pixels of (frame, height, width) within the boxes (left, top, right, bottom) of frames.json, in the frames that it says."""
    drawn = np.zeros(shape, bool)
    for row in overlays:
        left, top, right, bottom = row["box"]
        drawn[row["first"] : row["last"] + 1, top:bottom, left:right] = True
    return drawn


def hidden_pixels(
    frames: Path, info: Path | None, shape: tuple[int, int, int]
) -> Bool[np.ndarray, "frame height width"]:
    """All that frames.json knows of, in the frames of a folder; nothing without it."""
    known = read_frames_info(info) if info is not None else {}
    hidden = drawn_over(known.get("overlays") or [], shape)
    return hidden | read_holes(frames) if known.get("transparent") else hidden
