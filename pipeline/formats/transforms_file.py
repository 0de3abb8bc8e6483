"""transforms.json: cameras as nerfstudio reads and writes them; instant-ngp, NeRF, D-NeRF, Blender's exporters and OSN use
it with other names for the focal length, without suffixes, sizes or camera models.

The only place that knows its conventions: cameras look along -z with y up, intrinsics and pixel centres are ours.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.formats.lens import Lens, make_lens
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
RADIAL_AND_TANGENTIAL = ("k1", "k2", "p1", "p2")
RATIONAL = (*RADIAL_AND_TANGENTIAL, "k3", "k4", "k5", "k6")
FISHEYE = ("k1", "k2", "k3", "k4")
# A focal length that jitters is one camera calibrated anew for each image; one that changes by more is a zoom.
SAME_FOCAL, ZOOM = 0.01, 0.15


@dataclass(frozen=True)
class NamedPoses:
    """Poses of a camera by the names of its images; no lens where the focal length is not told.

    `notes` are what a person should know of how the file was understood. `in_order` where it names no images: the names are
    then places in it, and poses of some frames cannot be told from those of others. `tool` made the poses, where the form of
    its files tells which.
    """

    names: list[str]
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    lens: Lens | None
    notes: tuple[str, ...] = ()
    in_order: bool = False
    tool: str = ""


def read_transforms(path: Path, size: tuple[int, int] | None = None) -> NamedPoses:
    """The cameras of a transforms.json; `size` is that of the images (height, width), where the file does not tell it."""
    data = read_given_json(path)
    try:
        # Without the key something is wrong; null is how some tools say that they found no pose.
        entries = [entry for entry in data["frames"] if entry["transform_matrix"] is not None]
        left_out = len(data["frames"]) - len(entries)
        matrices = np.array([four_rows(entry["transform_matrix"]) for entry in entries], dtype=float)
        names = [str(entry["file_path"]) for entry in entries]
        lenses = [lens_of_entry(merged(data, entry), size, path) for entry in entries]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise StageError(
            f"{path} is not a transforms.json ({type(error).__name__}: {error}); it needs `frames`, each with "
            "`file_path` and a 4x4 `transform_matrix`"
        ) from error
    if not len(entries):
        raise StageError(f"{path} has no frame with a transform_matrix; it holds no poses")
    if matrices.ndim != 3 or matrices.shape[1:] != (4, 4):
        raise StageError(f"{path}: transform_matrix must be 4x4 or 3x4, the file's are {matrices.shape[1:]}")
    kept = without_repeats(path, names, matrices)
    names, matrices, lenses = [names[n] for n in kept], matrices[kept], [lenses[n] for n in kept]
    lens, notes = the_lens(path, lenses)
    notes += (f"{left_out} frames of {path.name} have no transform_matrix",) if left_out else ()
    return NamedPoses(names, matrices @ OPENGL_FROM_OPENCV, lens, notes)


def without_repeats(path: Path, names: list[str], matrices: Float[np.ndarray, "frame 4 4"]) -> list[int]:
    """The places of frames without those that come again; refuses one image with two poses."""
    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if not np.allclose(matrices[first.setdefault(name, place)], matrices[place], equal_nan=True):
            raise StageError(
                f"{path} has two poses of {name} (frames {first[name]} and {place} of the file): which is right? leave the "
                "other out"
            )
    return list(first.values())


def read_given_json(path: Path) -> dict[str, Any]:
    """A JSON object that a person gives: with a byte order mark or without."""
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StageError(f"{path} is not readable JSON ({error}); correct it, or export it again") from error
    if not isinstance(data, dict):
        raise StageError(f"{path} holds a {type(data).__name__}, a transforms.json is an object with `frames`")
    return data


def four_rows(matrix: list[Any]) -> list[Any]:
    """A transform with its last row, which some tools leave out."""
    return [*matrix, [0.0, 0.0, 0.0, 1.0]] if len(matrix) == 3 and len(matrix[0]) == 4 else matrix


def merged(data: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a frame, by itself or for all; null says nothing."""
    said = {key: value for key, value in data.items() if key != "frames" and value is not None}
    return said | {key: value for key, value in entry.items() if value is not None}


def lens_of_entry(entry: Mapping[str, Any], size: tuple[int, int] | None, path: Path) -> Lens | None:
    """The lens by nerfstudio's names (fl_x), OSN's (focal, img_w) or NeRF's (camera_angle_x); None without a focal length."""
    rows, columns = size or (None, None)
    said = entry.get("w", entry.get("img_w", columns)), entry.get("h", entry.get("img_h", rows))
    if said[0] is None or said[1] is None:
        return None
    width, height = float(said[0]), float(said[1])
    check_angles(entry, path)
    focal = entry.get("fl_x", entry.get("focal", focal_of_angle(entry.get("camera_angle_x"), width)))
    fy = entry.get("fl_y", focal_of_angle(entry.get("camera_angle_y"), height))
    focal = fy if focal is None else focal
    if focal is None:
        return None
    fx, fy = float(focal), float(focal if fy is None else fy)
    centre = (float(entry.get("cx", width / 2)), float(entry.get("cy", height / 2)))
    return named_lens(entry, (fx, fy, *centre), round(width), round(height), path)


