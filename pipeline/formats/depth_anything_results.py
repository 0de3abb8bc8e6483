"""The results of Depth Anything 3 (Lin et al., 2025) as it exports them: `npz` or `mini_npz`.

By the package depth-anything-3 0.1.1 (api.py, utils/export/npz.py, utils/io/input_processor.py) and its README:

    exports/npz/results.npz, exports/mini_npz/results.npz
        `depth` (frame, height, width), `conf` (frame, height, width), `image` (frame, height, width, 3) of npz only
        `extrinsics` (frame, 3, 4) camera_from_world with OpenCV's axes, `intrinsics` (frame, 3, 3) in pixels of `depth`

Images are resized to about 504 px and then to multiples of 14, width and height each by itself (process_res_method
upper_bound_resize, the default; ..._crop cannot be told from the file). Frames have no names: their order counts. Models
that tell poses give depth in the unit of these poses; the monocular ones have no poses (DA3MONO is relative, DA3METRIC must be
multiplied by focal length / 300 for metres), so theirs counts up to a scale and a shift a frame.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from pipeline.cameras import inverse
from pipeline.formats.lens import Lens
from pipeline.formats.pose_arrays import array_names, loaded, numbered, pinhole, square
from pipeline.formats.tool_depth import DepthMeaning, Size, ToolDepth
from pipeline.formats.transforms_file import NamedPoses, the_lens
from pipeline.runtime.errors import StageError

TOOL = "Depth Anything 3"
PLACES = (
    "exports/npz/results.npz",
    "exports/mini_npz/results.npz",
    "npz/results.npz",
    "mini_npz/results.npz",
    "results.npz",
)
PATCH = 14  # sides are multiples of it


def results(path: Path) -> Path | None:
    """The file with the results at or in a path; None where it is not Depth Anything 3's."""
    file = path if path.is_file() else next((path / place for place in PLACES if (path / place).is_file()), None)
    if file is None or file.suffix.lower() != ".npz":
        return None
    names = array_names(file)
    return file if "depth" in names and names & {"conf", "extrinsics"} else None


def da3_poses(path: Path, size: Size | None) -> NamedPoses | None:
    """Poses with the camera for images of a (height, width); None where the path is not Depth Anything 3's."""
    if (file := results(path)) is None:
        return None
    arrays = loaded(file)
    if "extrinsics" not in arrays:
        raise StageError(
            f"{file} has Depth Anything 3's depth but no poses: its monocular models (DA3MONO, DA3METRIC) tell none; take "
            "another model, or leave `poses` out"
        )
    poses = inverse(square(arrays["extrinsics"], file))
    lens, notes = the_lens(file, lenses(arrays, file, size)) if "intrinsics" in arrays else (None, ())
    return NamedPoses(numbered(range(len(poses))), poses, lens, notes, in_order=True, tool=TOOL)


def lenses(arrays: dict[str, np.ndarray], file: Path, size: Size | None) -> list[Lens | None]:
    """The lens of each frame, for images of a (height, width) where these became the maps."""
    height, width = arrays["depth"].shape[1:]
    own = [pinhole(matrix, (height, width), file) for matrix in arrays["intrinsics"]]
    if size is None or not became((height, width), size):
        return list(own)
    return [lens.resized(*size) for lens in own]


def da3_depth(path: Path) -> ToolDepth | None:
    """Depth of all frames; None where the path is not Depth Anything 3's."""
    if (file := results(path)) is None:
        return None
    arrays = loaded(file)
    depth = arrays["depth"].astype(np.float32)
    if depth.ndim != 3:
        raise StageError(f"{file} has `depth` of shape {depth.shape}, not (frames, height, width); export it again")

    def whole(one: Float[np.ndarray, "height width"], size: Size) -> Float[np.ndarray, "rows columns"]:
        if not became(one.shape, size):
            raise StageError(
                f"{file} has maps of {one.shape[1]}x{one.shape[0]}, which images of {size[1]}x{size[0]} do not become; run "
                f"{TOOL} on the video as it is, with process_res_method upper_bound_resize"
            )
        return stretched(one, size)

    meaning: DepthMeaning = "one scale" if "extrinsics" in arrays else "depth"
    return ToolDepth(TOOL, file, list(range(len(depth))), meaning, lambda places: depth[list(places)], whole)


def became(shape: tuple[int, ...], size: Size) -> bool:
    """Whether images of a (height, width) become maps of a shape: resized to some longer side, then to multiples of 14."""
    longer, nearby = max(size), max(shape)
    for side in range(nearby - PATCH, nearby + PATCH + 1):
        if tuple(multiple(round(extent * side / longer)) for extent in size) == tuple(shape):
            return True
    return False


def multiple(side: int) -> int:
    """The nearest multiple of 14, the larger of two."""
    return max(PATCH * int(side / PATCH + 0.5), 1)


def stretched(values: Float[np.ndarray, "height width"], size: Size) -> Float[np.ndarray, "rows columns"]:
    """Values at a (height, width), by the nearest pixel, whatever their own shape."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, values.shape, strict=True)
    )
    return values[rows[:, None], columns]
