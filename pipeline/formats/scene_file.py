"""scene.h5: everything training reads, in one file. This module alone knows its layout."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.cameras import Intrinsics
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.h5_schema import Field, open_checked, read_h5, write_h5
from pipeline.runtime.errors import StageError

SCHEMA, VERSION = "monoverse-scene", 3  # since what is drawn over frames is told by frames.json alone
FIELDS = (
    Field("images", "uint8", "frame height width rgb=3", "sRGB"),
    Field("object_ids", "uint8", "frame height width", "object index: 0 is background, 255 means ignore"),
    Field("times_s", "float64", "frame", "seconds since the first frame"),
    Field("flow_forward", "float32", "pair height width xy=2", "pixels, from frame t to t+1"),
    Field("flow_backward", "float32", "pair height width xy=2", "pixels, from frame t+1 to t"),
    Field(
        "flow_forward_valid", "bool", "pair height width", "pixels of frame t that return when followed there and back"
    ),
    Field(
        "flow_backward_valid",
        "bool",
        "pair height width",
        "pixels of frame t+1 that return when followed back and forth",
    ),
    Field("intrinsics", "float64", "value=4", "fx, fy, cx, cy in pixels"),
    Field(
        "object_from_camera",
        "float32",
        "object frame row=4 column=4",
        "camera's pose in the object's box frame, object's units",
    ),
    Field("visible", "bool", "object frame", "frames in which the object's pose is known"),
    Field("box_half_extent", "float32", "object xyz=3", "object k lies in [-h, h] of its frame, object's units"),
    Field(
        "scale_range",
        "float32",
        "object bound=2",
        "scales that keep the object between near and far; background [1, 1]",
    ),
    Field("depth_range", "float32", "bound=2", "near and far of the scene, background's units"),
    Field("observation_object", "uint8", "observation", "object index of a sparse point's observation"),
    Field("observation_frame", "int32", "observation", "frame of the observation"),
    Field("observation_xy", "float32", "observation xy=2", "pixels, pixel centres at +0.5"),
    Field("observation_depth", "float32", "observation", "z in the camera, object's units"),
    Field("observation_weight", "float32", "observation", "2 exp(-(e / mean e)^2), e = reprojection error"),
)
FLOW_FIELDS = tuple(field.name for field in FIELDS if field.name.startswith("flow"))

FramesFlow = tuple[Float[np.ndarray, "height width xy=2"], Bool[np.ndarray, "height width"]]


@dataclass(frozen=True)
class Scene:
    """One scene, ready for training; `FIELDS` says what each array holds.

    A point X of object k, under scale s_k, lies at s_k * (camera_from_object_k X) in the camera of its frame.
    `objects` has a row per object index: its original id, name, verdict and reason. `source` says which frames of the
    video these are, for what a person gives beside it (labels, depth); None where all of them were kept.
    """

    images: UInt8[np.ndarray, "frame height width rgb=3"]
    object_ids: UInt8[np.ndarray, "frame height width"]
    times_s: Float[np.ndarray, "frame"]
    flow_forward: Float[np.ndarray, "pair height width xy=2"]
    flow_backward: Float[np.ndarray, "pair height width xy=2"]
    flow_forward_valid: Bool[np.ndarray, "pair height width"]
    flow_backward_valid: Bool[np.ndarray, "pair height width"]
    intrinsics: Float[np.ndarray, "value=4"]
    object_from_camera: Float[np.ndarray, "object frame 4 4"]
    visible: Bool[np.ndarray, "object frame"]
    box_half_extent: Float[np.ndarray, "object xyz=3"]
    scale_range: Float[np.ndarray, "object bound=2"]
    depth_range: Float[np.ndarray, "bound=2"]
    observation_object: UInt8[np.ndarray, "observation"]
    observation_frame: Int[np.ndarray, "observation"]
    observation_xy: Float[np.ndarray, "observation xy=2"]
    observation_depth: Float[np.ndarray, "observation"]
    observation_weight: Float[np.ndarray, "observation"]
    objects: list[dict[str, Any]]
    source: KeptFrames | None = None

    @property
    def kept(self) -> KeptFrames:
        return self.source or KeptFrames.all_of(self.frame_count)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the frames."""
        return self.object_ids.shape[1], self.object_ids.shape[2]

    @property
    def camera(self) -> Intrinsics:
        height, width = self.images.shape[1:3]
        return Intrinsics.from_values(self.intrinsics, height, width)

    @property
    def object_count(self) -> int:
        return self.object_from_camera.shape[0]

    @property
    def frame_count(self) -> int:
        return self.images.shape[0]


