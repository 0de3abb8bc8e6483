"""transforms.json: cameras as nerfstudio reads and writes them; OSN and NeRF use it with other names for the focal length.

The only place that knows its conventions: cameras look along -z with y up, intrinsics and pixel centres are ours.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.formats.frames_folder import read_json
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")


@dataclass(frozen=True)
class NamedPoses:
    """Poses of a camera by the names of its images; no camera where only the focal length's relation is unknown."""

    names: list[str]
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    camera: Intrinsics | None
    distorted: bool


def read_transforms(path: Path) -> NamedPoses:
    """The cameras of a transforms.json."""
    data = read_json(path)
    try:
        entries = sorted(data["frames"], key=lambda entry: str(entry["file_path"]))
        matrices = np.array([entry["transform_matrix"] for entry in entries], dtype=float)
        names = [str(entry["file_path"]) for entry in entries]
        cameras = {transforms_camera({**data, **entry}) for entry in entries}
    except (KeyError, TypeError, ValueError) as error:
        raise StageError(
            f"{path} is not a transforms.json ({type(error).__name__}: {error}); it needs `frames`, each with "
            "`file_path` and a 4x4 `transform_matrix`"
        ) from error
    if matrices.ndim != 3 or matrices.shape[1:] != (4, 4):
        raise StageError(f"{path}: transform_matrix must be 4x4, the file's are {matrices.shape[1:]}")
    distorted = any(abs(float({**data, **entry}.get(key, 0.0))) > 1e-4 for entry in entries for key in DISTORTION)
    return NamedPoses(names, matrices @ OPENGL_FROM_OPENCV, the_camera(path, cameras), distorted)


def the_camera(path: Path, cameras: set[Intrinsics | None]) -> Intrinsics | None:
    """The one camera of a video: a focal length that changes from frame to frame cannot be used."""
    known = [camera for camera in cameras if camera is not None]
    if not known:
        return None
    focals = np.array([camera.fx for camera in known])
    if np.ptp(focals) > 0.01 * focals.mean():
        raise StageError(
            f"{path}: the focal length changes from {focals.min():.1f} to {focals.max():.1f} px; the frames of one "
            "video need one camera"
        )
    return min(known, key=lambda camera: abs(camera.fx - float(np.median(focals))))


def transforms_camera(entry: Mapping[str, Any]) -> Intrinsics | None:
    """Intrinsics by nerfstudio's names (fl_x), OSN's (focal, img_w) or NeRF's (camera_angle_x); None without a size."""
    width, height = entry.get("w", entry.get("img_w")), entry.get("h", entry.get("img_h"))
    if width is None or height is None:
        return None
    width, height = float(width), float(height)
    focal = entry.get("fl_x", entry.get("focal"))
    if focal is None and entry.get("camera_angle_x") is not None:
        focal = width / 2 / np.tan(float(entry["camera_angle_x"]) / 2)
    if focal is None:
        return None
    fx, fy = float(focal), float(entry.get("fl_y", focal))
    cx, cy = float(entry.get("cx", width / 2)), float(entry.get("cy", height / 2))
    return Intrinsics(fx, fy, cx, cy, round(width), round(height))


def write_transforms(
    path: Path, poses: NamedPoses, camera: Intrinsics, masks: list[str], points: str | None = None
) -> None:
    """Cameras for nerfstudio, each with the mask of its image; `points` is the path of a PLY file beside it."""
    frames = [
        {"file_path": name, "mask_path": mask, "transform_matrix": matrix.tolist()}
        for name, mask, matrix in zip(poses.names, masks, poses.world_from_camera @ OPENGL_FROM_OPENCV, strict=True)
    ]
    intrinsics = {"fl_x": camera.fx, "fl_y": camera.fy, "cx": camera.cx, "cy": camera.cy}
    content = {
        "camera_model": "OPENCV",
        **intrinsics,
        "w": camera.width,
        "h": camera.height,
        **dict.fromkeys(("k1", "k2", "p1", "p2"), 0.0),
        **({"ply_file_path": points} if points else {}),
        "frames": frames,
    }
    with whole(path) as partial:
        partial.write_text(json.dumps(content, indent=1))
