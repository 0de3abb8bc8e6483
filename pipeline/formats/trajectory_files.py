"""Camera trajectories of other tools, by the numbers that they give to frames: OSN, TUM, KITTI, LLFF, ViPE and MegaSaM.

Every one of these conventions is written down here and nowhere else; what comes out looks along z with y down.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, inverse, rigid
from pipeline.formats.lens import Lens, make_lens
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV, NamedPoses
from pipeline.runtime.errors import StageError

POSE_KEYS = ("cam_c2w", "c2w", "poses", "extrinsics", "data")
INVERSE_KEYS = ("w2c", "cam_w2c", "world_to_camera", "camera_from_world")
INTRINSICS_KEYS = ("intrinsic", "intrinsics", "K", "data")
COLMAP_FILES = ("cameras.txt", "images.txt", "points3D.txt", "rigs.txt", "frames.txt")
IMAGE_KEYS = ("images", "depths", "rgbs")
Matrices = Float[np.ndarray, "frame 4 4"]


def read_trajectory(path: Path, size: tuple[int, int] | None = None) -> NamedPoses | None:
    """The trajectory that a file or folder holds; None where it is none of these forms.

    `size` (height, width) is that of the images, where the file does not tell it.
    """
    if path.is_dir():
        return read_vipe(path, size) if list((path / "pose").glob("*.npz")) else None
    readers: dict[str, Callable[[Path], NamedPoses]] = {
        ".npy": read_array,
        ".npz": read_archive,
        ".txt": read_lines,
        ".tum": read_lines,
    }
    reader = readers.get(path.suffix.lower())
    return None if reader is None else reader(path)


def numbered(count: int) -> list[str]:
    """Names of frames that have none."""
    return [f"{number:06d}" for number in range(count)]


def loaded(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or the one of an .npy under the name `data`."""
    try:
        found = np.load(path, allow_pickle=False)
        return {"data": found} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StageError(f"{path} is not a readable array ({error}); save it again") from error


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
    return NamedPoses(numbered(len(array)), poses, None, in_order=True)


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
        numbered(len(poses)), poses, lens, (f"{path.name} names no images: poses are taken in order",), True
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
        return NamedPoses(numbered(len(poses)), poses, None, (f"{path.name} is read as KITTI's, in order",), True)
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
        numbered(len(poses)), poses, None, (f"{path.name}: poses are taken in the order of their times",), True
    )


def read_archive(path: Path) -> NamedPoses:
    """MegaSaM's .npz (cam_c2w, intrinsic, images), or another with poses of all frames under a common name."""
    arrays = loaded(path)
    key = next((name for name in (*POSE_KEYS, *INVERSE_KEYS) if name in arrays and arrays[name].ndim == 3), None)
    if key is None:
        raise StageError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; camera poses are called {', '.join((*POSE_KEYS, *INVERSE_KEYS))}"
        )
    poses = square(arrays[key], path)
    poses = inverse(poses) if key in INVERSE_KEYS else poses
    names = [f"{int(number):06d}" for number in arrays["inds"]] if "inds" in arrays else numbered(len(poses))
    notes = (f"the poses are `{key}` of {path.name}, OpenCV axes",)
    return NamedPoses(names, poses, lens_of_arrays(arrays, path), notes, "inds" not in arrays)


def square(array: np.ndarray, path: Path) -> Matrices:
    """Poses as 4x4 matrices."""
    if array.shape[1:] == (3, 4):
        return rigid(array[:, :, :3].astype(float), array[:, :, 3].astype(float))
    if array.shape[1:] != (4, 4):
        raise StageError(f"{path} has poses of shape {array.shape[1:]}; they are 4x4 or 3x4")
    return array.astype(float)


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
    values = np.array([middle[0, 0], middle[1, 1], middle[0, 2], middle[1, 2]])
    return sound(Intrinsics.from_values(values, int(height), int(width)), path)


def sound(camera: Intrinsics, path: Path) -> Lens:
    """The lens of a pinhole camera whose numbers can be those of one."""
    return make_lens("PINHOLE", camera.values.tolist(), camera.width, camera.height, str(path))


def read_vipe(folder: Path, size: tuple[int, int] | None) -> NamedPoses:
    """ViPE's results: pose/NAME.npz with `data` (world_from_camera, OpenCV axes) and `inds`, the frames of the video.

    intrinsics/NAME.npz beside it holds (fx, fy, cx, cy) of each frame, in pixels of the video.
    """
    files = sorted((folder / "pose").glob("*.npz"))
    if len(files) > 1:
        raise StageError(
            f"{folder / 'pose'} has poses of {len(files)} videos ({', '.join(path.stem for path in files[:4])}); "
            "give the results of one video in a folder of their own"
        )
    found, beside = read_archive(files[0]), folder / "intrinsics" / files[0].name
    if size is None or not beside.is_file():
        return found
    arrays = loaded(beside)
    if "data" not in arrays or arrays["data"].size % 4:
        raise StageError(f"{beside} holds no `data` of (fx, fy, cx, cy) a frame; is it ViPE's?")
    values = np.median(arrays["data"].reshape(-1, 4), axis=0)
    return replace(found, lens=sound(Intrinsics.from_values(values.astype(float), *size), beside))
