"""The results of ViPE (Huang et al., 2025) as `vipe infer` writes them: poses, cameras and depth of one video.

By vipe/utils/io.py and scripts/vipe_to_colmap.py of nv-tlabs/vipe (2025-08 to 2026-06):

    pose/NAME.npz               `data` (frame, 4, 4), world_from_camera with OpenCV's axes; `inds`, the frames of the video
    intrinsics/NAME.npz         `data` (frame, 4): fx, fy, cx, cy in pixels of the video; of MEI a fifth, xi
    intrinsics/NAME_camera.txt  `0: PINHOLE` a frame; MEI (wide angle) or PANORAMA
    depth/NAME.zip              00000.exr, ... by frame, channel Z in half precision: depth along the axis, near metric

Poses and depth have one unit. The pipeline `pose_only` writes no depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.formats.exr_file import read_exr
from pipeline.formats.lens import Lens, make_lens
from pipeline.formats.pose_arrays import array_names, loaded, numbered, sound, square, the_one
from pipeline.formats.tool_depth import ToolDepth, as_it_is
from pipeline.formats.transforms_file import NamedPoses, the_lens
from pipeline.runtime.errors import StageError

TOOL = "ViPE"


@dataclass(frozen=True)
class Results:
    """The folder of results, and the file of one video in it; of a folder, the only one there."""

    folder: Path
    file: Path | None

    def of(self, kind: str, end: str) -> Path | None:
        """The file of one kind (pose, depth); None where there is none."""
        if self.file is not None:
            path = self.folder / kind / f"{self.file.stem}{end}"
            return path if path.is_file() else None
        files = sorted((self.folder / kind).glob(f"*{end}"))
        return the_one(files, kind) if files else None


def results(path: Path) -> Results | None:
    """What a path is among ViPE's results: their folder, or the file of one video's poses or depth; None if neither."""
    kinds = {"pose": ".npz", "depth": ".zip"}
    if path.is_file():
        own = kinds.get(path.parent.name) == path.suffix.lower()
        poses_of_another = own and path.suffix.lower() == ".npz" and not {"data", "inds"} <= array_names(path)
        return Results(path.parent.parent, path) if own and not poses_of_another else None
    there = path.is_dir() and any(list((path / kind).glob(f"*{end}")) for kind, end in kinds.items())
    return Results(path, None) if there else None


def vipe_poses(path: Path, size: tuple[int, int] | None) -> NamedPoses | None:
    """Poses with the camera for images of a (height, width); None where the path is not ViPE's."""
    found = results(path)
    file = found.of("pose", ".npz") if found else None
    if found is None or file is None:
        return None
    arrays = loaded(file)
    if "data" not in arrays or arrays["data"].ndim != 3:
        raise StageError(f"{file} holds {', '.join(arrays) or 'nothing'}; ViPE's poses are called `data`")
    poses = square(arrays["data"], file)
    inds = arrays.get("inds", np.arange(len(poses)))
    beside = found.folder / "intrinsics" / file.name
    lens, notes = the_lens(beside, lenses(beside, size)) if size and beside.is_file() else (None, ())
    return NamedPoses(numbered(inds.astype(int).tolist()), poses, lens, notes, "inds" not in arrays, TOOL)


def lenses(path: Path, size: tuple[int, int]) -> list[Lens | None]:
    """The lens of each frame, for images of a (height, width)."""
    values = loaded(path).get("data", np.empty(0))
    types = camera_types(path.with_name(f"{path.stem}_camera.txt"))
    terms = 5 if "MEI" in types else 4
    if types - {"PINHOLE", "MEI"} or len(types) > 1:
        raise StageError(
            f"{path.stem} has ViPE's camera {' and '.join(sorted(types))}; PINHOLE and MEI can be used, a panorama has no "
            "pinhole view: cut it into perspective views and run ViPE on one of them"
        )
    if values.ndim != 2 or values.shape[1] != terms:
        raise StageError(
            f"{path} holds `data` of shape {values.shape}, not (frames, {terms}): fx, fy, cx, cy of each frame"
            f"{' and xi' if terms == 5 else ''}; is it ViPE's?"
        )
    if terms == 5:
        return [wide_lens(row, size, path) for row in values.astype(float)]
    return [sound(Intrinsics.from_values(row, *size), path) for row in values.astype(float)]


def camera_types(path: Path) -> set[str]:
    """The types of camera that a file names; a pinhole where there is none."""
    if not path.is_file():
        return {"PINHOLE"}
    return {line.split(":")[-1].strip() for line in path.read_text().splitlines() if line.strip()} or {"PINHOLE"}


def wide_lens(values: Float[np.ndarray, "term=5"], size: tuple[int, int], path: Path) -> Lens:
    """The unified camera of Mei and Rives (2007) as COLMAP's EUCM: x = fx X / (Z + xi r) + cx, with r the distance.

    EUCM divides by alpha r + (1 - alpha) Z where beta is 1: alpha = xi / (1 + xi), and focal lengths over 1 + xi.
    """
    fx, fy, cx, cy, xi = values.tolist()
    params = [fx / (1 + xi), fy / (1 + xi), cx, cy, xi / (1 + xi), 1.0]
    return make_lens("EUCM", params, size[1], size[0], str(path))


def vipe_depth(path: Path) -> ToolDepth | None:
    """Depth of all frames; None where the path is not ViPE's."""
    found = results(path)
    if found is None:
        return None
    file = found.of("depth", ".zip")
    if file is None:
        raise StageError(
            f"{path} holds ViPE's poses but no depth (depth/NAME.zip): the pipeline pose_only writes none; run `vipe infer` "
            "with another, or leave `depth` out"
        )
    names = exr_names(file)
    numbers = [int(Path(name).stem) for name in names]
    return ToolDepth(TOOL, file, numbers, "metric", lambda places: maps(file, [names[p] for p in places]), as_it_is)


def exr_names(file: Path) -> list[str]:
    """The images in the archive, in the order of their frames."""
    try:
        with ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".exr")]
    except (OSError, BadZipFile) as error:
        raise StageError(f"{file} is not a readable archive ({error}); copy it again") from error
    if not names or not all(Path(name).stem.isdigit() for name in names):
        raise StageError(f"{file} holds no depth named by frame (00000.exr, ...); is it ViPE's?")
    return sorted(names, key=lambda name: int(Path(name).stem))


def maps(file: Path, names: Sequence[str]) -> Float[np.ndarray, "map height width"]:
    """Some of the maps."""
    try:
        with ZipFile(file) as archive:
            return np.stack([read_exr(archive.read(name), "Z", f"{file}: {name}") for name in names])
    except (OSError, BadZipFile) as error:
        raise StageError(f"{file} is not a readable archive ({error}); copy it again") from error
