"""Camera trajectories that name no images: OSN's, LLFF's, TUM's, KITTI's, and arrays of matrices under a common name.

Every one of these conventions is written down here and nowhere else; what comes out looks along z with y down.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, inverse, rigid
from pipeline.formats.lens import Lens
from pipeline.formats.pose_arrays import loaded, numbered, pinhole, sound, square
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV, NamedPoses
from pipeline.runtime.errors import StageError

POSE_KEYS = ("cam_c2w", "c2w", "poses", "extrinsics", "data")
INVERSE_KEYS = ("w2c", "cam_w2c", "world_to_camera", "camera_from_world")
INTRINSICS_KEYS = ("intrinsic", "intrinsics", "K", "data")
COLMAP_FILES = ("cameras.txt", "images.txt", "points3D.txt", "rigs.txt", "frames.txt")
IMAGE_KEYS = ("images", "depths", "rgbs")


def read_trajectory(path: Path) -> NamedPoses | None:
    """The trajectory that a file holds; None where it is none of these forms."""
    readers: dict[str, Callable[[Path], NamedPoses]] = {
        ".npy": read_array,
        ".npz": read_archive,
        ".txt": read_lines,
        ".tum": read_lines,
    }
    reader = readers.get(path.suffix.lower())
    return None if reader is None else reader(path)


def read_array(path: Path) -> NamedPoses:
    """OSN's pose0.npy, or LLFF's poses_bounds.npy, by their shapes."""
    array = loaded(path)["data"]
    return llff_poses(path, array) if array.ndim == 2 and array.shape[1] == 17 else osn_poses(path, array)


def osn_poses(path: Path, array: np.ndarray) -> NamedPoses:
    """OSN's pose0.npy (world_from_camera, OpenGL axes) with vis0.npy beside it: unseen frames hold the identity."""
    if array.ndim != 3 or array.shape[1:] != (4, 4):
        raise StageError(
            f"{path} has shape {array.shape}; OSN's poses are (frames, 4, 4), LLFF's poses_bounds (frames, 17)"
        )
    seen = path.with_name(path.name.replace("pose", "vis"))
    known = seen.is_file() and seen != path
    visible = np.load(seen, allow_pickle=False).astype(bool) if known else np.ones(len(array), bool)
    poses = np.where(visible[:, None, None], array.astype(float) @ OPENGL_FROM_OPENCV, np.nan)
    return NamedPoses(numbered(range(len(array))), poses, None, in_order=True)


def llff_poses(path: Path, array: np.ndarray) -> NamedPoses:
    """LLFF's poses_bounds.npy: 3x5 of axes (down, right, backwards), place, (height, width, focal), then two bounds."""
    matrix = array[:, :15].reshape(-1, 3, 5).astype(float)
    down, right, backwards, place = (matrix[..., column] for column in range(4))
    poses = rigid(np.stack([right, down, -backwards], axis=-1), place)
    known = np.isfinite(matrix).all(axis=(1, 2))
    if not known.any():
        raise StageError(f"{path} has no pose whose numbers are all there; export it again")
    height, width, focal = np.median(matrix[known, :, 4], axis=0)
    lens = sound(Intrinsics.centred(float(focal), round(height), round(width)), path)
    return NamedPoses(
        numbered(range(len(poses))), poses, lens, (f"{path.name} names no images: poses are taken in order",), True
    )


