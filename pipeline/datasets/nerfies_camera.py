"""camera/ID.json of Nerfies, HyperNeRF and DyCheck.

Its axes and pixel centres are ours; `orientation` has the camera's axes in the world as rows (world to camera), `position`
is the camera's in the world. Intrinsics are of the full resolution. Its distortion is OpenCV's k1, k2, k3, p1, p2.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics, rigid
from pipeline.formats.lens import Lens, make_lens
from pipeline.formats.transforms_file import read_given_json
from pipeline.runtime.errors import StageError

SKEWED = 1e-6  # of the focal length


def read_camera(path: Path) -> tuple[Lens, Float[np.ndarray, "4 4"]]:
    """The lens of the full resolution, and world_from_camera."""
    data = read_given_json(path)
    try:
        turn, place = np.array(data["orientation"], float), np.array(data["position"], float)
        focal, (cx, cy) = float(data["focal_length"]), map(float, data["principal_point"])
        width, height = (round(float(side)) for side in data["image_size"])
        fy = focal * float(data.get("pixel_aspect_ratio", 1.0))
        radial = [*map(float, data.get("radial_distortion") or ()), 0.0, 0.0, 0.0][:3]
        # Files of the first release have the shorter name.
        tangential = data.get("tangential_distortion", data.get("tangential")) or (0.0, 0.0)
        p1, p2 = map(float, tangential)
        skew = float(data.get("skew", 0.0))
    except (KeyError, TypeError, ValueError) as error:
        raise StageError(
            f"{path} is not a camera of Nerfies ({type(error).__name__}: {error}); it needs orientation, position, "
            "focal_length, principal_point and image_size"
        ) from error
    if turn.shape != (3, 3) or place.shape != (3,):
        raise StageError(
            f"{path}: orientation must be 3x3 and position 3 numbers, they are {turn.shape}, {place.shape}"
        )
    if abs(skew) > SKEWED * focal:
        raise StageError(f"{path} has a skew of {skew:g}; cameras with skew cannot be used, rectify the images first")
    k1, k2, k3 = radial
    if any((*radial, p1, p2)):
        params = [focal, fy, cx, cy, k1, k2, p1, p2, k3, 0.0, 0.0, 0.0]
        lens = make_lens("FULL_OPENCV", params, width, height, str(path))
    else:
        lens = make_lens("PINHOLE", [focal, fy, cx, cy], width, height, str(path))
    return lens, rigid(turn.T, place)


def camera_values(camera: Intrinsics, world_from_camera: Float[np.ndarray, "4 4"]) -> dict[str, Any]:
    """A pinhole camera as such a file holds it."""
    return {
        "orientation": world_from_camera[:3, :3].T.tolist(),
        "position": world_from_camera[:3, 3].tolist(),
        "focal_length": camera.fx,
        "principal_point": [camera.cx, camera.cy],
        "image_size": [camera.width, camera.height],
        "skew": 0.0,
        "pixel_aspect_ratio": camera.fy / camera.fx,
        "radial_distortion": [0.0, 0.0, 0.0],
        "tangential_distortion": [0.0, 0.0],
    }


def write_camera(path: Path, camera: Intrinsics, world_from_camera: Float[np.ndarray, "4 4"]) -> None:
    """Write a pinhole camera."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(camera_values(camera, world_from_camera), indent=1))
