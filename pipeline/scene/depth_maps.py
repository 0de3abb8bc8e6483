"""Depth maps that a person gives, for instance from a network: one file a frame, one array of all, or another tool's results.

They fix the scales of the objects, and so stand for all methods that take depth from elsewhere: a baseline for OSN.
Maps of disparity (larger is nearer) are known by the sparse points, and become depth by them. What the maps of ViPE, Depth
Anything 3 and MegaSaM mean is declared where their files are read.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image

from pipeline.formats.frame_files import (
    ARRAYS,
    KeptFrames,
    data_files,
    files_of_frames,
    nearest_resized,
    spread,
    video_words,
    visible,
)
from pipeline.formats.id_files import array_of_archive, frames_of_array
from pipeline.formats.scene_file import Scene
from pipeline.formats.source_view import SourceView
from pipeline.formats.tool_depth import DepthMeaning, ToolDepth, matched_depth, whole_maps
from pipeline.formats.tool_results import tool_depth
from pipeline.runtime.errors import StageError
from pipeline.scene.depth_alignment import ANY_KIND, MapKind, aligned_depths, at_observations, is_disparity

log = logging.getLogger(__name__)
SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".npz")
DEPTH_KEYS = ("depth", "depths", "depth_map", "depth_maps", "disparity", "disp", "pred", "arr_0")
LEAST_OBSERVATIONS = 8
BORDER_SHARE = 0.02  # of the width, by which the maps of networks are smeared
SCALED: tuple[MapKind, ...] = ("scaled",)
KINDS: dict[DepthMeaning, tuple[MapKind, ...]] = {
    "metric": SCALED,
    "one scale": SCALED,
    "depth": ("depth",),
    "inverse": ("inverse",),
}


@dataclass(frozen=True)
class GivenDepths:
    """Maps at the size of the frames, how they were matched, a doubt, and what they can be: of a tool, as it says."""

    maps: Float[np.ndarray, "frame height width"]
    how: str
    doubt: str = ""
    kinds: tuple[MapKind, ...] = ANY_KIND


@dataclass(frozen=True)
class MapPixels:
    """Pixels of depth maps that training is told, and their depths in the units of the scene."""

    frame: Int[np.ndarray, "pixel"]
    row: Int[np.ndarray, "pixel"]
    column: Int[np.ndarray, "pixel"]
    depth: Float[np.ndarray, "pixel"]


def drawn_pixels(
    folder: Path, scene: Scene, seed: int, most: int, allowed: Bool[np.ndarray, "frame height width"] | None = None
) -> MapPixels:
    """Random pixels of depth maps, at most so many a frame, each map in the units of the scene by the background's points.

    Of frames with a known camera whose map fits those points; where something is allowed, only there. Not beside borders of
    masks, where the maps of networks go over from one thing's depth to the next one's.
    """
    given = read_depths(folder, scene)
    aligned = aligned_depths(given.maps, scene, given.kinds)
    maps, used = aligned.maps, aligned.used
    if not used.all():
        log.warning(
            "depth maps of %d of %d frames do not fit the sparse points and are not used", (~used).sum(), len(used)
        )
    known = used[:, None, None] & np.isfinite(maps) & (maps > 0) & scene.visible[0][:, None, None]
    known &= np.stack([away_from_borders(ids, BORDER_SHARE * maps.shape[2]) for ids in scene.object_ids])
    if allowed is not None:
        known &= allowed
    rng = np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(frame))[:most] for frame in known]
    frame = np.repeat(np.arange(len(maps)), [len(pixels) for pixels in chosen])
    row, column = np.divmod(np.concatenate(chosen), maps.shape[2])
    return MapPixels(frame, row, column, maps[frame, row, column])


def away_from_borders(ids: UInt8[np.ndarray, "height width"], margin_px: float) -> Bool[np.ndarray, "height width"]:
    """Pixels farther than that from the border of what they show; of a thing that has none, those of its inner half."""
    inside = np.zeros(ids.shape, bool)
    for k in np.unique(ids).tolist():
        own = np.pad((ids == k).astype(np.uint8), 1, mode="edge")  # the image's border is none of the thing's
        distance = cv2.distanceTransform(own, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
        inside |= distance > min(margin_px, float(distance.max()) / 2)
    return inside


def given_scales(folder: Path, scene: Scene) -> Float[np.ndarray, "object"]:
    """The scale of each object at which its sparse points have the depths that the maps give them, within its range."""
    low, high = scene.scale_range.astype(np.float64).T
    return depth_ratios(folder, scene).clip(low, high)


def depth_ratios(folder: Path, scene: Scene) -> Float[np.ndarray, "object"]:
    """How many of the background's units one of each object's own units is, by the depths of its sparse points in maps."""
    depth = in_one_unit(read_depths(folder, scene), scene, folder)
    there = at_observations(depth, scene)
    usable = np.isfinite(there) & (there > 0) & (scene.observation_depth > 0)
    ratios = []
    for index, entry in enumerate(scene.objects):
        chosen = usable & (scene.observation_object == index)
        if chosen.sum() < LEAST_OBSERVATIONS:
            raise StageError(
                f"{folder} gives a depth to {chosen.sum()} points of {entry['name']}, {LEAST_OBSERVATIONS} are needed; "
                "give depth maps (0 is unknown) that cover it, or leave `depth` out"
            )
        ratios.append(float(np.median(there[chosen] / scene.observation_depth[chosen])))
    return np.array(ratios) / ratios[0]


def in_one_unit(given: GivenDepths, scene: Scene, folder: Path) -> Float[np.ndarray, "frame height width"]:
    """Maps as depth in the same unit in all frames: as they are, or by the sparse points of each frame."""
    guessed = given.kinds == ANY_KIND and is_disparity(given.maps, scene)
    if guessed:
        log.warning(
            "%s holds disparity (larger is nearer): it becomes depth by the sparse points of each frame", folder
        )
    if not guessed and given.kinds in (ANY_KIND, SCALED):
        return given.maps
    aligned = aligned_depths(given.maps, scene, given.kinds)
    return np.where(aligned.used[:, None, None], aligned.maps, 0)


def read_depths(folder: Path, scene: Scene) -> GivenDepths:
    """The maps of a folder, each of its frame."""
    given = given_depths(folder, scene.kept, scene.size)
    log.info("depth maps of %s, %s", folder, given.how)
    if given.doubt:
        log.warning("depth maps of %s: %s", folder, given.doubt)
    return given


def given_depths(folder: Path, kept: KeptFrames, size: tuple[int, int], most: int | None = None) -> GivenDepths:
    """The maps of a folder at the frames' (height, width); all of them are matched, at most `most` read."""
    if (tool := tool_depth(folder)) is not None:
        return depths_of_tool(tool, kept, size, most)
    paths = data_files(folder, SUFFIXES)
    if not paths:
        held = sorted({path.suffix or path.name for path in visible(folder)})
        found = f" (but {', '.join(held[:5])})" if held else ""
        raise StageError(
            f"{folder} holds no depth maps ({', '.join(SUFFIXES)}){found}; save them in one of these forms"
        )
    if len(paths) == 1 < len(kept) and paths[0].suffix.lower() in ARRAYS:
        stack = all_frames(paths[0], kept, most)
        return GivenDepths(fitted_depths(stack, paths * len(stack), kept.view, size), "one array of all frames")
    files = files_of_frames(paths, kept, f"the depth maps of {folder}")
    few = files.thinned(most).paths
    return GivenDepths(fitted_depths([*map(read_depth, few)], few, files.view, size), files.how, files.doubt)