def read_lines(path: Path) -> NamedPoses:
    """A trajectory of TUM's form (8 numbers a line) or KITTI's (12), after a line of names or without."""
    words = "it needs lines `time tx ty tz qx qy qz qw` (TUM) or 12 numbers, 3x4 by rows (KITTI)"
    if path.name in COLMAP_FILES:
        raise StageError(f"{path} is a part of a COLMAP model; give its folder, {path.parent}")
    try:
        text = path.read_text("utf-8-sig").splitlines()
        lines = [line.split("#")[0].replace(",", " ").split() for line in text]
        lines = [line for line in lines if line]
        table = np.array(lines[1:] if lines and not is_number(lines[0][0]) else lines, dtype=float)
    except ValueError as error:
        raise StageError(f"{path} is not a trajectory ({error}); {words}") from error
    if table.ndim == 2 and table.shape[1] == 12:
        poses = np.concatenate([table.reshape(-1, 3, 4), np.tile([[[0.0, 0, 0, 1]]], (len(table), 1, 1))], axis=1)
        return NamedPoses(
            numbered(range(len(poses))), poses, None, (f"{path.name} is read as KITTI's, in order",), True
        )
    if table.ndim != 2 or table.shape[1] != 8:
        raise StageError(f"{path} has {len(table)} lines of {table.shape[-1]} numbers; {words}")
    if w_first(text):
        return noted(
            tum_poses(path, table[:, [0, 1, 2, 3, 5, 6, 7, 4]]), f"{path.name} names qw before qx, and is read so"
        )
    return tum_poses(path, table)


def w_first(text: list[str]) -> bool:
    """Whether a line of names, a comment or not, has a quaternion's w before its x."""
    first = text[0].lower() if text else ""
    return bool(re.search(r"\bq?_?w\b.*\bq?_?x\b.*\bq?_?y\b.*\bq?_?z\b", first))


def noted(found: NamedPoses, note: str) -> NamedPoses:
    """Poses with one more word on how they were read."""
    return replace(found, notes=(*found.notes, note))


def is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def tum_poses(path: Path, table: Float[np.ndarray, "frame value=8"]) -> NamedPoses:
    """A TUM trajectory: a line `time tx ty tz qx qy qz qw` a frame, world_from_camera with OpenCV axes."""
    table = table[np.argsort(table[:, 0], kind="stable")]
    if len(same := np.flatnonzero(np.diff(table[:, 0]) == 0)):
        raise StageError(f"{path} has two poses of the time {table[same[0], 0]:g}: which is right? leave the other out")
    if len(zero := np.flatnonzero(np.linalg.norm(table[:, 4:], axis=1) == 0)):
        raise StageError(
            f"{path}: the quaternion at the time {table[zero[0], 0]:g} is 0, which is no rotation; correct it"
        )
    poses = rigid(Rotation.from_quat(table[:, 4:]).as_matrix(), table[:, 1:4])
    return NamedPoses(
        numbered(range(len(poses))), poses, None, (f"{path.name}: poses are taken in the order of their times",), True
    )


def read_archive(path: Path) -> NamedPoses:
    """An .npz with poses of all frames under a common name, as world_from_camera or as its inverse."""
    arrays = loaded(path)
    key = next((name for name in (*POSE_KEYS, *INVERSE_KEYS) if name in arrays and arrays[name].ndim == 3), None)
    if key is None:
        raise StageError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; camera poses are called {', '.join((*POSE_KEYS, *INVERSE_KEYS))}"
        )
    poses = square(arrays[key], path)
    poses = inverse(poses) if key in INVERSE_KEYS else poses
    numbers = arrays["inds"].astype(int).tolist() if "inds" in arrays else range(len(poses))
    notes = (f"the poses are `{key}` of {path.name}, OpenCV axes",)
    return NamedPoses(numbered(numbers), poses, lens_of_arrays(arrays, path), notes, "inds" not in arrays)


def lens_of_arrays(arrays: dict[str, np.ndarray], path: Path) -> Lens | None:
    """The pinhole of an archive that tells both its matrix and the size of its images."""
    matrix = next(
        (arrays[name] for name in INTRINSICS_KEYS if name in arrays and arrays[name].shape[-2:] == (3, 3)), None
    )
    images = next((arrays[name] for name in IMAGE_KEYS if name in arrays), None)
    if matrix is None or images is None or images.ndim < 3:
        return None
    middle = np.median(matrix.reshape(-1, 3, 3), axis=0)
    height, width = images.shape[2:4] if images.ndim == 4 and images.shape[1] in (1, 3) else images.shape[1:3]
    return pinhole(middle, (int(height), int(width)), path)
