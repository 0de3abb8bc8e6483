"""What is drawn over a video is found; what stands still for another reason is not."""

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.footage.overlays import find_overlays, in_words
from tests.pipeline.footage.moving import panned

Frames = list[UInt8[np.ndarray, "height width rgb=3"]]


def with_text(frames: Frames) -> tuple[Frames, tuple[slice, slice]]:
    """Frames with a text near the corner, and the rows and columns that it covers."""
    ink = np.zeros(frames[0].shape[:2], np.uint8)
    cv2.putText(ink, "REC 8", (12, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 2)
    rows, columns = (np.flatnonzero(ink.any(axis=1 - axis)) for axis in (0, 1))
    written = [np.where(ink[..., None] > 0, np.uint8(250), frame) for frame in frames]
    return written, (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))


def colour(pictures: list[UInt8[np.ndarray, "height width"]]) -> Frames:
    return [np.repeat(picture[..., None], 3, axis=2) for picture in pictures]


def test_a_text_before_a_scene_that_moves_is_found_where_it_is() -> None:
    frames, (rows, columns) = with_text(colour(panned(3, 24, step=3.0, height=120, width=200)))
    found = find_overlays(frames)
    assert len(found.sure) == 1 and not found.doubtful
    wanted = [columns.start, rows.start, columns.stop, rows.stop]
    np.testing.assert_allclose(found.sure[0].values, wanted, atol=3)
    assert "% of the picture" in in_words(found.sure, (120, 200))


def test_nothing_is_drawn_over_a_scene_that_only_moves() -> None:
    found = find_overlays(colour(panned(4, 24, step=3.0, height=120, width=200)))
    assert not found.sure and not found.doubtful


def test_a_camera_that_stands_still_gives_none() -> None:
    """All of it stands still, and so does its own text."""
    frames, _ = with_text(colour(panned(5, 1, height=120, width=200)) * 24)
    noise = np.random.default_rng(0).integers(-3, 4, (24, 120, 200, 3))
    found = find_overlays(
        [(frame + grain).clip(0, 255).astype(np.uint8) for frame, grain in zip(frames, noise, strict=True)]
    )
    assert not found.sure


def test_a_poster_on_a_wall_under_flickering_light_is_not_drawn_over_it() -> None:
    wall = np.full((120, 200, 3), 120, np.uint8)
    poster, _ = with_text([wall])
    light = np.random.default_rng(1).integers(-15, 16, 24)
    assert not find_overlays([(poster[0] + level).clip(0, 255).astype(np.uint8) for level in light]).sure


def test_too_few_frames_tell_nothing() -> None:
    frames, _ = with_text(colour(panned(3, 5, height=120, width=200)))
    assert not find_overlays(frames).sure
