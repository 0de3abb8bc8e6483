"""Masks for the page: taken in turn, in the object's colour, with a reason where there is none."""

import base64
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from pipeline.config import Prompt
from pipeline.picker.bounded_request import RefusedError
from pipeline.picker.mask_answers import INSIDE_ALPHA, MaskDesk, checked_request, mask_picture
from pipeline.reporting.pictures import object_colour
from pipeline.runtime.errors import StageError

CLICK = Prompt(object=1, frame=1, points=[(3, 4)])


@dataclass(frozen=True)
class Made:
    masks: np.ndarray
    confidence: float = 0.25
    warnings: list[str] = field(default_factory=list)


@dataclass
class Squares:
    """Makes a square in every frame from the first click on, and nothing before it; can be held up."""

    go: threading.Event | None = None
    made: list[range] = field(default_factory=list)

    def load(self) -> str:
        return "squares"

    def clicked_masks(self, frames: range, k: int, prompts: Sequence[Prompt]) -> Made:
        self.made.append(frames)
        if self.go:
            self.go.wait(10)
        masks = np.zeros((len(frames), 20, 30), bool)
        masks[[t >= min(prompt.frame for prompt in prompts) for t in frames], 5:12, 5:12] = True
        return Made(masks)


class Broken(Squares):
    def clicked_masks(self, frames: range, k: int, prompts: Sequence[Prompt]) -> Made:
        raise RuntimeError("out of memory")


def decoded(picture: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(picture.split(",")[1]), np.uint8), cv2.IMREAD_UNCHANGED)


def test_picture_has_the_colour_of_its_object_inside_and_nothing_outside() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:12, 5:12] = True
    picture = decoded(mask_picture(mask, 2))
    assert (picture[8, 8] == [*object_colour(2)[::-1], INSIDE_ALPHA]).all() and picture[5, 8, 3] == 255
    assert ((picture[..., 3] > 0) == mask).all()


def test_lost_frame_has_no_picture() -> None:
    answer = MaskDesk(Squares()).answer(1, range(0, 3), [CLICK])
    assert [bool(mask["picture"]) for mask in answer["masks"]] == [False, True, True]
    assert answer["confidence"] == 0.25


def test_of_three_requests_for_an_object_the_one_in_between_is_never_made() -> None:
    maker = Squares(threading.Event())
    desk, refused = MaskDesk(maker), []

    def ask(frame: int) -> None:
        try:
            desk.answer(1, range(frame, frame + 1), [CLICK.model_copy(update={"frame": frame})])
        except RefusedError as error:
            refused.append((frame, error.status))

    threads = []
    for frame in range(3):
        threads.append(threading.Thread(target=ask, args=(frame,)))
        threads[-1].start()
        while desk.newest.get(1) != frame:
            pass
        while not maker.made:
            pass
    assert maker.go is not None
    maker.go.set()
    for thread in threads:
        thread.join(10)
    assert maker.made == [range(0, 1), range(2, 3)] and refused == [(1, 409)]


def test_what_goes_wrong_is_said() -> None:
    with pytest.raises(StageError, match="the mask of object 1 cannot be made: out of memory"):
        MaskDesk(Broken()).answer(1, range(1, 2), [CLICK])
    with pytest.raises(StageError, match="object 2 has no click in frames 0 to 2"):
        MaskDesk(Squares()).answer(2, range(0, 3), [CLICK])


@pytest.mark.parametrize("values", [[], None, {"object": 0, "frame": 0, "prompts": []}, {"object": 1, "prompts": []}])
def test_request_of_another_form_is_refused(values: object) -> None:
    with pytest.raises(StageError):
        checked_request(values)


def test_neighbours_end_with_the_video() -> None:
    request = checked_request({"object": 1, "frame": 1, "reach": 2, "prompts": []})
    assert request.frames(3) == range(0, 3) and request.frames(9) == range(0, 4)
