"""One file of object ids: PNG (palette, grey, colours, opacity) or an array (.npy, .npz) of any shape that makes sense.

What a person meant is decided over all files together (`form_of`): ids, black and white, or one object with soft edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image

from pipeline.cameras import IGNORE_ID
from pipeline.formats.frame_files import KeptFrames, nearest_resized
from pipeline.formats.source_view import SourceView
from pipeline.runtime.errors import StageError

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".npy", ".npz")
LOSSY = (".jpg", ".jpeg", ".webp")
WHITE_BORDER, NEARLY_EVERY = 0.9, 0.8  # share of the border, and of frames, that is white where masks are inverted
MASK_KEYS = ("mask", "masks", "segmentation", "ids", "object_ids", "labels", "arr_0")
FEWEST_BLENDS = 8  # values that are nowhere an area; fewer may be thin things
MOST_BLENDS = 0.5  # share of all pixels that soft edges may have; a picture has more
LEAST_WHITE = 0.1  # pixels near the top for each of an edge
AREA_SHARE = 0.02  # of a value's pixels that have nothing else around them, where the value is an area
WHITE = 255
TABLE = 1 << 16  # numbers up to which a table is quicker than sorting


@dataclass(frozen=True)
class IdMap:
    """The numbers of a file: ids, or colours as 0xrrggbb; probabilities as 0 to 255."""

    values: Int[np.ndarray, "height width"]
    colours: bool = False
    soft: bool = False


@dataclass(frozen=True)
class Form:
    """How the numbers of a folder are meant, in words; where they are one object, from which number on."""

    words: str
    from_value: int | None = None


def read_id_map(path: Path, size: tuple[int, int], view: SourceView | None = None, by_colour: bool = False) -> IdMap:
    """The numbers of one file, undistorted and resized to (height, width) by the nearest pixel.

    `by_colour` takes the colours of a palette in place of its numbers.
    """
    found = as_id_map(read_array(path, by_colour), path)
    if view is not None:
        found = replace(found, values=view.apply(found.values.astype(np.int32), exact=True).astype(np.int64))
    return replace(found, values=nearest_resized(found.values, size, path))


def as_id_map(array: np.ndarray, path: Path) -> IdMap:
    """The numbers of an array: colours, probabilities, ids, or a stack of masks."""
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8:
        return IdMap(*of_colours(array))
    array = one_image(array, path)
    if array.dtype.kind == "f" and is_probability(array):
        return IdMap(np.rint(WHITE * array).astype(np.int64), soft=True)
    return IdMap(whole_numbers(array, path))


def colours_count(paths: Sequence[Path]) -> bool:
    """Whether the colours of palettes tell objects, not their numbers: files number them differently, or black is not 0."""
    palettes = [found for path in paths if (found := palette_of(path)) is not None]
    if not palettes:
        return False
    shortest = min(map(len, palettes))
    first = palettes[0]
    black = (0, 0, 0)
    return any(one[:shortest] != first[:shortest] for one in palettes) or (first[0] != black and black in first[1:])


def palette_of(path: Path) -> list[tuple[int, ...]] | None:
    """The colours of the numbers that an image with a palette uses, up to the largest; None where it has no palette."""
    if path.suffix.lower() in (".npy", ".npz"):
        return None
    try:
        with Image.open(path) as image:
            if image.mode != "P":
                return None
            values = np.array(image.getpalette("RGB"), int).reshape(-1, 3)
            largest = int(np.asarray(image)[np.asarray(image) != IGNORE_ID].max(initial=0))
            return [tuple(map(int, colour)) for colour in values[: largest + 1]]
    except (OSError, ValueError, SyntaxError):
        return None  # whoever reads it says so


def read_array(path: Path, by_colour: bool = False) -> np.ndarray:
    """What a file holds, as it is; `by_colour` the colours of a palette."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            return array_of_archive(path, MASK_KEYS)
        if suffix == ".npy":
            return np.load(path, allow_pickle=False)
        with Image.open(path) as image:
            if by_colour and image.mode == "P":
                return np.array(image.convert("RGB"))
            return np.array(image.convert("L") if image.mode == "LA" else image)  # opacity of grey tells nothing
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StageError(f"{path} is not a readable mask ({error}); save it again as PNG or .npy") from error


