"""Files of data sets: one a frame in sorted order, images whose transparency a protocol drops or lays on a colour, JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.formats.frame_files import data_files
from pipeline.runtime.errors import StageError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


def listed(folder: Path, suffixes: Sequence[str], what: str, count: int | None = None) -> list[Path]:
    """The files of a folder in natural order, as many as are expected; `what` is what they hold."""
    if not folder.is_dir():
        raise StageError(f"{folder} does not exist; {what} are expected there ({', '.join(suffixes)})")
    files = data_files(folder, suffixes)
    if not files or (count is not None and len(files) != count):
        wanted = "one a frame" if count is None else f"{count}"
        raise StageError(f"{folder} holds {len(files)} files of {what} ({', '.join(suffixes)}), expected {wanted}")
    return files


def read_rgb(path: Path, under: int | None = None) -> UInt8[np.ndarray, "height width rgb=3"]:
    """An image; transparent pixels are laid on a grey value, or keep their colour where `under` is None."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise StageError(f"{path} is missing or not a readable image")
    if image.dtype != np.uint8:
        raise StageError(f"{path} has {image.dtype} values, images of data sets have 8 bits a channel")
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    colours = image[..., 2::-1]
    if image.shape[2] == 3 or under is None:
        return np.ascontiguousarray(colours)
    alpha = image[..., 3:].astype(np.float32) / 255
    return (alpha * colours + (1 - alpha) * under).round().astype(np.uint8)


def read_images(
    paths: Sequence[Path], size: tuple[int, int] | None = None, under: int | None = None
) -> UInt8[np.ndarray, "frame height width rgb=3"]:
    """Images of one size, (height, width) where that is told elsewhere."""
    images = []
    for path in paths:
        image = read_rgb(path, under)
        size = size or image.shape[:2]
        if image.shape[:2] != tuple(size):
            raise StageError(f"{path} is {image.shape[1]}x{image.shape[0]}, expected {size[1]}x{size[0]}")
        images.append(image)
    return np.stack(images)


def read_arrays(paths: Sequence[Path], size: tuple[int, int]) -> Float[np.ndarray, "frame height width"]:
    """Arrays (.npy) of one number a pixel, of the images' size."""
    arrays = [np.squeeze(read_npy(path)) for path in paths]
    for path, array in zip(paths, arrays, strict=True):
        if array.shape != tuple(size):
            raise StageError(f"{path} has shape {array.shape}, the images are {size[1]}x{size[0]}")
    return np.stack(arrays).astype(np.float32)


def read_id_arrays(paths: Sequence[Path], size: tuple[int, int]) -> UInt8[np.ndarray, "frame height width"]:
    """Arrays of object ids, 0 the background."""
    ids = read_arrays(paths, size)
    if ids.min() < 0 or ids.max() > 254 or (ids != np.round(ids)).any():
        raise StageError(f"{paths[0].parent} holds values from {ids.min():g} to {ids.max():g}; object ids are 0 to 254")
    return ids.astype(np.uint8)


def read_npy(path: Path) -> np.ndarray:
    """An array of numbers."""
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing") from error
    except (OSError, ValueError, EOFError) as error:
        raise StageError(f"{path} is not a readable array ({error})") from error


def bright_pixels(
    paths: Sequence[Path], size: tuple[int, int], above: int = 0
) -> Bool[np.ndarray, "frame height width"]:
    """Where grey images are above a value, at (height, width) by the nearest pixel."""
    return np.stack([nearest(read_rgb(path)[..., 0], size) > above for path in paths])


def nearest(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image at (height, width), each pixel from the nearest one."""
    if image.shape[:2] == tuple(size):
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)


def by_area(image: UInt8[np.ndarray, "from_height from_width rgb=3"], size: tuple[int, int]) -> np.ndarray:
    """An image at (height, width), averaged over areas."""
    if image.shape[:2] == tuple(size):
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def read_data_json(path: Path, *keys: str) -> dict[str, Any]:
    """A JSON object with the keys that its layout has."""
    try:
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise StageError(f"{path} is missing") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StageError(f"{path} is not readable JSON ({error})") from error
    missing = [key for key in keys if not isinstance(data, dict) or key not in data]
    if missing:
        raise StageError(f"{path} lacks {', '.join(missing)}, which this layout has")
    return data
