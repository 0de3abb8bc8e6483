"""The video's pixels as Semantic Flow draws them: all frames where they fit into memory, else a part of them at a time.

Flow is most of it and stays in scene.h5 until a frame's turn comes.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Int8, Int16
from torch import Tensor

from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene, SceneFlow
from pipeline.scene.frame_windows import (
    CPU_MEMORY_MB,
    frames_that_fit,
    pixel_memory_mb,
    window_frames,
    window_number,
)
from pipeline.semantic_flow.data import Pixels, Points, points_in, training_pixels
from pipeline.semantic_flow.labels import Labels
from pipeline.semantic_flow.moving_pixels import moving_pixels

BYTES_PER_PIXEL = (
    54  # flow 16, colours 3, label 2, moving 1, valid 2, three lists of 4; and half of that again while read
)
INDICES = ("anywhere", "still", "active")


@dataclass(frozen=True)
class Filtered:
    """Labels and moving pixels of all frames that were checked against the static scene, in the place of those given."""

    label: Int16[np.ndarray, "frame height width"]
    moving: Int8[np.ndarray, "frame height width"]


@dataclass(frozen=True)
class Video:
    """What pixels are made of, of any frames: a scene whose flow may lie in its file, and the labels of its frames."""

    scene: Scene
    flow: SceneFlow
    labels: Labels
    config: TrainSemanticFlowConfig
    packed_motion: dict[int, np.ndarray]  # of frames without labels, eight pixels a byte: found once, it takes a while

    @staticmethod
    def of(scene: Scene, flow: SceneFlow, labels: Labels, config: TrainSemanticFlowConfig) -> "Video":
        return Video(scene, flow, labels, config, {})

    def moves_by_flow(self, frame: int) -> Bool[np.ndarray, "height width"]:
        """Pixels of a frame without labels that flow alone says are moving."""
        if frame not in self.packed_motion:
            self.packed_motion[frame] = np.packbits(moving_pixels(self.scene, self.flow, frame))
        size = self.scene.size
        return np.unpackbits(self.packed_motion[frame], count=size[0] * size[1]).reshape(size).astype(bool)

    def pixels(self, frames: list[int], filtered: Filtered | None = None) -> Pixels:
        """The pixels of some frames, in host memory."""
        whole = training_pixels(
            self.scene, self.flow, self.labels, frames, self.moves_by_flow, self.config.unlabelled_rgb
        )
        if filtered is None:
            return whole
        label, moving = (torch.from_numpy(values[frames]).flatten() for values in (filtered.label, filtered.moving))
        return replace(whole, label=label, moving=moving)

    def on_device(self, frames: list[int], filtered: Filtered | None, device: torch.device) -> Pixels:
        """The pixels of some frames on a device, brought there in parts that a host's memory takes."""
        most = frames_that_fit(len(frames), self.scene.size, CPU_MEMORY_MB, BYTES_PER_PIXEL)
        if device.type == "cpu" or most == len(frames):
            return self.pixels(frames, filtered).to(device)
        parts = [self.pixels(frames[i : i + most], filtered).to(device) for i in range(0, len(frames), most)]
        return joined_frames(parts)


class PixelSource:
    """What may be drawn at a step.

    Which frames are in memory follows from the step alone, so a run that is gone on from draws what it would have drawn.
    """

    def __init__(self, video: Video, device: torch.device, filtered: Filtered | None = None) -> None:
        self.video, self.device, self.filtered = video, device, filtered
        self.total = video.scene.frame_count
        memory = pixel_memory_mb(video.config.pixel_memory_mb, device)
        self.count = frames_that_fit(self.total, video.scene.size, memory, BYTES_PER_PIXEL)
        self.held: dict[int, Pixels] = {}

    def __call__(self, step: int) -> Pixels:
        return self.window(window_number(step, self.total, self.count, self.video.config.window_steps))

    @property
    def windows(self) -> int:
        """How many windows it takes to see every frame."""
        return -(-self.total // self.count)

    def forget(self) -> None:
        """Give the memory back, before another source takes as much."""
        self.held.clear()

    def window(self, number: int) -> Pixels:
        if number not in self.held:
            self.held.clear()
            frames = window_frames(self.total, self.count, self.video.config.seed, number)
            self.held[number] = self.video.on_device(frames, self.filtered, self.device)
        return self.held[number]


class PointSource:
    """The sparse points of the frames that may be drawn at the time, chosen once for all steps with the same pixels."""

    def __init__(self, points: Points) -> None:
        self.points = self.chosen = points
        self.chosen_for: Callable[[], Pixels | None] = lambda: None

    def __call__(self, pixels: Pixels, still_only: bool = False) -> Points:
        """On GPUs those that rest are chosen here, too: among those drawn in a step the host would wait for their number."""
        if self.chosen_for() is not pixels:
            self.chosen = points_in(self.points, pixels)
            if still_only and self.points.xy.device.type != "cpu":
                self.chosen = self.chosen[self.chosen.moving <= 0]
            self.chosen_for = weakref.ref(pixels)  # or the last window would stay in memory while the next is read
        return self.chosen


def joined_frames(parts: list[Pixels]) -> Pixels:
    """The pixels of several parts' frames as one; flat indices and places count on."""
    starts = np.cumsum([0, *(len(part.label) for part in parts[:-1])]).tolist()
    frames = np.cumsum([0, *(len(part.numbers) for part in parts[:-1])]).tolist()

    def together(name: str) -> Tensor:
        own = [getattr(part, name) for part in parts]
        if name in INDICES:
            return torch.cat([index + start for index, start in zip(own, starts, strict=True)])
        if name == "place":
            moved = [torch.where(place >= 0, place + first, -1) for place, first in zip(own, frames, strict=True)]
            return torch.stack(moved).amax(0)
        return torch.cat(own, dim=1 if name.startswith("flow") else 0)

    return Pixels(**{field.name: together(field.name) for field in fields(Pixels)})
