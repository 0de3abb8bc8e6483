"""From clicks and boxes to masks: a hint takes the moving region under it, or is cut out by colour and carried on."""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.config import Prompt
from pipeline.correspondence.flow_chain import FlowChain, warped_from
from pipeline.runtime.errors import StageError
from pipeline.segmentation.grabcut import cut_object, grab_cut
from pipeline.segmentation.tubes import disk

CLICK_SHARE = 0.02  # of the image's diagonal: radius around a click that is surely the object
SEARCH_SHARE = 0.2  # of it: how far from a click an object may reach
SMALLEST_PX = 12


def check_prompts(prompts: list[Prompt], shape: tuple[int, int, int]) -> None:
    """Refuse hints that lie outside the video, hints without a place, and two things under one id."""
    count, height, width = shape
    check_ids(prompts)
    for prompt in prompts:
        name = f"prompt of object {prompt.object} on frame {prompt.frame}"
        if prompt.frame >= count:
            raise StageError(f"{name}: the scene has {count} frames (0 to {count - 1}); choose one of them")
        if not prompt.points and prompt.box is None:
            raise StageError(f"{name} has neither points nor a box; give one of them")
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


def prompted_tubes(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    prompts: list[Prompt],
) -> UInt8[np.ndarray, "frame height width"]:
    """A tube for every prompted object, under the object's own id."""
    result = np.zeros_like(tubes)
    for k in sorted({prompt.object for prompt in prompts}):
        own = [prompt for prompt in prompts if prompt.object == k]
        moving = {region for prompt in own if (region := region_under(tubes[prompt.frame], prompt))}
        mask = np.isin(tubes, sorted(moving)) if moving else carried_mask(images, chain, own)
        result[mask & (result == 0)] = k
    return result


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


def carried_mask(
    images: UInt8[np.ndarray, "frame height width rgb=3"], chain: FlowChain, prompts: list[Prompt]
) -> Bool[np.ndarray, "frame height width"]:
    """A mask from hints, carried to the other frames by the flow, forwards and backwards, and cut out again in each."""
    given = {prompt.frame: mask_from_hint(images[prompt.frame], prompt) for prompt in prompts}
    masks = np.zeros(images.shape[:3], bool)
    for t, mask in given.items():
        masks[t] = mask
    first = min(given)
    for t in range(first + 1, len(images)):
        if t not in given:
            masks[t] = carried_on(images[t], masks[t - 1], chain, t, -1)
    for t in range(first - 1, -1, -1):
        masks[t] = carried_on(images[t], masks[t + 1], chain, t, 1)
    return masks


def carried_on(
    image: UInt8[np.ndarray, "height width rgb=3"],
    mask: Bool[np.ndarray, "height width"],
    chain: FlowChain,
    frame: int,
    direction: int,
) -> Bool[np.ndarray, "height width"]:
    """A neighbour's mask, brought here and put on the edges."""
    moved = warped_from(mask.astype(np.float32), chain, frame, direction)[0] > 0.5
    if moved.sum() < SMALLEST_PX:
        return np.zeros_like(moved)
    return cut_object(image, moved, np.zeros_like(moved), np.zeros_like(moved), 0.08)


def mask_from_hint(image: UInt8[np.ndarray, "height width rgb=3"], prompt: Prompt) -> Bool[np.ndarray, "height width"]:
    """GrabCut from points and a box in one frame."""
    height, width = image.shape[:2]
    diagonal = float(np.hypot(height, width))
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    if prompt.box is not None:
        x0, y0, x1, y1 = (round(v) for v in prompt.box)
        labels[y0:y1, x0:x1] = cv2.GC_PR_FGD
    else:
        for point in prompt.points:
            labels[around(point, SEARCH_SHARE * diagonal, labels.shape)] = cv2.GC_PR_BGD
        for point in prompt.points:
            near = around(point, SEARCH_SHARE * diagonal / 3, labels.shape)
            labels[near & (labels == cv2.GC_PR_BGD)] = cv2.GC_PR_FGD
    for point, label in zip(prompt.points, prompt.labels or [1] * len(prompt.points), strict=True):
        labels[around(point, CLICK_SHARE * diagonal, labels.shape)] = cv2.GC_FGD if label else cv2.GC_BGD
    inside = grab_cut(image, labels, 5)
    return cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, disk(1)) > 0


def around(point: tuple[float, float], radius: float, shape: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    """Pixels within a radius of a point."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (columns + 0.5 - point[0]) ** 2 + (rows + 0.5 - point[1]) ** 2 <= max(radius, 1.0) ** 2


def pixel(point: tuple[float, float], shape: tuple[int, ...]) -> tuple[int, int]:
    """Row and column of the pixel that holds a point."""
    return min(int(point[1]), shape[0] - 1), min(int(point[0]), shape[1] - 1)
