"""Dissolves and fades divide shots; what only looks like them does not."""

import cv2
import numpy as np
import pytest

from pipeline.footage.shots import changes_in_words, find_shots, longest
from pipeline.footage.transitions import find_transitions
from tests.pipeline.footage.moving import panned, surveyed


def joined(length: int, through: float | None = None, others: int = 1) -> list[np.ndarray]:
    """Thirty pictures of one scene that become thirty of another; `through` a level of grey, or directly."""
    before, after = panned(0, 30, step=0.5), panned(others, 30, step=1.0)
    blended = []
    for number in range(length):
        weight = (number + 1) / (length + 1)
        a, b = before[30 - length + number].astype(float), after[number].astype(float)
        if through is None:
            mixed = (1 - weight) * a + weight * b
        else:
            first, last = max(0.0, 1 - 2 * weight), max(0.0, 2 * weight - 1)
            mixed = first * a + last * b + (1 - first - last) * through
        blended.append(mixed.round().astype(np.uint8))
    return [*before[: 30 - length], *blended, *after[length:]]


@pytest.mark.parametrize(("length", "through"), [(8, None), (20, None), (12, 16.0), (12, 250.0)])
def test_shots_end_where_a_dissolve_or_a_fade_begins(length: int, through: float | None) -> None:
    pictures = joined(length, through)
    first, second = find_shots(surveyed(pictures), [n / 10 for n in range(len(pictures))], 0, len(pictures) - 1)
    assert first.first == 0 and 30 - length - 4 <= first.last <= 29 - length + 3
    assert 30 - 3 <= second.first <= 30 + 4 and second.last == len(pictures) - 1


def test_a_dissolve_is_told_from_a_cut_in_words() -> None:
    shots = find_shots(surveyed(joined(20)), [n / 10 for n in range(40)], 0, 39)
    assert f"frame {shots[1].first} ({shots[1].start_s:.2f} s) by a dissolve or fade from frame" in changes_in_words(
        shots
    )
    assert longest(shots) in (0, 1)


def test_a_dark_moment_a_blur_and_fast_pans_are_no_transitions() -> None:
    pictures = panned(0, 40)
    dark = [
        (picture * (1 - 0.9 * np.exp(-(((n - 20) / 5) ** 2)))).astype(np.uint8) for n, picture in enumerate(pictures)
    ]
    blurred = [
        cv2.GaussianBlur(picture, (0, 0), 0.1 + 4 * np.exp(-(((n - 20) / 5) ** 2)))
        for n, picture in enumerate(pictures)
    ]
    fast = whip([1] * 15 + [24] * 10 + [1] * 15)
    for clip in (pictures, dark, blurred, fast, panned(0, 40, step=30.0)):
        assert find_transitions(np.stack(clip)) == []


def whip(steps: list[int]) -> list[np.ndarray]:
    """A pan that speeds up and stops; each picture is blurred over as far as it moves."""
    (world,) = panned(0, 1, width=128 + sum(steps))
    places = np.cumsum([0, *steps[:-1]])
    return [cv2.blur(world, (step, 1))[:, place : place + 128] for place, step in zip(places, steps, strict=True)]
