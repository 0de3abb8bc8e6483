import cv2
import numpy as np
import pytest

from pipeline.footage.shots import blank_frames, find_cuts, find_shots, longest
from pipeline.footage.transitions import find_transitions
from tests.pipeline.footage.moving import panned, surveyed


def cuts(pictures: list[np.ndarray]) -> list[int]:
    return find_cuts(np.stack(pictures))


@pytest.mark.parametrize(("before", "after"), [(12, 12), (3, 15), (15, 2)])
def test_a_cut_is_found_at_its_frame(before: int, after: int) -> None:
    assert cuts(panned(0, before) + panned(1, after)) == [before]


def test_several_shots_have_their_seconds_and_the_longest_is_known() -> None:
    pictures = panned(0, 8) + panned(1, 12) + panned(2, 7)
    shots = find_shots(surveyed(pictures), [n / 10 for n in range(27)], 0, 26)
    assert [(shot.first, shot.last) for shot in shots] == [(0, 7), (8, 19), (20, 26)]
    assert shots[1].start_s == 0.8 and longest(shots) == 1


def test_fast_pans_are_no_cuts() -> None:
    assert cuts(panned(0, 16, step=24.0)) == []  # a fifth of the width a frame
    assert cuts(panned(0, 16, step=100.0)) == []  # nothing is seen twice: no neighbours explain each other


def test_a_flash_and_a_damaged_frame_are_no_cuts() -> None:
    pictures = panned(0, 16)
    flashed = [*pictures[:8], np.full_like(pictures[0], 250), *pictures[9:]]
    flashed[9] = (pictures[9] // 4 + 190).astype(np.uint8)
    assert cuts(flashed) == []
    assert cuts([*pictures[:8], *panned(5, 2), *pictures[10:]]) == []


def test_exposure_and_repeated_frames_are_no_cuts() -> None:
    pictures = panned(0, 16)
    darker = [picture if n < 8 else (picture // 3) for n, picture in enumerate(pictures)]
    assert cuts(darker) == []
    assert cuts([pictures[n // 4] for n in range(16)]) == []


def test_a_fade_through_black_to_another_scene_is_a_cut_and_to_the_same_is_none() -> None:
    black = [np.full((72, 128), 16, np.uint8)] * 3
    assert cuts([*panned(0, 10), *black, *panned(1, 10)]) == [13]
    same = panned(0, 20)
    assert cuts([*same[:9], *black, *same[12:]]) == []


def test_noise_and_compression_do_not_hide_a_cut() -> None:
    rng = np.random.default_rng(0)
    pictures = [
        cv2.GaussianBlur((picture + rng.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8), (0, 0), 0.8)
        for picture in panned(0, 10) + panned(1, 10)
    ]
    assert cuts(pictures) == [10]


def test_blank_frames_are_found_but_a_dark_scene_has_none() -> None:
    pictures, black = panned(0, 12), np.full((72, 128), 16, np.uint8)
    assert blank_frames(surveyed([black, black, *pictures, black])).tolist() == [0, 1, 14]
    assert len(blank_frames(surveyed([black] * 5))) == 5
    assert not len(blank_frames(surveyed([(picture // 24) for picture in pictures])))


def test_a_strip_is_too_thin_to_be_cut() -> None:
    strips = [picture[:16] for picture in panned(0, 12)]
    assert cuts(strips + [picture[:16] for picture in panned(1, 12)]) == [] and find_transitions(np.stack(strips)) == []
