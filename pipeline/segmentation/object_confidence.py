"""How sure one can be of an object: how long and how clearly it moves, and how large it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.config import Prompt
from pipeline.segmentation.colour_histogram import colour_histogram, similarity
from pipeline.segmentation.morphology import disk

CLEAR_RESIDUAL = 0.5  # mean along the flow; noise rarely reaches it over a whole region
CLEAR_EDGE = 5.0  # levels of Lab a pixel
FEWEST_FRAMES, FEWEST_SHARE = 4, 0.12


def kept_objects(
    ids: UInt8[np.ndarray, "frame height width"],
    residual: Float[np.ndarray, "frame height width"],
    smallest_share: float,
    most: int,
) -> UInt8[np.ndarray, "frame height width"]:
    """The objects that are long, large and clear enough, the most evident ones, numbered 1, 2, ... in that order."""
    weights = {}
    for k in (int(k) for k in np.unique(ids) if k):
        mask = ids == k
        frames = mask.any((1, 2))
        long_enough = frames.sum() >= min(len(ids), max(FEWEST_FRAMES, FEWEST_SHARE * len(ids)))
        if long_enough and mask.mean() >= smallest_share and residual[mask].mean() > CLEAR_RESIDUAL:
            weights[k] = float(np.maximum(residual[mask], 0).sum())
    table = np.zeros(256, np.uint8)
    for rank, k in enumerate(sorted(weights, key=lambda k: -weights[k])[:most], start=1):
        table[k] = rank
    return table[ids]


def object_rows(
    ids: UInt8[np.ndarray, "frame height width"],
    residual: Float[np.ndarray, "frame height width"],
    names: dict[int, str],
    moves: dict[int, float],
    held: Mapping[int, float] | None = None,
    steady: Mapping[int, float] | None = None,
) -> list[dict[str, Any]]:
    """objects.json, the background first; `held`: how sure prompted objects are, whether they move or not.

    `steady`: how far the masks of the others keep their size and colours (see `steadiness`).
    """
    rows: list[dict[str, Any]] = [
        {
            "id": 0,
            "name": "background",
            "evidence": {"frames": len(ids), "area_percent": float(100 * (ids == 0).mean())},
            "confidence": 1.0,
        }
    ]
    for k in (int(k) for k in np.unique(ids) if k not in (0, 255)):
        found = motion_facts(ids == k, residual)
        if k in moves:
            found["own_motion"] = round(moves[k], 3)
        clear = 1 - float(np.exp(-max(found["residual"], 0) / CLEAR_RESIDUAL))
        lasting = min(1.0, found["frames_moving"] / max(0.5 * len(ids), 1))
        if steady is not None:
            found["steadiness"] = round(steady[k], 3)
        confidence = round(clear * lasting * found.get("steadiness", 1.0) if held is None else held[k], 3)
        rows.append({"id": k, "name": names.get(k, f"object {k}"), "evidence": found, "confidence": confidence})
    return rows


def held_confidence(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    prompts: Sequence[Prompt],
) -> dict[int, float]:
    """How sure the masks of prompted objects are: they stay like what was pointed at, keep their size, end at edges."""
    found = {}
    for k in sorted({int(k) for k in np.unique(ids) if k not in (BACKGROUND_ID, IGNORE_ID)}):
        frames = np.flatnonzero((ids == k).any((1, 2))).tolist()
        pointed = [prompt.frame for prompt in prompts if prompt.object == k and prompt.frame in frames]
        start = pointed[0] if pointed else frames[0]
        known = colour_histogram(images[start], ids[start] == k)
        areas = (ids[frames] == k).sum((1, 2)).astype(float)
        steps = np.minimum(areas[1:] / areas[:-1], areas[:-1] / areas[1:])
        alike = [similarity(known, colour_histogram(images[t], ids[t] == k)) for t in frames]
        sure = np.mean(alike) * np.mean(np.append(steps, 1.0)) * contrast(images[start], ids[start] == k)
        found[k] = min(1.0, float(sure))
    return found


def steadiness(
    images: UInt8[np.ndarray, "frame height width rgb=3"], ids: UInt8[np.ndarray, "frame height width"]
) -> dict[int, float]:
    """For each object the share of its size and colours that lasts over three frames, as a mean.

    What is one thing changes slowly from frame to frame, also while it is hidden or turns; a mask that jumps from one thing to
    another, or takes in parts of the floor, does not. At the image's border size says nothing.
    """
    result = {}
    for k in (int(k) for k in np.unique(ids) if k not in (BACKGROUND_ID, IGNORE_ID)):
        frames = np.flatnonzero((ids == k).any((1, 2))).tolist()
        looks = {t: colour_histogram(images[t], ids[t] == k) for t in frames}
        kept = []
        for before, after in ((t, t + 1) for t in frames if t + 1 in looks):
            masks = ids[[before, after]] == k
            areas = masks.sum((1, 2))
            cut = masks[:, [0, -1]].any() or masks[:, :, [0, -1]].any()
            kept.append(similarity(looks[before], looks[after]) * (1.0 if cut else areas.min() / areas.max()))
        result[k] = min(1.0, float(np.mean(kept))) ** 3 if kept else 1.0
    return result


def contrast(image: UInt8[np.ndarray, "height width rgb=3"], mask: Bool[np.ndarray, "height width"]) -> float:
    """How clearly colours change at a mask's border: 0 for not at all, towards 1."""
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 0.7)
    slopes = [cv2.Sobel(lab, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1))]
    border = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, disk(1)) > 0
    steep = np.linalg.norm(np.concatenate(slopes, axis=-1), axis=-1)[border]
    return 1 - float(np.exp(-steep.mean() / CLEAR_EDGE)) if steep.size else 0.0


def motion_facts(mask: np.ndarray, residual: Float[np.ndarray, "frame height width"]) -> dict[str, int | float]:
    """Frames in which an object is seen and moves, its mean residual along the flow, its mean area where it is seen."""
    frames = np.flatnonzero(mask.any((1, 2)))
    moving = [t for t in frames if np.median(residual[t][mask[t]]) > 0]
    return {
        "frames": len(frames),
        "frames_moving": len(moving),
        "residual": round(float(residual[mask].mean()), 3),
        "area_percent": round(float(100 * mask[frames].mean()), 3),
    }
