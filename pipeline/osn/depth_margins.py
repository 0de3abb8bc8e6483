"""How far an object may be from where its poses say, frame by frame: what is certain of scales must hold all over that."""

from typing import Any

import numpy as np
from jaxtyping import Float

SIGMAS = 2.0
UNKNOWN = 1e3  # times its depth: nothing is certain beside such an object


def depth_margins(objects: list[dict[str, Any]]) -> Float[np.ndarray, "object"]:
    """By what share of it each of a scene's objects may be off in its depth in a frame: two of its standard deviations.

    The background is what all others are measured by; of what has no model, flat pictures, no depth is known.
    """
    stated = [entry.get("depth_std_percent") for entry in objects[1:]]
    return np.array([0.0, *(UNKNOWN if std is None else SIGMAS * std / 100 for std in stated)], np.float32)
