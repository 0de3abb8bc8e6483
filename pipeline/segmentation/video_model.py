"""Objects followed through a video by a model: what is known of them in some frames, and their ids in all frames."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from pipeline.config import Prompt
from pipeline.segmentation import propagators
from pipeline.segmentation.propagation import SMALLEST_PX, Masks, flattened

log = logging.getLogger("pipeline.segment_objects")
AUTO = ("sam3", "sam2")

Hint = Bool[np.ndarray, "height width"] | list[Prompt]  # what is known of an object in a frame
Hints = Mapping[int, Mapping[int, Hint]]  # by object, then by frame


@runtime_checkable
class VideoModel(Protocol):
    """Whatever follows objects through a video from what is known of them in some frames.

    It comes from `load(weights, device, required)` of a module in segmentation/propagators/, whose name is a value of
    `SegmentObjectsConfig.propagator`. Where something is missing, `load` says what, or gives None if it is not required.
    """

    name: str

    def walk(
        self, images: UInt8[np.ndarray, "frame height width rgb=3"], hints: Hints
    ) -> Iterator[tuple[int, dict[int, Float[np.ndarray, "height width"]]]]:
        """Frames in any order, each with logits of some objects; together every object in every frame once."""
        ...


def followed_ids(
    model: VideoModel, images: UInt8[np.ndarray, "frame height width rgb=3"], hints: Hints
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of all frames: the object with the highest positive logit. Given masks stay exactly as they are."""
    ids = np.zeros(images.shape[:3], np.uint8)
    best = np.zeros(images.shape[:3], np.float16)
    for t, logits in model.walk(images, hints):
        for k, logit in logits.items():
            wins = logit > best[t]
            ids[t][wins], best[t][wins] = k, logit[wins]
    for t in sorted({t for own in hints.values() for t in own}):
        given = {k: hint for k, own in hints.items() if isinstance(hint := own.get(t), np.ndarray)}
        ids[t][np.isin(ids[t], list(given))] = 0
        top = flattened(given, images.shape[1:3])
        ids[t][top > 0] = top[top > 0]
    return ids


def hints_from_ids(ids: UInt8[np.ndarray, "frame height width"], every: int) -> Hints:
    """Every object's masks on key frames, or where it is largest if it is in none of them."""
    hints: dict[int, dict[int, Hint]] = {}
    for k in (int(k) for k in np.unique(ids) if k):
        areas = (ids == k).sum((1, 2))
        keys = [t for t in range(0, len(ids), every) if areas[t] >= SMALLEST_PX] or [int(areas.argmax())]
        hints[k] = {t: ids[t] == k for t in keys}
    return hints


def by_object(given: Mapping[int, Masks]) -> Hints:
    """Masks known by frame, ordered by object. A frame that has masks, but none of an object, says that it is not there."""
    size = next(mask.shape for masks in given.values() for mask in masks.values())
    objects = sorted({k for masks in given.values() for k in masks})
    return {k: {t: masks.get(k, np.zeros(size, bool)) for t, masks in given.items()} for k in objects}


def hints_from_prompts(prompts: Sequence[Prompt]) -> Hints:
    """Clicks and boxes; all that are of one object in one frame count at once."""
    hints: dict[int, dict[int, Hint]] = {}
    for prompt in prompts:
        own = hints.setdefault(prompt.object, {})
        own[prompt.frame] = [*own.get(prompt.frame, []), prompt]
    return hints


def choose_video_model(weights: Path | None, propagator: str, device: torch.device) -> VideoModel | None:
    """The video model where it is wanted, installed and at hand; None for the flow."""
    names = {"auto": AUTO, "flow": ()}.get(propagator, (propagator,))
    loaded = (
        import_module(f"{propagators.__name__}.{name}").load(weights, device, required=propagator != "auto")
        for name in names
    )
    model: VideoModel | None = next((model for model in loaded if model), None)
    log.info("masks follow %s", model.name if model else "the flow")
    return model
