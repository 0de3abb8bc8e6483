"""The video's pixels as OSN draws them: all frames where they fit into memory, else a part of them at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from models.osn.training_pixels import SparseDepths, TrainingPixels
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene, read_scene_frames
from pipeline.osn.setup import training_pixels
from pipeline.runtime.errors import StageError
from pipeline.scene.frame_windows import frames_that_fit, pixel_memory_mb, window_frames, window_number

BYTES_PER_PIXEL = 18  # colours 3, id 1, certainty 1, index 4; and half of that again while they are read
PixelSource = Callable[[int], TrainingPixels]  # what may be drawn at a step of the fields


def pixel_source(
    path: Path, scene: Scene, config: TrainOsnConfig, device: torch.device, depths: SparseDepths | None = None
) -> PixelSource:
    """The scene's pixels; its images stay in the file until they are asked for.

    `depths` are what training is told, of the whole video; the sparse points where none are given. Which frames are in
    memory follows from the step alone, so a run that is gone on from draws what it would have drawn.
    """
    refuse_unseen(scene)
    frames_in_all, memory = scene.frame_count, pixel_memory_mb(config.pixel_memory_mb, device)
    count = frames_that_fit(frames_in_all, scene.size, memory, BYTES_PER_PIXEL)
    held: dict[int, TrainingPixels] = {}

    def source(step: int) -> TrainingPixels:
        number = window_number(step, frames_in_all, count, config.window_steps)
        if number not in held:
            held.clear()
            frames = window_frames(frames_in_all, count, config.seed, number)
            own = None if depths is None else depths_within(depths, frames, scene)
            held[number] = training_pixels(read_scene_frames(path, frames), config, device, frames, own)
        return held[number]

    return source


def depths_within(depths: SparseDepths, frames: list[int], scene: Scene) -> SparseDepths:
    """Depths of some of a video's frames, in the pixels of those frames alone."""
    height, width = scene.size
    place = torch.full((scene.frame_count,), -1)
    place[frames] = torch.arange(len(frames))
    frame = place[torch.div(depths.pixel, height * width, rounding_mode="floor")]
    pixel = frame * (height * width) + depths.pixel % (height * width)
    return SparseDepths(pixel, depths.depth, depths.weight)[frame >= 0]


def refuse_unseen(scene: Scene) -> None:
    """Every object must have a pixel somewhere where its pose is known."""
    for k, visible in enumerate(scene.visible):
        if not any((scene.object_ids[frame] == k).any() for frame in np.flatnonzero(visible)):
            raise StageError(
                f"object {scene.objects[k]['name']} has no pixel in a frame where it is registered; check masks.h5"
            )
