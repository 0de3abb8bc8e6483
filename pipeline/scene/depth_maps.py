"""Depth maps that a person gives, for instance from a network: one file a frame or one array of all, in any unit.

They fix the scales of the objects, and so stand for all methods that take depth from elsewhere: a baseline for OSN.
Maps of disparity (larger is nearer) are known by the sparse points, and become depth by them.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from scipy.stats import spearmanr

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
from pipeline.runtime.errors import StageError

log = logging.getLogger(__name__)
SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".npz")
DEPTH_KEYS = ("depth", "depths", "depth_map", "depth_maps", "disparity", "disp", "pred", "arr_0")
LEAST_OBSERVATIONS = 8
LEAST_ALIGNED = 12  # observations of the background in a frame
ROUNDS = 30
GOOD_FIT = 0.15  # median relative error above which a frame's map is not believed
REVERSED = -0.3  # rank correlation with the depth of sparse points below which larger means nearer


@dataclass(frozen=True)
class GivenDepths:
    """Maps at the size of the frames, how they were matched, and a doubt."""

    maps: Float[np.ndarray, "frame height width"]
    how: str
    doubt: str = ""


def given_scales(folder: Path, scene: Scene) -> Float[np.ndarray, "object"]:
    """The scale of each object at which its sparse points have the depths that the maps give them, within its range."""
    depth = read_depths(folder, scene)
    if is_disparity(depth, scene):
        log.warning(
            "%s holds disparity (larger is nearer): it becomes depth by the sparse points of each frame", folder
        )
        depth, used = aligned_depths(depth, scene)
        depth[~used] = 0
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
    low, high = scene.scale_range.astype(np.float64).T
    return (np.array(ratios) / ratios[0]).clip(low, high)


def at_observations(maps: Float[np.ndarray, "frame height width"], scene: Scene) -> Float[np.ndarray, "observation"]:
    """The maps' values where the sparse points are seen."""
    height, width = scene.size
    column, row = np.floor(scene.observation_xy).astype(int).clip(0, [width - 1, height - 1]).T
    return maps[scene.observation_frame, row, column]


def is_disparity(maps: Float[np.ndarray, "frame height width"], scene: Scene) -> bool:
    """Whether larger values are nearer: by the background's sparse points, in most frames."""
    given = at_observations(maps, scene)
    usable = np.isfinite(given) & (given > 0) & (scene.observation_object == 0)
    signs = []
    for frame in range(scene.frame_count):
        chosen = usable & (scene.observation_frame == frame)
        if chosen.sum() >= LEAST_ALIGNED and np.ptp(given[chosen]) > 0:
            signs.append(spearmanr(given[chosen], scene.observation_depth[chosen]).statistic)
    return bool(signs and np.median(signs) < REVERSED)


def read_depths(folder: Path, scene: Scene) -> Float[np.ndarray, "frame height width"]:
    """The maps of a folder, each of its frame."""
    given = given_depths(folder, scene.kept, scene.size)
    log.info("depth maps of %s, %s", folder, given.how)
    if given.doubt:
        log.warning("depth maps of %s: %s", folder, given.doubt)
    return given.maps


def given_depths(folder: Path, kept: KeptFrames, size: tuple[int, int], most: int | None = None) -> GivenDepths:
    """The maps of a folder at the frames' (height, width); all of them are matched, at most `most` read."""
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


def aligned_depths(
    maps: Float[np.ndarray, "frame height width"], scene: Scene
) -> tuple[Float[np.ndarray, "frame height width"], Bool[np.ndarray, "frame"]]:
    """Maps in the background's units, and the frames whose map fits the background's points."""
    given = at_observations(maps, scene)
    usable = np.isfinite(given) & (given > 0) & (scene.observation_object == 0)
    result, used = np.zeros_like(maps), np.zeros(len(maps), bool)
    for frame in range(len(maps)):
        chosen = usable & (scene.observation_frame == frame)
        if chosen.sum() < LEAST_ALIGNED:
            continue
        depth = scene.observation_depth[chosen].astype(np.float64)
        whole = np.where(np.isfinite(maps[frame]) & (maps[frame] > 0), maps[frame], np.nan).astype(np.float64)
        result[frame], error = best_alignment(given[chosen].astype(np.float64), depth, whole)
        used[frame] = error < GOOD_FIT
    return result, used


def best_alignment(
    given: Float[np.ndarray, "observation"],
    depth: Float[np.ndarray, "observation"],
    whole: Float[np.ndarray, "height width"],
) -> tuple[Float[np.ndarray, "height width"], float]:
    """A map by scale and shift of what it holds, whichever fits the points best, and its median error.

    Networks know depth, or inverse depth, up to scale and shift; what they write may be either, or disparity.
    """
    lines = (
        (robust_line(given, depth), given, whole, identity),
        (robust_line(1 / given, 1 / depth), 1 / given, 1 / whole, positive_inverse),
        (robust_line(given, 1 / depth), given, whole, positive_inverse),
    )
    # A negative slope may fit a narrow range, but it means nothing beyond it.
    fits = [(as_depth(a * x + b), as_depth(a * every + b)) for (a, b), x, every, as_depth in lines if a > 0]
    errors = [float(np.median(np.abs(there / depth - 1))) for there, _ in fits]
    if not errors:
        return np.zeros_like(whole), np.inf
    best = int(np.argmin(errors))
    return np.nan_to_num(fits[best][1], nan=0.0), errors[best]


def identity(values: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    return values


def positive_inverse(values: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """1 / value, 0 (unknown) where that is no depth."""
    return np.where(values > 0, 1 / np.where(values > 0, values, 1.0), 0.0)


def robust_line(x: Float[np.ndarray, "observation"], y: Float[np.ndarray, "observation"]) -> tuple[float, float]:
    """Scale and shift with the least relative absolute errors of y, by reweighted least squares."""
    weights = 1 / y**2
    columns = np.stack([x, np.ones_like(x)], axis=1)
    solution = np.zeros(2)
    for _ in range(ROUNDS):
        root = np.sqrt(weights)
        solution = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
        error = np.abs(columns @ solution - y) / y
        weights = 1 / (y**2 * np.maximum(error, 1e-4))
    return float(solution[0]), float(solution[1])
