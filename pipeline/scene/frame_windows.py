"""Which frames of a video are in memory at once: all where they fit, else some at a time, chosen by the step alone."""

import numpy as np
import torch

CPU_MEMORY_MB = 2000.0
GPU_SHARE = 0.25  # of the card's memory; the fields, their optimiser and a step's samples have the rest


def pixel_memory_mb(asked: int | None, device: torch.device) -> float:
    """Megabytes for a video's pixels: as many as are asked for, else by the device.

    Of a GPU a share of all that it has, not of what is free: a run that is gone on from must draw from the same frames.
    """
    if asked is not None:
        return float(asked)
    if device.type == "cpu":
        return CPU_MEMORY_MB
    return GPU_SHARE * float(torch.cuda.get_device_properties(device).total_memory) / 1e6


def frames_that_fit(frames: int, size: tuple[int, int], memory_mb: float, bytes_per_pixel: int | float) -> int:
    """How many frames of a size (height, width) may be in memory at once."""
    fit = int(memory_mb * 1e6 / (bytes_per_pixel * size[0] * size[1]))
    return min(frames, max(1, fit))


def window_number(step: int, frames: int, count: int, window_steps: int) -> int:
    """The window of a step; there is one where all frames fit."""
    return 0 if count >= frames else step // window_steps


def window_frames(frames: int, count: int, seed: int, number: int) -> list[int]:
    """The frames of one window: all frames are gone through in random order before one comes again."""
    if count >= frames:
        return list(range(frames))
    windows = -(-frames // count)
    order = np.random.default_rng([seed, number // windows]).permutation(frames)
    start = min(number % windows * count, frames - count)
    return sorted(order[start : start + count].tolist())
