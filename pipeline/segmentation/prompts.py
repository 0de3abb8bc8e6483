"""From clicks and boxes to masks: a hint takes the moving region under it, or what stands out there and is carried on.

Clicks are obeyed: a clicked pixel is its object's in that frame, two clicked things are two, a click beside is outside.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.config import Prompt
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.runtime.errors import StageError
from pipeline.segmentation.boundary_refinement import box_around
from pipeline.segmentation.carrying import carried_ids
from pipeline.segmentation.grabcut import cut_object, grab_cut
from pipeline.segmentation.morphology import disk
from pipeline.segmentation.object_confidence import contrast
from pipeline.segmentation.propagation import Masks

CLICK_SHARE = 0.02  # of the image's diagonal: radius around a click that is surely the object
SEARCH_SHARE = 0.25  # of it: how far from a click one looks at most
WORKING_PX = 24.0  # where one looks farther, the picture is reduced to this radius
NEAREST_PX, STEP = 4.0, 1.45  # how far one looks at first, and how much farther each time
FILLED = 0.35  # least area of what is found, as a share of the square of the radius: less is a part
CLICKED_PX = 2.0  # around a click, which belong to its object in the end


def check_prompts(prompts: list[Prompt], shape: tuple[int, int, int]) -> None:
    """Refuse hints that lie outside the video, two things under one id, and a text that comes twice."""
    count, height, width = shape
    texts = [prompt.text for prompt in prompts if prompt.text is not None]
    if twice := [text for text in texts if texts.count(text) > 1]:
        raise StageError(f'two prompts have the text "{twice[0]}"; one finds all things that are called so')
    clicks = [prompt for prompt in prompts if prompt.text is None]
    check_ids(clicks)
    for prompt in clicks:
        name = f"prompt of object {prompt.object} on frame {prompt.frame}"
        if prompt.frame >= count:
            raise StageError(f"{name}: the scene has {count} frames (0 to {count - 1}); choose one of them")
        if prompt.labels and len(prompt.labels) != len(prompt.points):
            raise StageError(f"{name} has {len(prompt.points)} points and {len(prompt.labels)} labels; give as many")
        if prompt.labels and not any(prompt.labels) and prompt.box is None:
            raise StageError(f"{name} has only points beside the object (label 0); click the object too")
        if prompt.box is not None and not (prompt.box[0] < prompt.box[2] and prompt.box[1] < prompt.box[3]):
            raise StageError(
                f"{name}: the box {prompt.box} is empty; a box is x0, y0, x1, y1: left, top, right, bottom"
            )
        corners = [prompt.box[:2], prompt.box[2:]] if prompt.box else []
        for x, y in [*prompt.points, *corners]:
            if not (0 <= x <= width and 0 <= y <= height):
                raise StageError(f"{name}: ({x:g}, {y:g}) is outside the frames, which are {width}x{height}")


def check_ids(prompts: list[Prompt]) -> None:
    """Refuse two things under one id."""
    seen: set[tuple[int, int]] = set()
    names: dict[int, str] = {}
    for prompt in prompts:
        k, frame = prompt.object, prompt.frame
        if (k, frame) in seen:
            raise StageError(
                f"object {k} has two prompts on frame {frame}; put all its points into one, or give each thing its own id"
            )
        seen.add((k, frame))
        if prompt.name and names.setdefault(k, prompt.name) != prompt.name:
            raise StageError(
                f"object {k} is called {names[k]} and {prompt.name}; give it one name, or each thing its own id"
            )


@dataclass(frozen=True)
class Prompted:
    """What prompts point at: ids of tubes that moved as a whole, and of things carried on from frame to frame."""

    tubes: UInt8[np.ndarray, "frame height width"]
    carried: UInt8[np.ndarray, "frame height width"]

    def joined(self, refined: UInt8[np.ndarray, "frame height width"]) -> UInt8[np.ndarray, "frame height width"]:
        """Ids of all, with tubes whose borders were refined; what was pointed at more narrowly lies on top."""
        return np.where(self.carried > 0, self.carried, refined)


def prompted_objects(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    prompts: list[Prompt],
) -> Prompted:
    """Every prompted object under its own id: the tube under its clicks, if it is nothing else's; else what stands out."""
    objects = sorted({prompt.object for prompt in prompts})
    moving = {k: whole_tubes(tubes, k, prompts) for k in objects}
    taken = np.zeros_like(tubes)
    for k in objects:
        taken[np.isin(tubes, sorted(moving[k])) & (taken == 0)] = k
    given: dict[int, Masks] = {}
    for prompt in (prompt for prompt in prompts if not moving[prompt.object]):
        mask = mask_from_hint(images[prompt.frame], prompt, beside=others_clicks(prompt, prompts))
        given.setdefault(prompt.frame, {})[prompt.object] = mask
    return Prompted(taken, carried_ids(images, chain, given))


