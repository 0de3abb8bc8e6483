"""Windows of all lengths over the frames, and from when to when a pattern stands in them."""

import numpy as np

from pipeline.footage.passing_overlays import Overlay, Pattern, run_of, stays_the_same, windows, with_part
from pipeline.footage.steadiness import Box, sums_of

BOX = Box(2, 3, 6, 8)


def test_windows_overlap_by_half_and_hold_the_sums_of_their_frames() -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (13, 12, 16, 3)).astype(np.uint8))
    found = {(first, end): seen for seen, first, end in windows(frames)}
    assert set(found) == {(0, 4), (2, 6), (4, 8), (6, 10), (8, 12), (0, 8), (4, 12)}
    for (first, end), seen in found.items():
        alone = sums_of(frames[first:end]).steadiness
        np.testing.assert_allclose(seen.gradient, alone.gradient, atol=1e-3)
        np.testing.assert_allclose(seen.deviation, alone.deviation, atol=1e-2)


def test_a_run_has_the_frames_of_fading_and_ends_where_nothing_is_seen() -> None:
    pattern = Pattern(BOX, np.ones((5, 4), bool), np.ones((20, 6), np.float32), 4, 8)
    contrast = np.array([0.0, 0.05, 0.2, 0.6, 1.0, 1.0, 1.0, 1.0, 0.4, 0.02, 0.3])
    likeness = np.array([0.1, 0.2, 0.5, 0.9, 0.95, 0.95, 0.95, 0.95, 0.65, 0.1, 0.5])
    assert run_of(pattern, likeness, contrast) == Overlay(BOX, 2, 8)


def test_parts_that_overlap_at_the_same_time_are_one() -> None:
    left, right, later = (
        Overlay(Box(0, 0, 5, 5), 3, 9),
        Overlay(Box(4, 1, 9, 6), 4, 10),
        Overlay(Box(4, 1, 9, 6), 12, 20),
    )
    assert with_part(with_part([left], right), later) == [Overlay(Box(0, 0, 9, 6), 3, 10), later]


def test_what_drifts_is_like_itself_in_its_own_window_only() -> None:
    """A thing that turns where a camera follows it, beside a title of eight frames and one that the video's end cuts."""
    pattern = Pattern(BOX, np.ones((5, 4), bool), np.ones((20, 6), np.float32), 4, 8)
    turning = np.array([0.1, 0.4, 0.6, 0.8, 0.95, 0.99, 0.99, 0.95, 0.85, 0.7, 0.3, 0.1])
    title = np.array([0.1, 0.1, 0.7, 0.96, 0.97, 0.99, 0.99, 0.97, 0.95, 0.93, 0.6, 0.1])
    assert not stays_the_same(pattern, turning) and stays_the_same(pattern, title)
    assert stays_the_same(pattern, title[:8])
