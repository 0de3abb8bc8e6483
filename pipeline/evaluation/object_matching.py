"""Which estimated object is which true one, and how well their masks agree over a clip."""

import cv2
import numpy as np
from jaxtyping import UInt8
from scipy.optimize import linear_sum_assignment

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.evaluation.image_metrics import intersection_over_union, overlap_counts


def match_objects(
    ids: UInt8[np.ndarray, "frame height width"], target: UInt8[np.ndarray, "frame height width"]
) -> dict[int, int]:
    """Estimated id -> true id: the one-to-one choice with the largest sum of IoUs over the clip; 0 is always 0."""
    judged = target != IGNORE_ID
    iou = intersection_over_union(overlap_counts(ids[judged], target[judged]))
    estimated = [int(value) for value in np.unique(ids) if value not in (BACKGROUND_ID, IGNORE_ID)]
    true = [int(value) for value in np.unique(target) if value not in (BACKGROUND_ID, IGNORE_ID)]
    rows, columns = linear_sum_assignment(-iou[np.ix_(true, estimated)])
    pairs = {estimated[c]: true[r] for r, c in zip(rows, columns, strict=True) if iou[true[r], estimated[c]] > 0}
    return {BACKGROUND_ID: BACKGROUND_ID, **pairs}


def in_true_ids(ids: UInt8[np.ndarray, "*batch"], matching: dict[int, int]) -> UInt8[np.ndarray, "*batch"]:
    """Estimated ids renamed to the true ones; an unmatched object keeps a number that no true one has."""
    table = np.arange(256, dtype=np.uint8)
    taken = set(matching.values()) | {IGNORE_ID}
    free = iter(value for value in range(254, 0, -1) if value not in taken)
    for value in range(255):
        table[value] = matching[value] if value in matching else next(free, IGNORE_ID)
    return table[ids]


def object_ious(
    ids: UInt8[np.ndarray, "frame height width"], target: UInt8[np.ndarray, "frame height width"]
) -> dict[int, float]:
    """True id -> IoU, averaged over the frames in which that object is; both maps have the true ids."""
    found: dict[int, list[float]] = {int(value): [] for value in np.unique(target) if value != IGNORE_ID}
    for frame_ids, frame_target in zip(ids, target, strict=True):
        iou = intersection_over_union(overlap_counts(frame_ids, frame_target))
        for value in np.unique(frame_target):
            if value != IGNORE_ID:
                found[int(value)].append(float(iou[value, value]))
    return {value: float(np.mean(ious)) for value, ious in found.items()}


def id_switches(
    ids: UInt8[np.ndarray, "frame height width"], target: UInt8[np.ndarray, "frame height width"]
) -> dict[int, int]:
    """True id -> how often the estimated object that covers most of it changes; frames without cover are left out."""
    owners: dict[int, list[int]] = {int(v): [] for v in np.unique(target) if v not in (BACKGROUND_ID, IGNORE_ID)}
    for frame_ids, frame_target in zip(ids, target, strict=True):
        counts = overlap_counts(frame_ids, frame_target)
        for value, seen in owners.items():
            cover = counts[value].copy()
            cover[[BACKGROUND_ID, IGNORE_ID]] = 0
            if cover.any():
                seen.append(int(cover.argmax()))
    return {value: int(np.count_nonzero(np.diff(seen))) if len(seen) > 1 else 0 for value, seen in owners.items()}


def resized_ids(
    ids: UInt8[np.ndarray, "frame height width"], height: int, width: int
) -> UInt8[np.ndarray, "frame new_height new_width"]:
    """Label maps at another size, each pixel from the nearest one."""
    if ids.shape[1:] == (height, width):
        return ids
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) for frame in ids])
