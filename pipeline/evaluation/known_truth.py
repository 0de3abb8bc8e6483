"""Truth as a scene is judged by it: which object is which, and which pixels of the video show which."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.evaluation.object_matching import match_objects, resized_ids
from pipeline.formats.scene_file import Scene
from pipeline.truth.alignment import TruthAlignment, align_to_truth
from pipeline.truth.truth_file import Truth

NO_TRUTH = "there is no truth to judge by"


@dataclass(frozen=True)
class KnownTruth:
    """Truth, and how the scene relates to it: frames and world, and estimated id -> true id."""

    truth: Truth
    alignment: TruthAlignment
    matching: dict[int, int]
    frame_ids: UInt8[np.ndarray, "frame height width"]


def known_truth(
    scene: Scene, info: dict[str, Any], object_ids: UInt8[np.ndarray, "frame height width"], truth: Truth
) -> KnownTruth:
    """Relate truth, in the scene's picture as the ids are, to what was estimated."""
    alignment = align_to_truth(scene, info, truth)
    frame_ids = true_frame_ids(truth, alignment, object_ids.shape[1:])
    return KnownTruth(truth, alignment, match_objects(object_ids, frame_ids), frame_ids)


def known_in_frames(known: KnownTruth, object_ids: UInt8[np.ndarray, "frame height width"], truth: Truth) -> KnownTruth:
    """The same with truth in another picture, that of `object_ids`; objects are matched there anew."""
    frame_ids = true_frame_ids(truth, known.alignment, object_ids.shape[1:])
    return replace(known, truth=truth, matching=match_objects(object_ids, frame_ids), frame_ids=frame_ids)


def true_frame_ids(
    truth: Truth, alignment: TruthAlignment, size: tuple[int, ...]
) -> UInt8[np.ndarray, "frame height width"]:
    """True ids of the frames at (height, width), unknown frames ignored."""
    true_ids = resized_ids(truth.train.object_ids, *size)
    frame_ids = np.where((alignment.rows >= 0)[:, None, None], true_ids[alignment.rows.clip(0)], IGNORE_ID)
    return frame_ids.astype(np.uint8)


def truth_notes(scene: Scene, known: KnownTruth | None) -> dict[str, Any] | None:
    """What the report says of truth: which object is which, and the true scales in the scene's units."""
    if known is None:
        return None
    scales = zip((int(entry["id"]) for entry in scene.objects), known.alignment.true_scales.tolist(), strict=True)
    return {
        "matching": {str(estimated): true for estimated, true in known.matching.items()},
        "true_scales": {str(identity): scale if np.isfinite(scale) else None for identity, scale in scales},
        "frames": int((known.alignment.rows >= 0).sum()),
        "protocol": known.truth.protocol,
        "unknown": known.truth.unknown_words,
    }
