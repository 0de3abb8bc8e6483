"""Depth maps that a person gives, for instance from a network for single images: one file a frame, in any unit.

They fix the scales of the objects, and so stand for all methods that take depth from elsewhere: a baseline for OSN.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from PIL import Image

from pipeline.formats.mask_folder import SUFFIXES, name_order
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError

LEAST_OBSERVATIONS = 8


def given_scales(folder: Path, scene: Scene) -> Float[np.ndarray, "object"]:
    """The scale of each object at which its sparse points have the depths that the maps give them, within its range."""
    frames, height, width = scene.object_ids.shape
    depth = read_depths(folder, (frames, height, width))
    column, row = np.floor(scene.observation_xy).astype(int).clip(0, [width - 1, height - 1]).T
    there = depth[scene.observation_frame, row, column]
    usable = np.isfinite(there) & (there > 0) & (scene.observation_depth > 0)
    ratios = []
    for index, entry in enumerate(scene.objects):
        chosen = usable & (scene.observation_object == index)
        if chosen.sum() < LEAST_OBSERVATIONS:
            raise StageError(
                f"{folder} gives a depth to {chosen.sum()} points of {entry['name']}, {LEAST_OBSERVATIONS} are needed; "
                "give depth maps (larger is farther, 0 is unknown) that cover it, or leave `depth` out"
            )
        ratios.append(float(np.median(there[chosen] / scene.observation_depth[chosen])))
    low, high = scene.scale_range.astype(np.float64).T
    return (np.array(ratios) / ratios[0]).clip(low, high)


def read_depths(folder: Path, shape: tuple[int, int, int]) -> Float[np.ndarray, "frame height width"]:
    """The maps of a folder, at the frames' size."""
    paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES] if folder.is_dir() else []
    if len(paths) != shape[0]:
        raise StageError(
            f"{folder} holds {len(paths)} depth maps, but the scene has {shape[0]} frames; "
            f"give one file ({', '.join(SUFFIXES)}) a frame, named in their order"
        )
    size = (shape[2], shape[1])
    maps = [read_depth(path) for path in sorted(paths, key=name_order)]
    return np.stack([cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT) for depth in maps])


def read_depth(path: Path) -> Float[np.ndarray, "height width"]:
    """One map: an array, or a grey image of 8 or 16 bits."""
    try:
        depth = np.load(path) if path.suffix.lower() == ".npy" else np.asarray(Image.open(path))
    except (OSError, ValueError) as error:
        raise StageError(f"{path} is not a readable depth map ({error}); replace it") from error
    if depth.ndim != 2:
        raise StageError(f"{path} has shape {depth.shape}; a depth map has one number a pixel")
    return depth.astype(np.float32)
