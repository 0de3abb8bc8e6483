"""COLMAP's binary files: written whole or not at all, and refused where they are cut or their counts are damaged.

COLMAP says nothing when a disk takes only a part of what it writes; and where it reads a count of garbage, it asks for as
much memory as the count says, or reads on for hours. So the sizes are checked here, after writing and before reading.

The files are those of COLMAP 3.12 and later (rigs and frames) and before it (without).
"""

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pycolmap

from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import check_space

POSE = 7 * 8  # a quaternion and a translation
PLY_SIZES = {"float": 4, "double": 8, "uchar": 1, "int": 4, "uint": 4}


class CutError(Exception):
    """A file ends before what it says is in it."""


class Walk:
    """A place in a file that moves from entry to entry."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def skip(self, size: int) -> None:
        """Pass over bytes that only need to be there."""
        self.place += size
        if self.place > len(self.data):
            raise CutError

    def number(self, form: str) -> int:
        """The next number, of one of struct's forms."""
        start = self.place
        self.skip(struct.calcsize(f"<{form}"))
        return int(struct.unpack_from(f"<{form}", self.data, start)[0])

    def times(self) -> Iterator[int]:
        """As often as the next number says, which must be possible: an entry has a byte at least."""
        count = self.number("Q")
        if count > len(self.data):
            raise CutError
        yield from range(count)


def pass_cameras(walk: Walk) -> None:
    for _ in walk.times():
        walk.skip(4)
        kind = walk.number("i")
        walk.skip(16 + 8 * parameter_count(kind))


@lru_cache
def parameter_count(kind: int) -> int:
    """How many parameters a camera model has, by COLMAP's number of it."""
    try:
        model = pycolmap.CameraModelId(kind)
        return len(pycolmap.Camera.create_from_model_id(1, model, 1.0, 1, 1).params)
    except (ValueError, TypeError, RuntimeError) as error:
        raise CutError from error


def pass_images(walk: Walk) -> None:
    for _ in walk.times():
        walk.skip(4 + POSE + 4)
        end = walk.data.find(b"\0", walk.place)
        walk.skip(len(walk.data) if end < 0 else end + 1 - walk.place)
        walk.skip(24 * walk.number("Q"))


def pass_points(walk: Walk) -> None:
    for _ in walk.times():
        walk.skip(8 + 24 + 3 + 8)
        walk.skip(8 * walk.number("Q"))


def pass_rigs(walk: Walk) -> None:
    for _ in walk.times():
        walk.skip(4)
        sensors = walk.number("I")
        walk.skip(8 if sensors else 0)
        for _ in range(min(sensors - 1, len(walk.data))):
            walk.skip(8)
            walk.skip(POSE if walk.number("B") else 0)


def pass_frames(walk: Walk) -> None:
    for _ in walk.times():
        walk.skip(8 + POSE)
        walk.skip(16 * walk.number("I"))


FILES: dict[str, Callable[[Walk], None]] = {
    "cameras.bin": pass_cameras,
    "images.bin": pass_images,
    "points3D.bin": pass_points,
    "rigs.bin": pass_rigs,
    "frames.bin": pass_frames,
}


def broken_file(folder: Path) -> Path | None:
    """The first binary file of a COLMAP model that is shorter or longer than its own counts say; None where all are whole."""
    present = [name for name in FILES if (folder / name).is_file()]
    return next((folder / name for name in present if not is_whole(folder / name, FILES[name])), None)


def is_whole(path: Path, pass_over: Callable[[Walk], None]) -> bool:
    walk = Walk(path.read_bytes())
    try:
        pass_over(walk)
    except CutError:
        return False
    return walk.place == len(walk.data)


def save_model(folder: Path, model: pycolmap.Reconstruction) -> None:
    """Write a COLMAP model's binary files into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        model.write_binary(folder)
    except RuntimeError as error:
        raise not_written(folder) from error
    broken = broken_file(folder)
    if broken is not None:
        raise not_written(broken)


def save_points(path: Path, model: pycolmap.Reconstruction) -> None:
    """Write the points of a COLMAP model as a PLY file."""
    try:
        model.export_PLY(path)
    except RuntimeError as error:
        raise not_written(path) from error
    if not is_whole_ply(path):
        raise not_written(path)


def is_whole_ply(path: Path) -> bool:
    """Whether a binary PLY file of vertices only has as many bytes as its first lines say."""
    head, end, body = path.read_bytes().partition(b"end_header\n")
    if not end:
        return False
    words = [line.split() for line in head.decode(errors="replace").splitlines()]
    count = sum(int(line[2]) for line in words if line[:2] == ["element", "vertex"])
    return len(body) == count * sum(PLY_SIZES[line[1]] for line in words if line[0] == "property")


def not_written(path: Path) -> StageError:
    """What to say of a file that COLMAP did not write whole; raises what the disk says, if it says something."""
    check_space(path if path.is_dir() else path.parent)
    return StageError(f"COLMAP did not write {path} whole: see whether the disk is full, and run again")
