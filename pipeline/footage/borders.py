"""Bars around a picture, as of letterbox video: what stays at one level along the border while the inside changes.

A dark scene has no bars: a bar ends along one straight line, beyond which most pixels show something at some time.
"""

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.footage.survey import Survey
from pipeline.formats.source_view import Crop

FEWEST_FRAMES = 4
LEVELS = 4  # grey levels within which compression lets a bar vary
FULL = 0.95  # share of the pixels of a bar's last line that have its level
SOME = 0.3  # of its other lines: text may stand in a bar
PICTURE = 0.5  # share of pixels of another level just inside, in some frame: the top of a skyline has less
CHANGING = 0.25  # least share of the inside that changes
SMALLEST_INSIDE = 0.2  # of each side
PROFILE_LEVELS = 1.5  # by which the mean of a whole line of a bar may vary
JUMP = 8  # grey levels from a bar to the mean of a line just inside, at some time; a sky fades into what is below it
SOFT = 1 / 300  # of the height or width, cropped beyond where a bar ends: its edge is soft


def find_borders(seen: Survey) -> Crop | None:
    """What is inside the bars, in pixels of the video; None where there are none."""
    if len(seen) < FEWEST_FRAMES:
        return None
    low, high = seen.small.min(0), seen.small.max(0)
    still = high - low <= LEVELS
    rows = bars_of_lines(seen.small, seen.rows)
    small_rows = inside_lines(rows, seen.rows.shape[1], still.shape[0])
    columns = bars_of_lines(np.swapaxes(seen.small[:, small_rows], 1, 2), seen.columns)
    small_columns = inside_lines(columns, seen.columns.shape[1], still.shape[1])
    crop = Crop(rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])
    whole = seen.rows.shape[1], seen.columns.shape[1]
    enough = all(left >= SMALLEST_INSIDE * side for left, side in zip(crop.size, whole, strict=True))
    changes = (~still[small_rows, small_columns]).mean() >= CHANGING if enough else False
    return crop if changes and crop.size != whole else None


def inside_lines(lines: tuple[int, int], full: int, small: int) -> slice:
    """The lines of the small pictures that are surely inside."""
    return slice(int(np.ceil(lines[0] * small / full)), int(lines[1] * small / full))


def bars_of_lines(
    small: UInt8[np.ndarray, "frame line across"], profile: Float[np.ndarray, "frame full_line"]
) -> tuple[int, int]:
    """The first line inside and the one after the last, of rows from the top, or of columns from the left."""
    full = profile.shape[1]
    first = bar_of_lines(small, profile)
    last = full - bar_of_lines(small[:, ::-1], profile[:, ::-1])
    return first, last


def bar_of_lines(small: UInt8[np.ndarray, "frame line across"], profile: Float[np.ndarray, "frame full_line"]) -> int:
    """How many lines from the first on are a bar: found in small pictures, measured in the means of full lines."""
    level = np.int16(np.median(small[0, 0]))
    away = np.abs(small.astype(np.int16) - level) > LEVELS
    share = 1 - away.any(0).mean(1)
    shown = away.mean(2).max(0)
    half = len(share) // 2 + 1
    ends = [
        line
        for line in range(1, min(half, len(share) - 1))
        if share[line - 1] >= FULL and shown[line + 1] >= PICTURE and share[:line].min() >= SOME
    ]
    if not ends:
        return 0
    scale = profile.shape[1] / len(share)
    start, stop = int((ends[-1] - 1) * scale), int(np.ceil((ends[-1] + 1) * scale))
    sure = profile[:, int(np.ceil(start)) : max(int(ends[-1] * scale), start + 1)]
    differs = np.abs(profile[:, start:stop] - np.median(sure)).max(0) > PROFILE_LEVELS
    end = start + int(np.argmax(differs)) if differs.any() else stop
    inside = end + max(1, round(SOFT * profile.shape[1]))
    jump = np.abs(profile[:, inside + 1] - np.median(sure)).max()
    return inside if jump > JUMP else 0


def in_words(crop: Crop, size: tuple[int, int]) -> str:
    """The thickness of each bar that there is."""
    height, width = size
    bars = {
        "top": crop.top,
        "bottom": height - crop.top - crop.height,
        "left": crop.left,
        "right": width - crop.left - crop.width,
    }
    return ", ".join(f"{thickness} px at the {side}" for side, thickness in bars.items() if thickness)