def depths_of_tool(tool: ToolDepth, kept: KeptFrames, size: tuple[int, int], most: int | None) -> GivenDepths:
    """The maps that another tool left, at most so many."""
    matched = matched_depth(tool, kept, size)
    places = [matched.places[index] for index in spread(len(matched.places), most)]
    whole = whole_maps(tool, tool.read(places), matched.sizes)
    maps = fitted_depths(whole, [tool.path] * len(whole), matched.view, size)
    return GivenDepths(maps, f"{tool.words}, {matched.how}", matched.doubt, KINDS[tool.meaning])


def all_frames(path: Path, kept: KeptFrames, most: int | None) -> Float[np.ndarray, "frame height width"]:
    """The maps of an array of all frames, kept ones or the video's, at most so many; refuses any other array."""
    array = read_numbers(path)
    frames = frames_of_array(array, kept)
    if frames is None or frames.ndim != 3:
        raise StageError(
            f"{path} has shape {array.shape}; the depth maps of all frames are (frames, height, width) for the {len(kept)} "
            f"frames{video_words(kept)}: save them so, or one file a frame"
        )
    return frames[spread(len(frames), most)].astype(np.float32)


def fitted_depths(
    maps: Sequence[np.ndarray] | np.ndarray, paths: Sequence[Path], view: SourceView | None, size: tuple[int, int]
) -> Float[np.ndarray, "frame height width"]:
    """Maps undistorted and resized as the frames were, to (height, width)."""
    seen = [depth if view is None else view.apply(depth, exact=True) for depth in maps]
    return np.stack([nearest_resized(depth, size, path) for depth, path in zip(seen, paths, strict=True)])


def read_depth(path: Path) -> Float[np.ndarray, "height width"]:
    """One map: an array, or a grey image of 8 or 16 bits."""
    depth = read_numbers(path)
    depth = depth.squeeze() if depth.ndim == 3 and 1 in depth.shape else depth
    if depth.ndim != 2:
        raise StageError(
            f"{path} has shape {depth.shape}; a depth map has one number a pixel: colours are for people to look at, give "
            "the numbers behind them (.npy, .npz, or a grey image of 16 bits)"
        )
    return depth.astype(np.float32)


def read_numbers(path: Path) -> np.ndarray:
    """What a file holds, as it is."""
    try:
        if path.suffix.lower() == ".npz":
            found = array_of_archive(path, DEPTH_KEYS)
        else:
            found = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else np.asarray(Image.open(path))
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise StageError(f"{path} is not a readable depth map ({error}); replace it") from error
    if found.dtype.kind not in "iuf":
        raise StageError(
            f"{path} holds {found.dtype}, a depth map has numbers; is it a mask, or another array of the tool?"
        )
    return found
