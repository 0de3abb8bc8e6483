"""From things that a model finds by their name, frame by frame, to objects: which get an id, and what they are called."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.config import Prompt
from pipeline.segmentation.propagation import SMALLEST_PX

MOST_IDS = 254
SAME = 0.5  # intersection over union from which on two instances of one text are one thing


@dataclass(frozen=True)
class Instance:
    """One thing in one frame: its number, the same in all frames; which text it is of; how sure it is; and where."""

    number: int
    text: int
    score: float
    mask: Bool[np.ndarray, "height width"]


@dataclass
class Sighting:
    """What is known of a thing over all frames: which text it is of, where it is first seen, and how many pixels show it.

    `doubled` counts those of its `frames` in which a surer one of the same text is at the same place.
    """

    text: int
    first: tuple[int, float]  # frame, and column of its middle
    area: int = 0
    frames: int = 0
    doubled: int = 0


@dataclass(frozen=True)
class TextObjects:
    """Ids of all frames, names by id, and what a person should know."""

    object_ids: UInt8[np.ndarray, "frame height width"]
    names: dict[int, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def text_objects(
    found: Iterable[tuple[int, list[Instance]]],
    texts: Sequence[Prompt],
    shape: tuple[int, int, int],
    taken: Iterable[int],
    most: int,
) -> TextObjects:
    """Objects of all texts, at most so many: those that show most pixels.

    Ids are the lowest that clicks have not `taken`: text by text, of one text in the order in which its things appear, in one
    frame from left to right. Where two things overlap, the surer one counts; what is mostly where a surer one of the same
    text is, is that one.
    """
    numbers, seen = painted(found, shape)
    large = [n for n, one in seen.items() if one.area >= SMALLEST_PX and 2 * one.doubled < one.frames]
    kept = sorted(large, key=lambda number: -seen[number].area)[:most]
    order = sorted(kept, key=lambda number: (seen[number].text, *seen[number].first))
    free = [k for k in range(1, MOST_IDS + 1) if k not in set(taken)]
    id_of = dict(zip(order, free, strict=False))
    table = np.zeros(max(seen, default=0) + 1, np.uint8)
    for number, k in id_of.items():
        table[number] = k
    return TextObjects(
        table[numbers],
        names_of({k: seen[number].text for number, k in id_of.items()}, texts),
        text_warnings(texts, [seen[number].text for number in large], [seen[number].text for number in kept]),
    )


def painted(
    found: Iterable[tuple[int, list[Instance]]], shape: tuple[int, int, int]
) -> tuple[np.ndarray, dict[int, Sighting]]:
    """The thing that each pixel of each frame shows, by its number from 1 on, and what is known of each."""
    numbers = np.zeros(shape, np.int32)
    seen: dict[int, Sighting] = {}
    for frame, instances in found:
        for one in sorted(instances, key=lambda one: one.score):
            numbers[frame][one.mask] = one.number
        for one in instances:
            own = numbers[frame] == one.number
            if not own.any():
                continue
            first = (frame, float(np.nonzero(own)[1].mean()))
            sighting = seen.setdefault(one.number, Sighting(one.text, first))
            sighting.first = min(sighting.first, first)
            sighting.area += int(own.sum())
            sighting.frames += 1
            sighting.doubled += is_double(one, instances)
    return numbers, seen


def is_double(one: Instance, instances: Sequence[Instance]) -> bool:
    """Whether a surer instance of the same text is at the same place; networks without non-maximum suppression give such."""
    surer = [other.mask for other in instances if other.text == one.text and other.score > one.score]
    return any((one.mask & mask).sum() > SAME * (one.mask | mask).sum() for mask in surer)


def names_of(text_of: dict[int, int], texts: Sequence[Prompt]) -> dict[int, str]:
    """The text's name, or the text; several of one text are numbered."""
    names: dict[int, str] = {}
    counts: dict[int, int] = {}
    for k, text in text_of.items():
        title = texts[text].name or texts[text].text or ""
        counts[text] = counts.get(text, 0) + 1
        several = list(text_of.values()).count(text) > 1
        names[k] = f"{title} {counts[text]}" if several else title
    return names


def text_warnings(texts: Sequence[Prompt], found: Sequence[int], kept: Sequence[int]) -> list[str]:
    """What has no object, and what was found and left out."""
    warnings = []
    for number, prompt in enumerate(texts):
        count, left = found.count(number), found.count(number) - kept.count(number)
        if not count:
            warnings.append(f'nothing was found that is called "{prompt.text}": take another word, or click on it')
        elif left:
            warnings.append(
                f'of {count} things that are called "{prompt.text}", {left} that show fewest pixels are left out: raise '
                "segment_objects.max_objects to keep them"
            )
    return warnings