def check_angles(entry: Mapping[str, Any], path: Path) -> None:
    """Refuse fields of view that can only be in degrees."""
    for name in ("camera_angle_x", "camera_angle_y"):
        if name in entry and not 0 < (angle := float(entry[name])) < np.pi:
            raise StageError(
                f"{path}: {name} is {angle:g}; fields of view are in radians, between 0 and 3.14 ({angle:g} degrees are "
                f"{np.radians(angle):.4f})"
            )


def focal_of_angle(angle: float | None, extent: float) -> float | None:
    """The focal length of a field of view in radians (NeRF's camera_angle_x)."""
    return None if angle is None else extent / 2 / float(np.tan(float(angle) / 2))


def named_lens(
    entry: Mapping[str, Any], pinhole: tuple[float, float, float, float], width: int, height: int, path: Path
) -> Lens:
    """The lens of nerfstudio's camera model; its coefficients have OpenCV's names, absent ones are 0."""
    model = str(entry.get("camera_model", "OPENCV")).upper()
    terms = {name: float(entry.get(name, 0.0)) for name in RATIONAL}
    if model in ("OPENCV_FISHEYE", "FISHEYE"):
        return make_lens("OPENCV_FISHEYE", [*pinhole, *(terms[name] for name in FISHEYE)], width, height, str(path))
    if model == "EQUIRECTANGULAR":
        return make_lens(model, [float(width), float(height)], width, height, str(path))
    if model in ("PERSPECTIVE", "OPENCV", "FULL_OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "RADIAL", "SIMPLE_RADIAL"):
        if any(terms[name] for name in RATIONAL[4:]):
            return make_lens("FULL_OPENCV", [*pinhole, *terms.values()], width, height, str(path))
        if any(terms.values()):
            coefficients = [terms[name] for name in RADIAL_AND_TANGENTIAL]
            return make_lens("OPENCV", [*pinhole, *coefficients], width, height, str(path))
        return make_lens("PINHOLE", list(pinhole), width, height, str(path))
    raise StageError(f"{path}: camera_model {model} has no COLMAP model; undistort the images first")


def the_lens(path: Path, lenses: list[Lens | None]) -> tuple[Lens | None, tuple[str, ...]]:
    """The one lens of a video: the median where each image was calibrated anew; a zoom cannot be used."""
    known = [lens for lens in lenses if lens is not None]
    if not known:
        return None, ()
    focals = np.array([lens.camera.fx for lens in known])
    middle = median_lens(known)
    change = np.ptp(focals) / focals.mean()
    if change > ZOOM:
        raise StageError(
            f"{path}: the focal length changes from {focals.min():.1f} to {focals.max():.1f} px; the frames of one "
            "video need one camera: give poses made with a shared camera, or a clip without zoom"
        )
    if change <= SAME_FOCAL:
        return middle, ()
    return middle, (
        f"{path.name} has a camera for each image, with focal lengths from {focals.min():.1f} to {focals.max():.1f} px; "
        f"the median lens, of {middle.camera.fx:.1f} px, is used for all",
    )


def median_lens(lenses: list[Lens]) -> Lens:
    """The median of every parameter, among the lenses of the commonest model and size."""
    kinds = [(lens.model, lens.width, lens.height) for lens in lenses]
    kind = max(dict.fromkeys(kinds), key=kinds.count)
    alike = np.array([lens.params for lens, own in zip(lenses, kinds, strict=True) if own == kind])
    return Lens(kind[0], tuple(np.median(alike, axis=0).tolist()), kind[1], kind[2])


def write_transforms(
    path: Path,
    poses: NamedPoses,
    camera: Intrinsics,
    masks: Sequence[str],
    points: str | None = None,
    more: Sequence[Mapping[str, Any]] = (),
    lists: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Cameras for nerfstudio, each with the mask of its image, and `more` of it; `points` is a PLY file beside it.

    `lists` names the images that train and those that test, where some are held out.
    """
    matrices = poses.world_from_camera @ OPENGL_FROM_OPENCV
    frames = [
        {"file_path": name, "mask_path": mask, **said, "transform_matrix": matrix.tolist()}
        for name, mask, matrix, said in zip(poses.names, masks, matrices, more or [{}] * len(masks), strict=True)
    ]
    intrinsics = {"fl_x": camera.fx, "fl_y": camera.fy, "cx": camera.cx, "cy": camera.cy}
    content = {
        "camera_model": "OPENCV",
        **intrinsics,
        "w": camera.width,
        "h": camera.height,
        **dict.fromkeys(("k1", "k2", "p1", "p2"), 0.0),
        **({"ply_file_path": points} if points else {}),
        **(lists or {}),
        "frames": frames,
    }
    with whole(path) as partial:
        partial.write_text(json.dumps(content, indent=1))