def array_of_archive(path: Path, keys: Sequence[str]) -> np.ndarray:
    """The one array of an .npz file that can be an image; of several, the first that has one of the names `keys`."""
    with np.load(path, allow_pickle=False) as archive:
        names = [name for name in archive.files if archive[name].ndim >= 2]
        chosen = names if len(names) == 1 else [name for name in keys if name in names][:1]
        if not chosen:
            held = ", ".join(archive.files) or "nothing"
            raise StageError(
                f"{path} holds {held}; which is the {keys[0]}? save it as the only array, or call it `{keys[0]}`"
            )
        return archive[chosen[0]]


def frames_of_array(array: np.ndarray, kept: KeptFrames) -> np.ndarray | None:
    """An array of all frames, kept ones or the video's, as (frame, height, width), or with one more axis; else None.

    An axis of one channel is left out; frames may come first, after an axis of objects, or last.
    """
    single = [axis for axis in (1, 3) if array.ndim == 4 and array.shape[axis] == 1]
    array = array.squeeze(single[0]) if single else array
    places = {3: (0, 2), 4: (0, 1)}.get(array.ndim, ())
    axis = next((axis for axis in places if array.shape[axis] in (len(kept), kept.source_count)), None)
    if axis is None:
        return None
    frames = np.moveaxis(array, axis, 0)
    return frames[kept.source_index] if len(frames) == kept.source_count else frames


