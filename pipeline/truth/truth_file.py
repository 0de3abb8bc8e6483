"""truth.h5: the exact truth of a rendered scene, written by `simulate_scene`; `evaluate` and `report` judge by it."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float, Int, UInt8

from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

SCENE_FIELDS = ("scales", "rows", "images", "depth", "object_ids")
VIEW_FIELDS = ("images", "depth", "object_ids", "world_from_camera", "world_from_object", "time")


@dataclass(frozen=True)
class TruthViews:
    """Views of a scene with all that is known of them; object k > 0 has row k - 1 of `world_from_object`."""

    images: UInt8[np.ndarray, "frame height width rgb=3"]
    depth: Float[np.ndarray, "frame height width"]
    object_ids: UInt8[np.ndarray, "frame height width"]
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    world_from_object: Float[np.ndarray, "frame moving 4 4"]
    time: Int[np.ndarray, "frame"]


@dataclass(frozen=True)
class TrueScenes:
    """Scenes that show the same video with objects at other scales: what some of the test cameras see of each.

    `rows` says which of the test views these are; scales are multiples of those that the video was rendered with.
    """

    scales: Float[np.ndarray, "scene object"]
    rows: Int[np.ndarray, "view"]
    images: UInt8[np.ndarray, "scene view height width rgb=3"]
    depth: Float[np.ndarray, "scene view height width"]
    object_ids: UInt8[np.ndarray, "scene view height width"]


@dataclass(frozen=True)
class Truth:
    """The video's own views, held-out views, and each object's depth rendered alone (0 = no hit)."""

    train: TruthViews
    test: TruthViews
    solo_depth: Float[np.ndarray, "object frame height width"]
    focal_px: float
    scenes: TrueScenes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.train.images.shape[1], self.train.images.shape[2]

    @property
    def object_count(self) -> int:
        return self.solo_depth.shape[0]


def read_truth(path: Path) -> Truth:
    """The whole truth file."""
    try:
        with h5py.File(path, "r") as file:
            train, test = (read_views(file[name]) for name in ("train", "test"))
            scenes = TrueScenes(*(file["scenes"][name][...] for name in SCENE_FIELDS)) if "scenes" in file else None
            return Truth(train, test, file["train/solo_depth"][...], float(file.attrs["focal_px"]), scenes)
    except (OSError, KeyError) as error:
        raise StageError(
            f"{path} is not a truth file ({error}); see pipeline/truth/truth_file.py for its layout, or leave `truth` out"
        ) from error


def truth_words(path: Path) -> str:
    """What a truth file holds, in words, without reading its images."""
    try:
        with h5py.File(path, "r") as file:
            count, height, width = file["train/images"].shape[:3]
            held_out, objects = len(file["test/images"]), len(file["train/solo_depth"])
            missing = [
                f"{name}/{field}" for name in ("train", "test") for field in VIEW_FIELDS if field not in file[name]
            ]
            file.attrs["focal_px"]
    except (OSError, KeyError) as error:
        raise StageError(
            f"{path} is not a truth file ({error}); see pipeline/truth/truth_file.py for its layout"
        ) from error
    if missing:
        raise StageError(f"{path} lacks {', '.join(missing)}; see pipeline/truth/truth_file.py for its layout")
    return f"{count} views and {held_out} held-out ones of {width}x{height}, {objects - 1} objects"


def read_views(group: h5py.Group) -> TruthViews:
    """One group of views."""
    return TruthViews(*(group[name][...] for name in VIEW_FIELDS))


def write_truth(path: Path, truth: Truth) -> None:
    """Write the whole truth file."""
    height, width = truth.size
    with whole(path) as partial, h5py.File(partial, "w") as file:
        for name, views in (("train", truth.train), ("test", truth.test)):
            for field in VIEW_FIELDS:
                array = getattr(views, field)
                chunks = (1, *array.shape[1:]) if field in ("images", "depth", "object_ids") else None
                file.create_dataset(
                    f"{name}/{field}", data=array, chunks=chunks, compression="gzip" if chunks else None
                )
        solo = truth.solo_depth.astype(np.float16)
        file.create_dataset("train/solo_depth", data=solo, chunks=(1, 1, height, width), compression="gzip")
        for field in SCENE_FIELDS if truth.scenes else ():
            file.create_dataset(f"scenes/{field}", data=getattr(truth.scenes, field), compression="gzip")
        file.attrs.update({"focal_px": truth.focal_px, "width": width, "height": height, "objects": truth.object_count})
