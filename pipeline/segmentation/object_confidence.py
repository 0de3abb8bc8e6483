"""How sure one can be of an object: how long and how clearly it moves, and how large it is."""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

CLEAR_RESIDUAL = 0.5  # mean along the flow; noise rarely reaches it over a whole region
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
    prompted: bool,
) -> list[dict[str, Any]]:
    """objects.json, the background first."""
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
        confidence = round(1.0 if prompted else clear * lasting, 3)
        rows.append({"id": k, "name": names.get(k, f"object {k}"), "evidence": found, "confidence": confidence})
    return rows


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