def of_colours(image: UInt8[np.ndarray, "height width channel"]) -> tuple[Int[np.ndarray, "height width"], bool]:
    """Numbers of an image of colours, and whether they are colours; a cut-out on transparency is its opacity."""
    rgb = image[..., :3].astype(np.int64)
    grey = bool((rgb == rgb[..., :1]).all())
    if image.shape[2] == 4 and np.ptp(image[..., 3]) > 0:
        inside = rgb[image[..., 3] > WHITE // 2]
        pictured = len(np.unique(inside, axis=0)) > min(IGNORE_ID, len(inside) // 8)
        if pictured or np.ptp(rgb.reshape(-1, 3), axis=0).max(initial=0) == 0:
            return image[..., 3].astype(np.int64), False
    if grey:
        return rgb[..., 0], False
    return (rgb[..., 0] << 16) + (rgb[..., 1] << 8) + rgb[..., 2], True


def one_image(array: np.ndarray, path: Path) -> np.ndarray:
    """An array as (height, width); a stack with one layer an object becomes ids 1, 2, ..."""
    array = array.squeeze()
    if array.ndim == 3 and array.dtype.kind in "bui" and is_stack(array):
        layers = array if array.shape[0] <= array.shape[2] else np.moveaxis(array, 2, 0)
        return layered(layers != 0)
    if array.ndim != 2 or array.dtype.kind not in "iubf":
        raise StageError(
            f"{path} has shape {array.shape} of {array.dtype}; a mask is (height, width) whole numbers, one layer of 0 "
            "and 1 an object, or height x width x red, green, blue of uint8: save one frame's ids a file"
        )
    return array


def is_stack(array: np.ndarray) -> bool:
    """Whether an array has one layer of two values an object."""
    return array.dtype == bool or set(np.unique(array)) in ({0, 1}, {0, WHITE}, {0}, {1}, {WHITE})


def layered(layers: np.ndarray) -> UInt8[np.ndarray, "height width"]:
    """Ids of a stack of masks; where they overlap, the smallest is in front."""
    ids = np.zeros(layers.shape[1:], np.uint8)
    for index in np.argsort(-layers.sum((1, 2)), kind="stable"):
        ids[layers[index]] = index + 1
    return ids


def is_probability(array: np.ndarray) -> bool:
    """Whether numbers lie from 0 to 1 and not only at both ends."""
    return bool(np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1 and (array % 1 != 0).any())


def whole_numbers(array: np.ndarray, path: Path) -> Int[np.ndarray, "height width"]:
    """The ids of an array; refuses one with fractions, as probabilities have."""
    if array.dtype.kind in "iub":
        return array.astype(np.int64)
    odd = array[array != np.rint(np.nan_to_num(array))]
    if len(odd):
        raise StageError(
            f"{path} has {len(odd)} values that are not whole numbers, as {odd[0]:g}; "
            "a mask has ids: 0 is the background, 1, 2, ... are objects (of probabilities: the likeliest object)"
        )
    return array.astype(np.int64)


def form_of(maps: Sequence[IdMap], where: str) -> Form:
    """What the numbers of all files are; refuses ids or colours whose borders are mixed with their neighbours'."""
    pixels, areas = count_values(maps)
    blends = [value for value in pixels if areas.get(value, 0) < AREA_SHARE * pixels[value]]
    mains = sorted(set(pixels) - set(blends))
    if any(one.colours for one in maps):
        if len(blends) >= max(FEWEST_BLENDS, len(mains)):
            raise StageError(
                f"{where} has {len(pixels)} colours, of which {len(blends)} are nowhere an area: borders are smoothed, or "
                "the files were saved with loss; save masks as PNG without anti-aliasing"
            )
        return Form("colours")
    if set(pixels) <= {0, WHITE} and WHITE in pixels and not all(one.soft for one in maps):
        return Form("black and white: one object", WHITE)
    if len(blends) < max(FEWEST_BLENDS, len(mains)) and not any(one.soft for one in maps):
        return Form("ids")
    peak = max(pixels)
    if peak < WHITE // 2 or [value for value in mains if 0.1 * peak < value < 0.9 * peak]:
        raise StageError(
            f"{where} has {len(pixels)} different ids, of which {len(blends)} are nowhere an area: borders are smoothed; "
            "save ids without anti-aliasing, resized by the nearest pixel"
        )
    white = sum(count for value, count in pixels.items() if value >= 0.9 * peak)
    edge = sum(pixels[value] for value in blends)
    if edge > MOST_BLENDS * sum(pixels.values()) or white < LEAST_WHITE * edge:
        raise StageError(
            f"{where} has {len(pixels)} levels of grey and hardly an area of one: pictures or depth, not masks; a mask has an "
            "id a pixel, or is black and white"
        )
    return Form("soft edges, cut at half: one object", (peak + 1) // 2)


def count_values(maps: Sequence[IdMap]) -> tuple[dict[int, int], dict[int, int]]:
    """How many pixels have each value, and how many of these have only that value around them."""
    pixels: dict[int, int] = {}
    areas: dict[int, int] = {}
    for one in maps:
        values = one.values.astype(np.float64)
        flat = cv2.erode(values, np.ones((3, 3))) == cv2.dilate(values, np.ones((3, 3)))
        for counts, chosen in ((pixels, one.values), (areas, one.values[flat])):
            for value, count in value_counts(chosen).items():
                counts[value] = counts.get(value, 0) + count
    return pixels, areas


def value_counts(values: Int[np.ndarray, "*shape"]) -> dict[int, int]:
    """How often each number comes, in their order; small ones are counted without sorting them."""
    if values.size and values.min() >= 0 and values.max() <= TABLE:
        counts = np.bincount(values.ravel())
        found = np.flatnonzero(counts)
        return dict(zip(found.tolist(), counts[found].tolist(), strict=True))
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def looks_inverted(white: UInt8[np.ndarray, "frame height width"]) -> bool:
    """Whether white is what is around an object: most of nearly every frame, and nearly all of its border.

    A thing in front that fills the picture still leaves some border to what is behind it; only what is behind shows all
    around.
    """
    border = np.ones(white.shape[1:], bool)
    border[1:-1, 1:-1] = False
    around = (white[:, border] > 0).mean(1) >= WHITE_BORDER
    most = (white > 0).mean((1, 2)) > 0.5
    return bool((around & most).mean() >= NEARLY_EVERY)