def whole_tubes(tubes: UInt8[np.ndarray, "frame height width"], k: int, prompts: list[Prompt]) -> set[int]:
    """The tubes that an object's prompts point at; none if a click says that one of them is not, or not only, the object."""
    own = {region for prompt in prompts if prompt.object == k and (region := region_under(tubes[prompt.frame], prompt))}
    for prompt in prompts:
        for point, label in zip(prompt.points, prompt.labels or [1] * len(prompt.points), strict=True):
            if tubes[prompt.frame][pixel(point, tubes.shape[1:])] in own and bool(label) != (prompt.object == k):
                return set()
    return own


def others_clicks(prompt: Prompt, prompts: list[Prompt]) -> list[tuple[float, float]]:
    """Places of a prompt's frame at which other objects are."""
    return [
        point
        for other in prompts
        if other.frame == prompt.frame and other.object != prompt.object
        for point, label in zip(other.points, other.labels or [1] * len(other.points), strict=True)
        if label
    ]


def region_under(tubes: UInt8[np.ndarray, "height width"], prompt: Prompt) -> int:
    """The moving region that a hint points at; 0 where there is none."""
    wanted = [
        tubes[pixel(point, tubes.shape)]
        for point, label in zip(prompt.points, prompt.labels or [1] * len(prompt.points), strict=True)
        if label
    ]
    if prompt.box is not None:
        x0, y0, x1, y1 = (round(v) for v in prompt.box)
        inside = tubes[y0:y1, x0:x1]
        ids, counts = np.unique(inside[inside > 0], return_counts=True)
        fits = [k for k, n in zip(ids, counts, strict=True) if n > 0.7 * (tubes == k).sum() and n > 0.2 * inside.size]
        wanted += fits[:1]
    wanted = [int(k) for k in wanted if k]
    return max(set(wanted), key=wanted.count) if wanted else 0


def mask_from_hint(
    image: UInt8[np.ndarray, "height width rgb=3"], prompt: Prompt, beside: Sequence[tuple[float, float]] = ()
) -> Bool[np.ndarray, "height width"]:
    """What a hint points at in one frame; `beside`: places that are not the object, as clicks with label 0 are."""
    labelled = list(zip(prompt.points, prompt.labels or [1] * len(prompt.points), strict=True))
    on = [point for point, label in labelled if label]
    beside = [*beside, *(point for point, label in labelled if not label)]
    mask = cut_in_box(image, prompt.box, on, beside) if prompt.box is not None else stable_mask(image, on, beside)
    return with_clicks(mask, on, beside)


def cut_in_box(
    image: UInt8[np.ndarray, "height width rgb=3"],
    box: tuple[float, float, float, float],
    on: Sequence[tuple[float, float]],
    beside: Sequence[tuple[float, float]],
) -> Bool[np.ndarray, "height width"]:
    """What stands out within a box."""
    labels = np.full(image.shape[:2], cv2.GC_BGD, np.uint8)
    x0, y0, x1, y1 = (round(v) for v in box)
    labels[y0:y1, x0:x1] = cv2.GC_PR_FGD
    seed_clicks(labels, on, beside, CLICK_SHARE * math.hypot(*labels.shape))
    inside = grab_cut(image, labels, 5)
    return cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, disk(1)) > 0


def stable_mask(
    image: UInt8[np.ndarray, "height width rgb=3"],
    on: Sequence[tuple[float, float]],
    beside: Sequence[tuple[float, float]],
) -> Bool[np.ndarray, "height width"]:
    """What stands out around clicks, at the scale at which it depends least on how far one looks.

    A click says where a thing is and not how large. Where one looks too near, a part is cut out; where too far, all
    that has its colours; in between the cut stays on the thing's border (as of maximally stable regions; Matas, 2002).
    """
    apart = nearest_px(on, image.shape)
    radius, farthest = NEAREST_PX, SEARCH_SHARE * float(np.hypot(*image.shape[:2]))
    best, most, reduced = np.zeros(image.shape[:2], bool), 0.0, 1.0
    before = cut_around(image, on, beside, apart, radius)
    while (radius := radius * STEP) < farthest:
        mask = cut_around(image, on, beside, apart, radius)
        sure = overlap(before, mask) * contrast(image, mask)
        if mask.sum() >= FILLED * radius**2 and sure > most:
            best, most, reduced = mask, sure, radius / WORKING_PX
        before = mask
    if reduced <= 1:
        return best
    nothing = np.zeros_like(best)
    return cut_object(image, best, nothing, nothing, 2 * reduced / float(np.sqrt(best.sum())))


