"""The part of a video that frames are taken from: one shot, what shows something in it, inside its borders."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from pipeline.config import ExtractFramesConfig
from pipeline.footage.borders import find_borders
from pipeline.footage.borders import in_words as borders_in_words
from pipeline.footage.shots import Shot, blank_frames, changes_in_words, find_shots, longest
from pipeline.footage.shots import in_words as shots_in_words
from pipeline.footage.survey import survey
from pipeline.formats.source_view import SourceShape
from pipeline.formats.video_source import Source, SourceFrame
from pipeline.runtime.errors import StageError

log = logging.getLogger(__name__)
OUT_OF_SHOT, SHOWS_NOTHING = -2, -3  # in place of an interval
SMALLEST_PX = 16  # of a side of the frames; no stage finds motion in less


@dataclass(frozen=True)
class Footage:
    """What a look at the whole video tells: the intervals of the frames to take, the shots, and the part to show."""

    intervals: Int[np.ndarray, "frame"]
    shots: list[Shot]
    shape: SourceShape
    shot: int = 1

    @property
    def facts(self) -> dict[str, Any]:
        """What frames.json says of it."""
        shots = [
            {"first": one.first, "last": one.last, "start_s": one.start_s, "end_s": one.end_s} for one in self.shots
        ]
        cut = {"shots": shots, "shot": self.shot} if len(shots) > 1 else {}
        return cut | ({"crop": self.shape.crop.values} if self.shape.crop else {})


def judge_footage(
    video: Path, source: Source, intervals: Int[np.ndarray, "frame"], config: ExtractFramesConfig
) -> Footage:
    """One look at all frames from start to end: the shot to take, and what is inside borders."""
    wanted = np.flatnonzero(intervals >= 0)
    seen = survey(frame for frame in until(source.glance(), int(wanted.max())) if frame.index >= wanted.min())
    if seen is None:
        return Footage(intervals, [], SourceShape((0, 0), (0, 0)))
    check_size(video, seen.size, config)
    inside = seen.inside(find_borders(seen))  # bars go on through every cut, and have no motion of their own
    shots = find_shots(inside, source.times_s, int(wanted.min()), int(wanted.max()))
    number = chosen_shot(video, shots, config)
    shot = shots[number - 1]
    kept = intervals.copy()
    kept[blank_frames(seen.part(shot.first, shot.last))] = SHOWS_NOTHING
    kept[: shot.first], kept[shot.last + 1 :] = OUT_OF_SHOT, OUT_OF_SHOT
    kept[intervals < 0] = -1
    if not (kept >= 0).any():
        raise StageError(
            f"{video} shows nothing: all {len(seen)} frames are black, or of one colour; is it the right file?"
        )
    size = seen.size
    known = source.facts
    stored = (known["stored_height"], known["stored_width"]) if "pixel_aspect" in known else size
    crop = find_borders(seen.part(shot.first, shot.last)) if config.crop_borders else None
    if crop:
        log.warning(
            "%s has bars, %s: the frames show the %dx%d inside (extract_frames.crop_borders: false keeps them)",
            video.name,
            borders_in_words(crop, size),
            crop.width,
            crop.height,
        )
    return Footage(kept, shots, SourceShape(size, stored, crop), number)


def check_size(video: Path, size: tuple[int, int], config: ExtractFramesConfig) -> None:
    """Refuse a video of (height, width) whose frames would be too small for anything to be found in them."""
    height, width = size
    smaller = min(size) * min(1.0, config.max_size / max(size))
    if smaller < SMALLEST_PX:
        raise StageError(
            f"{video} is {width}x{height}, which gives frames with a side of {smaller:.0f} px, {SMALLEST_PX} are needed; give "
            "a larger video, or raise extract_frames.max_size"
        )


def chosen_shot(video: Path, shots: list[Shot], config: ExtractFramesConfig) -> int:
    """The number of the shot to take, counted from 1: the one asked for, else the longest."""
    if config.shot is not None and config.shot > len(shots):
        raise StageError(f"{video} has no shot {config.shot}; its shots are {shots_in_words(shots)}")
    number = config.shot or longest(shots) + 1
    if len(shots) > 1:
        log.warning(
            "%s is cut at %s; shot %d is taken of %s; another by extract_frames.shot, or start and end",
            video.name,
            changes_in_words(shots),
            number,
            shots_in_words(shots),
        )
    return number


def until(frames: Iterator[SourceFrame], last: int) -> Iterator[SourceFrame]:
    """Frames up to a place in the video."""
    for frame in frames:
        if frame.index > last:
            return
        yield frame
