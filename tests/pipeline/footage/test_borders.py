import cv2
import numpy as np
import pytest

from pipeline.footage.borders import find_borders, in_words
from pipeline.formats.source_view import Crop
from tests.pipeline.footage.moving import panned, surveyed

SIZE = (216, 384)


def framed(bars: tuple[int, int, int, int], level: int = 16, soft: bool = False) -> list[np.ndarray]:
    """A pan inside bars of (top, bottom, left, right) pixels."""
    top, bottom, left, right = bars
    inside = panned(0, 8, 6.0, SIZE[0] - top - bottom, SIZE[1] - left - right)
    pictures = [cv2.copyMakeBorder(one, *bars, cv2.BORDER_CONSTANT, value=(level,)) for one in inside]
    return [cv2.GaussianBlur(one, (0, 0), 0.6) for one in pictures] if soft else pictures


@pytest.mark.parametrize("bars", [(30, 30, 0, 0), (0, 0, 60, 60), (24, 18, 40, 0), (0, 11, 0, 0)])
@pytest.mark.parametrize(("level", "soft"), [(16, False), (0, True), (235, False)])
def test_bars_are_cropped_to_the_pixel(bars: tuple[int, int, int, int], level: int, soft: bool) -> None:
    crop = find_borders(surveyed(framed(bars, level, soft)))
    assert crop is not None
    found = (crop.top, SIZE[0] - crop.top - crop.height, crop.left, SIZE[1] - crop.left - crop.width)
    for cut, thickness in zip(found, bars, strict=True):
        assert cut == 0 if thickness == 0 else thickness <= cut <= thickness + 3


def test_text_in_a_bar_goes_with_it() -> None:
    pictures = framed((0, 50, 0, 0))
    for picture in pictures:
        cv2.putText(picture, "a subtitle", (120, 198), 0, 0.8, (235,), 2)
    crop = find_borders(surveyed(pictures))
    assert crop is not None and 162 <= crop.height <= 166


def test_a_dark_scene_a_sky_and_a_plain_video_are_not_cropped() -> None:
    plain = panned(0, 8, 6.0, *SIZE)
    assert find_borders(surveyed(plain)) is None
    ragged = [picture.copy() for picture in plain]  # black above a skyline, which pans with the picture
    for n, picture in enumerate(ragged):
        for x in range(SIZE[1]):
            picture[: 40 + int(25 * np.sin((x + 6 * n) / 23.0)), x] = 16
    assert find_borders(surveyed(ragged)) is None
    fading = [picture.astype(np.float32) for picture in plain]
    ramp = np.clip((np.arange(SIZE[0]) - 40) / 60, 0, 1)[:, None]  # a sky that fades into the haze below it
    assert find_borders(surveyed([(200 * (1 - ramp) + one * ramp).astype(np.uint8) for one in fading])) is None


def test_nothing_is_cropped_where_nothing_changes_or_everything_is_black() -> None:
    assert find_borders(surveyed(framed((30, 30, 0, 0))[:1] * 8)) is None
    assert find_borders(surveyed([np.zeros(SIZE, np.uint8)] * 8)) is None


def test_bars_are_named() -> None:
    assert in_words(Crop(30, 0, 156, 300), SIZE) == "30 px at the top, 30 px at the bottom, 84 px at the right"