@dataclass(frozen=True)
class SceneFlow:
    """The flow of a scene pair by pair, from memory or from the file, where it may stay: it is most of a scene."""

    forward: Any
    backward: Any
    forward_valid: Any
    backward_valid: Any

    @staticmethod
    def of(scene: Scene) -> "SceneFlow":
        """The flow of a scene that was read with it."""
        return SceneFlow(*(getattr(scene, name) for name in FLOW_FIELDS))

    def to_next(self, frame: int) -> FramesFlow:
        """Flow of a frame to the next, and where it is confirmed."""
        return self.read("forward", frame)

    def to_previous(self, frame: int) -> FramesFlow:
        """Flow of a frame to the one before, and where it is confirmed."""
        return self.read("backward", frame - 1)

    def read(self, name: str, pair: int) -> FramesFlow:
        try:
            return getattr(self, name)[pair], getattr(self, f"{name}_valid")[pair]
        except OSError as error:
            raise StageError(f"the scene's flow is damaged ({error}); delete scene.h5 and run again") from error


def write_scene(path: Path, scene: Scene, attributes: dict[str, Any]) -> None:
    """Write a scene, whole or not at all."""
    arrays = {field.name: getattr(scene, field.name) for field in FIELDS}
    known = {"objects": json.dumps(scene.objects), "source": json.dumps(asdict(scene.kept))}
    write_h5(path, SCHEMA, VERSION, FIELDS, arrays, {**known, **attributes})


def read_scene(path: Path, without: Collection[str] = ()) -> Scene:
    """Read a scene and check it; fields to do without are all zeros and take no memory."""
    arrays, attributes = read_h5(path, SCHEMA, VERSION, FIELDS, without)
    source = KeptFrames(**json.loads(attributes["source"]))
    return Scene(**arrays, objects=json.loads(attributes["objects"]), source=source)


def stored_flow(path: Path) -> SceneFlow:
    """A scene's flow, which stays in the file until a pair of frames is asked for."""
    file = open_checked(path, SCHEMA, VERSION, FIELDS)
    return SceneFlow(*(file[name] for name in FLOW_FIELDS))


def read_scene_frames(path: Path, frames: list[int]) -> Scene:
    """A scene of some of the frames, in their order, without flow."""
    outline = read_scene(path, without=("images", "object_ids", *FLOW_FIELDS))
    with open_checked(path, SCHEMA, VERSION, FIELDS) as file:
        images, object_ids = (np.stack([file[name][frame] for frame in frames]) for name in ("images", "object_ids"))
    place = np.full(outline.frame_count, -1)
    place[frames] = np.arange(len(frames))
    where = place[outline.observation_frame]
    observed = {
        name: getattr(outline, f"observation_{name}")[where >= 0] for name in ("object", "xy", "depth", "weight")
    }
    return replace(
        outline,
        images=images,
        object_ids=object_ids,
        times_s=outline.times_s[frames],
        object_from_camera=outline.object_from_camera[:, frames],
        visible=outline.visible[:, frames],
        observation_frame=where[where >= 0].astype(outline.observation_frame.dtype),
        **{f"observation_{name}": values for name, values in observed.items()},
        **{name: getattr(outline, name)[: len(frames) - 1] for name in FLOW_FIELDS},
    )
