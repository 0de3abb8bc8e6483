"""The renders of a trained method: sets of views as images, ids, depth and a video, listed in renders.json."""

import json
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.formats.frames_folder import read_frame, read_json, write_image
from pipeline.formats.video_file import write_video
from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import write_array

Kind = Literal["observed", "held_out", "path", "scales", "sample", "fixed", "scene", "edit"]
FLOAT16_MAX = float(np.finfo(np.float16).max)


class RenderSet(BaseModel):
    """Views rendered under one scale vector.

    `frames` are frame indices of the scene (times); `views` are rows of truth's test views. These are seen by the sets of
    kind `held_out` (valid scenes nearest to the true one), `sample` (other valid ones), `fixed` (baselines) and `scene`
    (valid scenes nearest to row `scene_row` of the scenes that truth has besides).
    A set of kind `scales` holds two views of one time: the observed one, then a novel one; a set of kind `edit` shows
    the video's own views of a scene that was changed as `caption` says. Images of ids hold the original object ids,
    those of masks.h5. Paths are relative to the folder.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    kind: Kind
    scale: list[float]
    score: float
    frames: list[int]
    views: list[int] = []
    scene_row: int = -1
    fps: float
    caption: str = ""
    images: str
    ids: str
    depth: str
    video: str


class Renders(BaseModel):
    """All sets of one method; `valid_scales` is how many valid scenes there were to choose from.

    `remarks` are what the report says of how the method was trained. Where it does not know objects, all ids are of the
    background and mean nothing.
    """

    model_config = ConfigDict(frozen=True)
    method: str
    valid_scales: int
    object_ids: list[int]
    remarks: dict[str, str] = {}
    knows_objects: bool = True
    sets: list[RenderSet]

    def of_kind(self, kind: Kind) -> list[RenderSet]:
        return [entry for entry in self.sets if entry.kind == kind]


def planned_set(
    name: str, kind: Kind, scale: list[float], score: float, frames: list[int], **more: object
) -> RenderSet:
    """A set whose files have the names that its own name implies."""
    return RenderSet.model_validate(
        {
            "name": name,
            "kind": kind,
            "scale": scale,
            "score": score,
            "frames": frames,
            "images": f"{name}/%06d.png",
            "ids": f"{name}_ids/%06d.png",
            "depth": f"{name}_depth.npy",
            "video": f"{name}.mp4",
            **more,
        }
    )


def write_set(
    folder: Path,
    entry: RenderSet,
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    object_ids: UInt8[np.ndarray, "frame height width"],
    depth: Float[np.ndarray, "frame height width"],
) -> None:
    """Write the files of one set; depth is kept as half floats, with what exceeds them cut off."""
    for index, (image, ids) in enumerate(zip(images, object_ids, strict=True)):
        write_image(folder / (entry.images % index), image)
        write_image(folder / (entry.ids % index), ids)
    write_array(folder / entry.depth, np.minimum(depth, FLOAT16_MAX).astype(np.float16))
    write_video(folder / entry.video, images, entry.fps)


def write_renders(folder: Path, renders: Renders) -> None:
    """Write renders.json."""
    (folder / "renders.json").write_text(json.dumps(renders.model_dump(mode="json"), indent=1))


def read_renders(folder: Path) -> Renders:
    """The list of what was rendered."""
    path = folder / "renders.json"
    try:
        return Renders.model_validate(read_json(path))
    except ValidationError as error:
        raise StageError(f"{path} is not a list of renders ({error}); delete it and run render_views again") from error


def read_set_images(folder: Path, entry: RenderSet) -> UInt8[np.ndarray, "frame height width rgb=3"]:
    """The images of a set."""
    return np.stack([read_frame(folder / (entry.images % index)) for index in range(len(entry.frames))])


def read_set_ids(folder: Path, entry: RenderSet) -> UInt8[np.ndarray, "frame height width"]:
    """The object ids of a set."""
    return np.stack([read_ids(folder / (entry.ids % index)) for index in range(len(entry.frames))])


def read_ids(path: Path) -> UInt8[np.ndarray, "height width"]:
    """One image of object ids."""
    ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if ids is None or ids.ndim != 2:
        raise StageError(f"{path} is not a readable image of object ids; delete it and run render_views again")
    return np.asarray(ids, np.uint8)


def read_set_depth(folder: Path, entry: RenderSet) -> Float[np.ndarray, "frame height width"]:
    """The depth of a set, in the background's units."""
    try:
        return np.load(folder / entry.depth).astype(np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise StageError(f"{folder / entry.depth} is damaged ({error}); run render_views again") from error
