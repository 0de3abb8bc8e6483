"""Masks that a person gives: a folder with one file a frame (PNG ids or colours, or .npy), in the order of their names,
or one a key frame, named after it.

Every value or colour is an object, 0 or black is the background, and 255 (as an id) means "ignore". Files of another
size are resized to the frames, without mixing ids, when the shape of the image is the same.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from pipeline.cameras import IGNORE_ID
from pipeline.runtime.errors import StageError

SUFFIXES = (".png", ".npy")
MOST_OBJECTS = 254


@dataclass(frozen=True)
class GivenMasks:
    """Ids made contiguous, and what each was called in the files: a number, or a colour as #rrggbb."""

    object_ids: UInt8[np.ndarray, "frame height width"]
    names: list[str]


def read_mask_folder(folder: Path, shape: tuple[int, int, int]) -> GivenMasks:
    """The masks of a folder, for frames of shape (frames, height, width)."""
    paths = mask_paths(folder)
    if len(paths) != shape[0]:
        raise StageError(
            f"{folder} holds {len(paths)} masks, but the scene has {shape[0]} frames{gaps(paths)}; give one mask a frame, "
            "or set extract_frames (fps, start, end, max_frames) so that as many frames are kept; if they are masks of "
            "some frames, numbered by frame, set segment_objects.key_frames: true"
        )
    return masks_of(paths, shape[1:], folder)


def gaps(paths: list[Path]) -> str:
    """Which numbers are left out among the names of files, in words; nothing where none is, or where most are."""
    numbers = {name_order(path)[0] for path in paths}
    if max(numbers) - min(numbers) >= 2 * len(paths):  # names are times, or every tenth frame: no single one is missing
        return ""
    missing = sorted(set(range(min(numbers), max(numbers))) - numbers)
    few = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    return f" (no file has the number {few})" if missing else ""


def read_key_masks(folder: Path, shape: tuple[int, int, int]) -> tuple[list[int], GivenMasks]:
    """The masks of some frames, and which: the last number in a file's name is the frame's index."""
    paths = mask_paths(folder)
    frames = [name_order(path)[0] for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        if not any(c.isdigit() for c in path.stem) or frame >= shape[0] or frames.count(frame) > 1:
            raise StageError(
                f"{path} should be named after its frame, 0 to {shape[0] - 1}, each frame once, "
                "because segment_objects.key_frames is true; rename it, or give one mask a frame and leave key_frames out"
            )
    return frames, masks_of(paths, shape[1:], folder)


def masks_of(paths: list[Path], size: tuple[int, ...], folder: Path) -> GivenMasks:
    """The masks of files, at the frames' size."""
    values = [read_values(path) for path in paths]
    colours = values[0][1]
    for path, (_, is_colour) in zip(paths, values, strict=True):
        if is_colour != colours:
            raise StageError(f"{path} and {paths[0]}: one has colours, the other ids; save all masks the same way")
    frames = [resized(array, size, path) for path, (array, _) in zip(paths, values, strict=True)]
    return contiguous(np.stack(frames), colours, folder)


def mask_paths(folder: Path) -> list[Path]:
    """The mask files, in the order of their names, numbers by value."""
    if not folder.is_dir():
        raise StageError(f"{folder} is not a folder; give the folder that holds the masks, one file a frame")
    paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    if not paths:
        raise StageError(f"{folder} holds no masks ({', '.join(SUFFIXES)}); give one file a frame")
    return sorted(paths, key=name_order)


def name_order(path: Path) -> tuple[int, str]:
    """By the last number in the name, then by the name."""
    digits = "".join(c if c.isdigit() else " " for c in path.stem).split()
    return (int(digits[-1]) if digits else 0, path.name)


def read_values(path: Path) -> tuple[Int[np.ndarray, "height width"], bool]:
    """The ids of a file, or its colours as 0xrrggbb; and whether they are colours."""
    try:
        if path.suffix.lower() == ".npy":
            array = np.load(path, allow_pickle=False)
        else:
            with Image.open(path) as image:
                array = np.array(image.convert("L") if image.mode == "LA" else image)  # opacity tells nothing
    except (OSError, ValueError) as error:
        raise StageError(f"{path} is not a readable mask ({error}); save it again as PNG or .npy") from error
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8:
        rgb = array[..., :3].astype(np.int64)
        if (rgb == rgb[..., :1]).all():
            return rgb[..., 0], False
        return (rgb[..., 0] << 16) + (rgb[..., 1] << 8) + rgb[..., 2], True
    array = array.squeeze()
    if array.ndim != 2 or array.dtype.kind not in "iubf":
        raise StageError(
            f"{path} has shape {array.shape} of {array.dtype}; a mask is (height, width) whole numbers, "
            "or height x width x red, green, blue of uint8: save one frame's ids a file"
        )
    return whole_numbers(array, path), False


def whole_numbers(array: np.ndarray, path: Path) -> Int[np.ndarray, "height width"]:
    """The ids of an array; refuses one with fractions, as probabilities have."""
    odd = array[array != np.rint(np.nan_to_num(array))]
    if len(odd):
        raise StageError(
            f"{path} has {len(odd)} values that are not whole numbers, as {odd[0]:g}; "
            "a mask has ids: 0 is the background, 1, 2, ... are objects (of probabilities: the likeliest object)"
        )
    return array.astype(np.int64)


def resized(
    values: Int[np.ndarray, "from_height from_width"], size: tuple[int, ...], path: Path
) -> Int[np.ndarray, "height width"]:
    """Values at the frames' size, by the nearest pixel; refuses an image of another shape."""
    height, width = size
    if values.shape == (height, width):
        return values
    if abs(values.shape[1] * height - values.shape[0] * width) > max(values.shape) + max(size):
        raise StageError(
            f"{path} is {values.shape[1]}x{values.shape[0]}, the frames are {width}x{height}; "
            "make masks of the frames' size, or of the video's"
        )
    rows = ((np.arange(height) + 0.5) * values.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * values.shape[1] / width).astype(int)
    return values[rows[:, None], columns]


def contiguous(values: Int[np.ndarray, "frame height width"], colours: bool, folder: Path) -> GivenMasks:
    """Ids 0, 1, 2, ... in the order of the values; 255 stays what it is, unless it is part of a colour."""
    found, where = np.unique(values, return_inverse=True)
    objects = [int(v) for v in found if v != 0 and (colours or v != IGNORE_ID)]
    if objects and objects[0] < 0:
        raise StageError(f"{folder} has the id {objects[0]}; ids are 0 (background) to 65535, 255 means ignore")
    if len(objects) > MOST_OBJECTS:
        raise StageError(
            f"{folder} has {len(objects)} different ids or colours, at most {MOST_OBJECTS} are possible; "
            "are the masks saved without loss (PNG, no anti-aliasing)?"
        )
    table = np.zeros(len(found), np.uint8)
    for index, value in enumerate(found):
        table[index] = objects.index(int(value)) + 1 if int(value) in objects else (IGNORE_ID if value else 0)
    names = [f"#{v:06x}" if colours else str(v) for v in objects]
    return GivenMasks(table[where.reshape(values.shape)], names)