def cut_around(
    image: UInt8[np.ndarray, "height width rgb=3"],
    on: Sequence[tuple[float, float]],
    beside: Sequence[tuple[float, float]],
    apart: Float[np.ndarray, "height width"],
    radius: float,
) -> Bool[np.ndarray, "height width"]:
    """What stands out within twice a radius of the clicks and hangs together with them."""
    labels = np.full(apart.shape, cv2.GC_BGD, np.uint8)
    labels[apart <= 2 * radius] = cv2.GC_PR_BGD
    labels[apart <= radius] = cv2.GC_PR_FGD
    seed_clicks(labels, on, beside, radius / 4)
    window = box_around(apart <= 2 * radius, int(radius) + 4)
    inside = np.zeros(apart.shape, np.uint8)
    inside[window] = reduced_cut(image[window], labels[window], min(1.0, WORKING_PX / radius))
    parts = cv2.connectedComponents(cv2.morphologyEx(inside, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)))[1]
    clicked = {int(parts[pixel(point, parts.shape)]) for point in on} - {0}
    return np.isin(parts, sorted(clicked))


def reduced_cut(
    image: UInt8[np.ndarray, "height width rgb=3"], labels: UInt8[np.ndarray, "height width"], factor: float
) -> Bool[np.ndarray, "height width"]:
    """GrabCut on a smaller picture: of a large thing the colours count, not every pixel, and a person waits for it."""
    height, width = labels.shape
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    inside = grab_cut(small, cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), 4)
    return cv2.resize(inside.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def seed_clicks(
    labels: UInt8[np.ndarray, "height width"],
    on: Sequence[tuple[float, float]],
    beside: Sequence[tuple[float, float]],
    radius: float,
) -> None:
    """Mark what is surely on and surely beside the object; half the way to a click of the other kind at most."""
    for own, other, label in ((on, beside, cv2.GC_FGD), (beside, on, cv2.GC_BGD)):
        for point in own:
            room = min((float(np.hypot(point[0] - x, point[1] - y)) / 2 for x, y in other), default=radius)
            labels[around(point, min(radius, room), labels.shape)] = label


def with_clicks(
    mask: Bool[np.ndarray, "height width"], on: Sequence[tuple[float, float]], beside: Sequence[tuple[float, float]]
) -> Bool[np.ndarray, "height width"]:
    """A mask that has the clicked pixels, and a few around each, and leaves out those beside the object."""
    labels = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seed_clicks(labels, on, beside, CLICKED_PX)
    for points, label in ((on, cv2.GC_FGD), (beside, cv2.GC_BGD)):
        for point in points:
            labels[pixel(point, labels.shape)] = label
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def obeyed(
    ids: UInt8[np.ndarray, "frame height width"], prompts: list[Prompt]
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids in which every click holds in its frame, whatever flow and colours say."""
    result = ids.copy()
    for prompt in prompts:
        labelled = list(zip(prompt.points, prompt.labels or [1] * len(prompt.points), strict=True))
        beside = [*others_clicks(prompt, prompts), *(point for point, label in labelled if not label)]
        own = result[prompt.frame] == prompt.object
        wanted = with_clicks(own, [point for point, label in labelled if label], beside)
        result[prompt.frame][own & ~wanted] = 0
        result[prompt.frame][wanted & ~own] = prompt.object
    return result


def overlap(first: Bool[np.ndarray, "height width"], second: Bool[np.ndarray, "height width"]) -> float:
    """Intersection over union."""
    return float((first & second).sum() / max((first | second).sum(), 1))


def nearest_px(points: Sequence[tuple[float, float]], shape: tuple[int, ...]) -> Float[np.ndarray, "height width"]:
    """How far every pixel is from the nearest of some points."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return reduce(np.minimum, (np.hypot(columns + 0.5 - x, rows + 0.5 - y) for x, y in points)).astype(np.float32)


def around(point: tuple[float, float], radius: float, shape: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    """Pixels within a radius of a point."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (columns + 0.5 - point[0]) ** 2 + (rows + 0.5 - point[1]) ** 2 <= max(radius, 1.0) ** 2


def pixel(point: tuple[float, float], shape: tuple[int, ...]) -> tuple[int, int]:
    """Row and column of the pixel that holds a point."""
    return min(int(point[1]), shape[0] - 1), min(int(point[0]), shape[1] - 1)
