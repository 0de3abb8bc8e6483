"""What is drawn over a video is found, where and when it stands; what stands still for another reason is not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from jaxtyping import UInt8

from pipeline.footage.overlays import find_overlays, in_words
from pipeline.formats.hidden_pixels import drawn_over
from tests.pipeline.footage.moving import panned

Frame = UInt8[np.ndarray, "height width rgb=3"]
Frames = list[Frame]
HEIGHT, WIDTH, COUNT = 120, 200, 24


def colour(pictures: list[UInt8[np.ndarray, "height width"]]) -> Frames:
    return [np.repeat(picture[..., None], 3, axis=2) for picture in pictures]


@pytest.fixture(scope="module")
def scene() -> Frames:
    return colour(panned(3, COUNT, step=3.0, height=HEIGHT, width=WIDTH))


def written(frame: Frame, words: str, place: tuple[int, int], opacity: float = 1.0, size: float = 0.6) -> Frame:
    """The frame with words in white."""
    ink = np.zeros(frame.shape[:2], np.uint8)
    cv2.putText(ink, words, place, cv2.FONT_HERSHEY_SIMPLEX, size, 255, 2, cv2.LINE_AA)
    share = opacity * ink[..., None] / 255
    return (frame * (1 - share) + 250 * share).round().astype(np.uint8)


def on_band(frame: Frame, rows: slice, opacity: float) -> Frame:
    """The frame with words on a dark band over its whole width."""
    banded = frame.copy()
    banded[rows] = (banded[rows] * (1 - opacity) + 40 * opacity).astype(np.uint8)
    return written(banded, "NEWS", (12, rows.stop - 8), size=0.5)


def framed(frame: Frame, inset: Frame) -> Frame:
    """The frame with another picture in a white border at its lower right."""
    result = frame.copy()
    result[70:114, 134:198] = 240
    result[72:112, 136:196] = inset
    return result


def judged(shown: Frames, clean: Frames) -> tuple[float, float, list[tuple[int, int]]]:
    """Shares of what is drawn that is found, and of what is found that is beyond 8 pixels of it; when each one stands."""
    truth = np.stack([(a != b).any(-1) for a, b in zip(shown, clean, strict=True)])
    found = find_overlays(shown)
    assert not found.doubtful
    boxes = drawn_over([one.values for one in found.sure], truth.shape)
    near = np.stack([cv2.dilate(one.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0 for one in truth])
    wrong = (boxes & ~near).sum() / max(boxes.sum(), 1)
    return (truth & boxes).sum() / truth.sum(), wrong, [(one.first, one.last) for one in found.sure]


INSET = colour(panned(9, COUNT, step=1.0, height=40, width=60))
ALWAYS = (0, COUNT - 1)
KINDS: dict[str, tuple[Callable[[Frame, int], Frame], list[tuple[int, int]]]] = {
    "text": (lambda frame, t: written(frame, "REC 8", (12, 26)), [ALWAYS]),
    "for a while": (lambda frame, t: written(frame, "REC 8", (12, 26)) if 6 <= t < 16 else frame, [(6, 15)]),
    "another corner": (
        lambda frame, t: written(frame, "logo", (12, 26) if t < 12 else (140, 100)),
        [(0, 11), (12, COUNT - 1)],
    ),
    "fades in": (lambda frame, t: written(frame, "title", (12, 100), min(t / 8, 1)), [(1, COUNT - 1)]),
    "band": (lambda frame, t: on_band(frame, slice(60, 85), 1.0), [ALWAYS]),
    "clear band": (lambda frame, t: on_band(frame, slice(60, 85), 0.5), [ALWAYS]),
    "band for a while": (
        lambda frame, t: on_band(frame, slice(80, 105), 0.7) if t >= 10 else frame,
        [(10, COUNT - 1)],
    ),
    "picture in the picture": (lambda frame, t: framed(frame, INSET[t]), [ALWAYS]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_is_found_where_and_when_it_stands(kind: str, scene: Frames) -> None:
    draw, when = KINDS[kind]
    shown = [draw(frame, t) for t, frame in enumerate(scene)]
    found, wrong, times = judged(shown, scene)
    assert found > 0.9 and wrong < 0.2 and times == when


def test_a_text_that_changes_is_covered_in_all_frames(scene: Frames) -> None:
    shown = [written(frame, "one" if t < 10 else "other", (12, 100)) for t, frame in enumerate(scene)]
    found, wrong, _ = judged(shown, scene)
    assert found > 0.9 and wrong < 0.2


def test_words_say_where_and_when(scene: Frames) -> None:
    draw, _ = KINDS["for a while"]
    found = find_overlays([draw(frame, t) for t, frame in enumerate(scene)])
    words = in_words(found.sure, [t / 10 for t in range(COUNT)], (HEIGHT, WIDTH))
    assert "% of the pixels" in words and "in frames 6 to 15 (0.6 to 1.5 s)" in words


def test_nothing_is_drawn_over_a_scene_that_only_moves(scene: Frames) -> None:
    found = find_overlays(scene)
    assert not found.sure and not found.doubtful


def followed(behind: Frame, t: int) -> Frame:
    """What a camera follows, before what moves: it stands still in the picture from frame 8 to 15, and moves else."""
    thing = written(np.full((24, 60, 3), 90, np.uint8), "CAR", (4, 19))
    left = 70 + 4 * (min(t - 8, 0) + max(t - 15, 0))
    result = behind.copy()
    result[50:74, left : left + 60] = thing
    return result


def test_what_a_camera_follows_for_a_while_is_not_drawn_over_it(scene: Frames) -> None:
    """It has letters, and stands as still as a text; but it comes and goes by moving."""
    assert not find_overlays([followed(frame, t) for t, frame in enumerate(scene)]).sure


def test_a_camera_that_stands_still_gives_none() -> None:
    """All of it stands still, and so does its own text."""
    still = written(colour(panned(5, 1, height=HEIGHT, width=WIDTH))[0], "REC 8", (12, 26))
    noise = np.random.default_rng(0).integers(-3, 4, (COUNT, HEIGHT, WIDTH, 3))
    assert not find_overlays([(still + grain).clip(0, 255).astype(np.uint8) for grain in noise]).sure


def test_a_still_camera_before_which_much_moves_gives_none(scene: Frames) -> None:
    """What is left of the scene on both sides stands still and is sharp, like a text that is very large."""
    still = colour(panned(6, 1, height=HEIGHT, width=WIDTH))[0]
    shown = []
    for moving in scene:
        frame = still.copy()
        frame[:, 60:140] = moving[:, 60:140]
        shown.append(frame)
    assert not find_overlays(shown).sure


def test_a_camera_that_stands_still_for_a_while_gives_none(scene: Frames) -> None:
    """A sign of the scene stands still with all the rest."""
    wide = colour(panned(3, 1, height=HEIGHT, width=WIDTH + 60))[0]
    wide = written(wide, "SHOP", (70, 60))
    shifts = [3 * (min(t - 8, 0) + max(t - 15, 0)) + 30 for t in range(COUNT)]
    assert not find_overlays([wide[:, shift : shift + WIDTH] for shift in shifts]).sure


def test_a_poster_on_a_wall_under_flickering_light_is_not_drawn_over_it() -> None:
    poster = written(np.full((HEIGHT, WIDTH, 3), 120, np.uint8), "REC 8", (12, 26))
    light = np.random.default_rng(1).integers(-15, 16, COUNT)
    assert not find_overlays([(poster + level).clip(0, 255).astype(np.uint8) for level in light]).sure


def test_too_few_frames_tell_nothing(scene: Frames) -> None:
    assert not find_overlays([written(frame, "REC 8", (12, 26)) for frame in scene[:5]]).sure
