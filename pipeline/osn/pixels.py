"""The video's pixels as OSN draws them: all frames where they fit into memory, else a part of them at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from models.osn.training_pixels import TrainingPixels
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene, read_scene_frames
from pipeline.osn.setup import training_pixels
from pipeline.runtime.errors import StageError

BYTES_PER_PIXEL = 18  # colours 3, id 1, certainty 1, index 4; and half of that again while they are read
PixelSource = Callable[[int], TrainingPixels]  # what may be drawn at a step of the fields


def pixel_source(path: Path, scene: Scene, config: TrainOsnConfig, device: torch.device) -> PixelSource:
    """The scene's pixels; its images stay in the file until they are asked for.

    Which frames are in memory follows from the step alone, so a run that is gone on from draws what it would have drawn.
    """
    refuse_unseen(scene)
    count = frames_that_fit(scene, config.pixel_memory_mb)
    held: dict[int, TrainingPixels] = {}

    def source(step: int) -> TrainingPixels:
        number = 0 if count == scene.frame_count else step // config.window_steps
        if number not in held:
            held.clear()
            frames = window_frames(scene.frame_count, count, config.seed, number)
            held[number] = training_pixels(read_scene_frames(path, frames), config, device, frames)
        return held[number]

    return source


def frames_that_fit(scene: Scene, memory_mb: int) -> int:
    """How many frames may be in memory at once."""
    height, width = scene.object_ids.shape[1:]
    fit = int(memory_mb * 1e6 / (BYTES_PER_PIXEL * height * width))
    return min(scene.frame_count, max(1, fit))


def window_frames(frames: int, count: int, seed: int, number: int) -> list[int]:
    """The frames of one window: all frames are gone through in random order before one comes again."""
    if count >= frames:
        return list(range(frames))
    windows = -(-frames // count)
    order = np.random.default_rng([seed, number // windows]).permutation(frames)
    start = min(number % windows * count, frames - count)
    return sorted(order[start : start + count].tolist())


def refuse_unseen(scene: Scene) -> None:
    """Every object must have a pixel somewhere where its pose is known."""
    for k, visible in enumerate(scene.visible):
        if not any((scene.object_ids[frame] == k).any() for frame in np.flatnonzero(visible)):
            raise StageError(
                f"object {scene.objects[k]['name']} has no pixel in a frame where it is registered; check masks.h5"
            )
