"""Arrays of poses and cameras, as other tools save them: read, and brought to 4x4 matrices and lenses."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics, rigid
from pipeline.formats.lens import Lens, make_lens
from pipeline.runtime.errors import StageError

Matrices = Float[np.ndarray, "frame 4 4"]


def numbered(numbers: Sequence[int]) -> list[str]:
    """Names of frames that have none but their place: no image of a person is called so."""
    return [f"place {number}" for number in numbers]


def loaded(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or the one of an .npy under the name `data`."""
    try:
        found = np.load(path, allow_pickle=False)
        return {"data": found} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StageError(f"{path} is not a readable array ({error}); save it again") from error


def array_names(path: Path) -> set[str]:
    """The names of the arrays in an .npz."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return set(archive.files)
    except (OSError, ValueError, EOFError, BadZipFile, AttributeError) as error:
        raise StageError(f"{path} is not a readable archive of arrays ({error}); save it again") from error


def square(array: np.ndarray, path: Path) -> Matrices:
    """Poses as 4x4 matrices."""
    if array.shape[1:] == (3, 4):
        return rigid(array[:, :, :3].astype(float), array[:, :, 3].astype(float))
    if array.shape[1:] != (4, 4):
        raise StageError(f"{path} has poses of shape {array.shape[1:]}; they are 4x4 or 3x4")
    return array.astype(float)


def pinhole(matrix: np.ndarray, size: tuple[int, int], path: Path) -> Lens:
    """The lens of a 3x3 matrix for images of a (height, width)."""
    values = np.array([matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]], float)
    return sound(Intrinsics.from_values(values, *size), path)


def sound(camera: Intrinsics, path: Path) -> Lens:
    """The lens of a pinhole camera whose numbers can be those of one."""
    return make_lens("PINHOLE", camera.values.tolist(), camera.width, camera.height, str(path))


def the_one(files: Sequence[Path], what: str) -> Path:
    """The file of one video; refuses several."""
    if len(files) > 1:
        names = ", ".join(path.stem for path in files[:4])
        raise StageError(
            f"{files[0].parent} has {what} of {len(files)} videos ({names}); give the results of one video in a folder of "
            "their own"
        )
    return files[0]
