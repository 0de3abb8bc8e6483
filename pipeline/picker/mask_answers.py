"""Masks of clicked objects for the page: requests checked and taken in turn, answers as pictures."""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from itertools import count
from threading import Lock
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Bool
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import Prompt
from pipeline.picker.bounded_request import RefusedError
from pipeline.reporting.pictures import border, object_colour
from pipeline.runtime.errors import StageError

MOST_REACH = 2
INSIDE_ALPHA = 110  # of 255; the border is opaque


@runtime_checkable
class MadeMasks(Protocol):
    """An object in some frames, empty where it is lost; how sure the masks are, and what a person should know."""

    @property
    def masks(self) -> Bool[np.ndarray, "frame height width"]: ...

    @property
    def confidence(self) -> float: ...

    @property
    def warnings(self) -> list[str]: ...


@runtime_checkable
class MaskMaker(Protocol):
    """Whatever makes masks of prompted objects; it need not be safe for threads."""

    def load(self) -> str:
        """Load what is needed before the first click; what makes the masks."""
        ...

    def clicked_masks(self, frames: range, k: int, prompts: Sequence[Prompt]) -> MadeMasks:
        """An object in neighbouring frames, from all prompts of these frames."""
        ...


class MaskRequest(BaseModel):
    """An object whose mask is wanted in a frame and in those up to `reach` away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: int = Field(ge=1, le=254)
    frame: int = Field(ge=0)
    reach: int = Field(0, ge=0, le=MOST_REACH)
    prompts: list[Any]

    def frames(self, total: int) -> range:
        """The frames that are meant, of a video of so many."""
        return range(max(self.frame - self.reach, 0), min(self.frame + self.reach + 1, total))


def checked_request(values: Any) -> MaskRequest:
    """A request as it comes from outside, if it has the form of one."""
    try:
        return MaskRequest.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        raise StageError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error


class MaskDesk:
    """Makes one mask at a time. Of several requests for one object the newest counts, and the others are outdated."""

    def __init__(self, maker: MaskMaker) -> None:
        self.maker = maker
        self.busy, self.counting = Lock(), Lock()
        self.turns, self.newest = count(), dict[int, int]()

    def load(self) -> str:
        """What makes the masks, once it is loaded."""
        with self.busy:
            try:
                return self.maker.load()
            except (ImportError, RuntimeError, MemoryError) as error:
                raise StageError(f"what makes masks cannot be loaded: {error}") from error

    def answer(self, k: int, frames: range, prompts: Sequence[Prompt]) -> dict[str, Any]:
        """An object's masks in some frames as the page takes them."""
        near = [prompt for prompt in prompts if prompt.frame in frames]
        if not any(prompt.object == k for prompt in near):
            raise StageError(
                f"object {k} has no click in frames {frames.start} to {frames.stop - 1}; click on it there"
            )
        with self.counting:
            turn = self.newest[k] = next(self.turns)
        with self.busy:
            if self.newest[k] != turn:
                raise RefusedError(HTTPStatus.CONFLICT, f"a newer request for object {k} came")
            try:
                made = self.maker.clicked_masks(frames, k, near)
            except (ImportError, RuntimeError, MemoryError, cv2.error) as error:
                raise StageError(f"the mask of object {k} cannot be made: {error}") from error
        pictures = [mask_picture(mask, k) if mask.any() else None for mask in made.masks]
        shown = [{"frame": t, "picture": picture} for t, picture in zip(frames, pictures, strict=True)]
        return {"masks": shown, "confidence": round(made.confidence, 3), "warnings": made.warnings}

    def close(self) -> None:
        """Let the mask that is being made be finished, and make no other."""
        self.busy.acquire()


def mask_picture(mask: Bool[np.ndarray, "height width"], k: int) -> str:
    """A mask tinted in its object's colour, with a solid border and all else clear, as a data URL."""
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = [*object_colour(k)[::-1], INSIDE_ALPHA]
    picture[mask & border(mask.astype(np.uint8)), 3] = 255
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
