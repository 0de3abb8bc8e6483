"""The one interface of all trained methods: what the stages after training ask of one.

A method derives from `TrainedMethod` and renders; of all other questions it answers those that it can. The answers here
are those of a method that knows one scene, one scale for each object, and no classes of its own.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from models.rays import Rays
from models.rendering import Rendering
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError


@dataclass(frozen=True)
class Classes:
    """The classes of a method whose `object_weights` have a column for each class instead of each object."""

    names: list[str]
    moves: list[bool]
    class_of: dict[int, int]  # column of every id, of masks.h5 or of the label maps
    of_objects: bool  # whether the ids are those of masks.h5
    labelled_frames: list[int]  # whose labels training saw


@dataclass(frozen=True)
class ScaleLimit:
    """How far one object's scale may go one way while the others stay, and what breaks just past it.

    There, `shown` would hide `seen` on a share of all pixels, in the frames given, the worst first. Nobody hides anybody
    where the scale may go to the end of its range. Objects are known by their ids in masks.h5.
    """

    object: int
    above: bool
    scale: float
    seen: int | None
    shown: int | None
    share: float | None
    frames: list[int]


@dataclass(frozen=True)
class Surface:
    """An object's surface in its own frame and units; nothing of an object whose field is empty."""

    vertices: Float[np.ndarray, "vertex xyz=3"]
    faces: Int[np.ndarray, "face corner=3"]
    colours: UInt8[np.ndarray, "vertex rgba=4"]


@dataclass(frozen=True)
class HidingRays:
    """Rays that say how much of an object others would hide in its worst frame: those on which more than one can be seen.

    Of each: depth of every object alone in its units, infinite where it is not there; the object that was seen; the frame; of how
    many rays of that object in that frame it is one. Scales that hide at most `limit` of any object hide nothing for certain.
    """

    depth: Float[np.ndarray, "ray object"]
    seen: Int[np.ndarray, "ray"]
    frames: Int[np.ndarray, "ray"]
    counts: Int[np.ndarray, "ray"]
    limit: float


def no_hiding_rays(objects: int) -> HidingRays:
    """Of a method that cannot tell: nothing is hidden."""
    nothing = np.zeros(0, np.int64)
    return HidingRays(np.zeros((0, objects), np.float32), nothing, nothing, nothing, 0.0)


@dataclass(frozen=True)
class ScaleJudge:
    """The scale network as its layers, and rays on which the scales decide what is seen.

    A scale vector's score is sigmoid(`shift` + the last layer), of layers with ReLU between them, of the moving scales mapped
    from `scale_range` to [-1, 1]. Of a ray: depth of each object alone in its units, infinite where it is not there; the object
    that was seen; the frame. `share` is what one of these rays stands for, of all pixels. `hiding` tells certain
    scales from merely valid ones.
    """

    scale_range: Float[np.ndarray, "object bound=2"]
    weights: list[Float[np.ndarray, "_ _"]]
    biases: list[Float[np.ndarray, "_"]]
    shift: float
    depth: Float[np.ndarray, "ray object"]
    seen: Int[np.ndarray, "ray"]
    frames: Int[np.ndarray, "ray"]
    share: float
    hiding: HidingRays


class TrainedMethod(ABC):
    """A method trained on a scene.

    `scales` are its valid scenes, best first, with the `scores` of each; a method without scales has one row of ones.
    """

    knows_objects = True  # whether `object_weights` tell the scene's objects, or classes, apart
    judges_scales = False  # whether `validity` and `scale_limits` tell valid scales from others

    def __init__(self, scene: Scene, scales: Float[Tensor, "sample object"], scores: Float[Tensor, "sample"]) -> None:
        self.scene, self.scales, self.scores = scene, scales, scores

    @property
    def device(self) -> torch.device:
        """Where its tensors are, and rays must be."""
        return self.scales.device

    @abstractmethod
    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render a flat batch of rays under one scale vector (the best valid one by default), without gradients."""

    @property
    def object_ids(self) -> list[int]:
        """The ids shown for the columns of `object_weights`: those that the scene's objects have in masks.h5."""
        return [int(entry["id"]) for entry in self.scene.objects]

    @property
    def remarks(self) -> dict[str, str]:
        """What the report says of how it was trained."""
        return {}

    @property
    def classes(self) -> Classes | None:
        """What the columns of `object_weights` mean where they are classes; None where they are the scene's objects."""
        return None

    def label_map_classes(self, labels: Path) -> Int[np.ndarray, "frame height width"]:
        """The class that label maps give every pixel of the video, those kept back from training too; -1 unknown."""
        raise StageError(f"{labels} cannot judge a method without classes; leave it out")

    def validity(self, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
        """How well scale vectors explain the video, above VALID_SCORE where they do; all do where none is judged."""
        return torch.ones_like(scales[:, 0])

    def hidden_share(self, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
        """The share of an object that others would hide in its worst frame, under each scale vector."""
        return torch.zeros_like(scales[:, 0])

    @property
    def hidden_limit(self) -> float:
        """How large that share may be where nothing is hidden: scales that hide no more are certain to be valid."""
        return 0.0

    def unoccluded(self) -> Bool[Tensor, "sample"]:
        """The valid scenes that explain the video as well as any; in others, objects have begun to hide one another."""
        return torch.ones_like(self.scores, dtype=torch.bool)

    def explain_scales(self, scales: Float[Tensor, "object"], unlike: Float[Tensor, "object"]) -> str:
        """In words, what the video contradicts under these scales and not under others; empty where they are valid."""
        return ""

    def scale_limits(self) -> list[ScaleLimit]:
        """What limits each object's scale on either side of the first valid scene."""
        return []

    def fixed_scales(self, depth: Path | None) -> dict[str, Float[np.ndarray, "object"]]:
        """Scales, by name, that a method without a scale network would take: baselines to be rendered beside it."""
        return {}

    def edited(self, edits: list[Edit], scales: Float[np.ndarray, "object"]) -> "TrainedMethod":
        """The method after all of these edits, in the world that the scales make."""
        raise StageError("render_views.edits: this method cannot be edited; remove the edits, or train another method")

    def surface(self, index: int) -> Surface:
        """The surface of one of the scene's objects."""
        raise StageError("a method without objects of their own has no surfaces; export those of osn")

    def alone(self, index: int, rays: Rays) -> Rendering:
        """What rays in the frame and units of one of the scene's objects see of it alone; colours over black."""
        raise StageError("a method without objects of their own has no splats; export those of osn")

    def scale_judge(self) -> ScaleJudge | None:
        """What tells valid scales from others, for whoever shows them without this code; None where none is judged."""
        return None
