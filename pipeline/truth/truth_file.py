"""truth.h5: what is known of a scene besides its video: all of a simulated one, less of a data set's.

`simulate_scene` and `import_dataset` write it; `evaluate` and `report` judge by it. Cameras and times are always there.
Images, depth, object ids, poses of objects and the depth of each object alone may be absent: they then have values that
mean "unknown" (NaN, 255, no rows), and `unknown` names them, so that who needs them says what was not judged.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from pipeline.cameras import IGNORE_ID, Intrinsics
from pipeline.formats.h5_schema import new_h5
from pipeline.formats.lens import Lens
from pipeline.runtime.errors import StageError

SCENE_FIELDS = ("scales", "rows", "images", "depth", "object_ids")
VIEW_FIELDS = ("images", "depth", "object_ids", "world_from_camera", "world_from_object", "time")
FURTHER_FIELDS = ("intrinsics", "covisible", "keypoints")
NEEDED_FIELDS = ("world_from_camera", "time")
PIXEL_FIELDS = ("images", "depth", "object_ids", "covisible")
WORDS = {
    "images": "images",
    "depth": "depth",
    "object_ids": "object ids",
    "world_from_object": "poses of objects",
    "solo_depth": "the depth of each object alone",
}


@dataclass(frozen=True)
class TruthViews:
    """Views of a scene with all that is known of them; object k > 0 has row k - 1 of `world_from_object`.

    `time` counts the frames of the video; -1 where the video has no frame of that time. `intrinsics` are (fx, fy, cx, cy)
    of each view at the size of its image, where they are not those of the whole truth. `covisible` marks the pixels that a
    data set says are to be judged. `names` are what the data set calls the views. `unknown` are the fields without values.
    Images, depth (0: none) and ids (255: burnt-in text, a bar) are as the camera saw them, through its `lens` if it is no
    pinhole; the pinhole of the intrinsics is what that becomes. Row r of h was taken (r / h - 1/2) `rolling_shutter` frames
    after the frame's pose. `keypoints` are the same points of things in every frame, as people marked them: x, y, and 1 where
    the point is to be seen.
    """

    images: UInt8[np.ndarray, "frame height width rgb=3"]
    depth: Float[np.ndarray, "frame height width"]
    object_ids: UInt8[np.ndarray, "frame height width"]
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    world_from_object: Float[np.ndarray, "frame moving 4 4"]
    time: Int[np.ndarray, "frame"]
    intrinsics: Float[np.ndarray, "frame value=4"] | None = None
    covisible: Bool[np.ndarray, "frame height width"] | None = None
    names: tuple[str, ...] = ()
    unknown: frozenset[str] = frozenset()
    lens: Lens | None = None
    rolling_shutter: float = 0.0
    keypoints: Float[np.ndarray, "frame joint 3"] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.images.shape[1], self.images.shape[2]

    def knows(self, *names: str) -> bool:
        """Whether fields have values."""
        return not self.unknown.intersection(names)


def known_views(
    size: tuple[int, int],
    world_from_camera: Float[np.ndarray, "frame 4 4"],
    time: Int[np.ndarray, "frame"],
    images: UInt8[np.ndarray, "frame height width rgb=3"] | None = None,
    depth: Float[np.ndarray, "frame height width"] | None = None,
    object_ids: UInt8[np.ndarray, "frame height width"] | None = None,
    world_from_object: Float[np.ndarray, "frame moving 4 4"] | None = None,
    intrinsics: Float[np.ndarray, "frame value=4"] | None = None,
    covisible: Bool[np.ndarray, "frame height width"] | None = None,
    names: Iterable[str] = (),
    keypoints: Float[np.ndarray, "frame joint 3"] | None = None,
) -> TruthViews:
    """Views of which some things are not known; those take no memory. `size` is (height, width)."""
    count = len(time)
    given = {"images": images, "depth": depth, "object_ids": object_ids, "world_from_object": world_from_object}
    return TruthViews(
        unknown_pixels(np.uint8(0), (count, *size, 3)) if images is None else images,
        unknown_pixels(np.float32(np.nan), (count, *size)) if depth is None else depth,
        unknown_pixels(np.uint8(IGNORE_ID), (count, *size)) if object_ids is None else object_ids,
        world_from_camera,
        np.zeros((count, 0, 4, 4), np.float32) if world_from_object is None else world_from_object,
        time,
        intrinsics,
        covisible,
        tuple(names),
        frozenset(name for name, array in given.items() if array is None),
        keypoints=keypoints,
    )


def unknown_pixels(value: np.generic, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels that say that nothing is known; they take no memory."""
    return np.broadcast_to(np.asarray(value), shape)


@dataclass(frozen=True)
class TrueScenes:
    """Scenes that show the same video with objects at other scales: what some of the test cameras see of each.

    `rows` says which of the test views these are; scales are multiples of those that the video was rendered with.
    Depth that is not known is NaN, ids are 255.
    """

    scales: Float[np.ndarray, "scene object"]
    rows: Int[np.ndarray, "view"]
    images: UInt8[np.ndarray, "scene view height width rgb=3"]
    depth: Float[np.ndarray, "scene view height width"]
    object_ids: UInt8[np.ndarray, "scene view height width"]


@dataclass(frozen=True)
class Truth:
    """The video's own views, held-out views, and each object's depth rendered alone (0 = no hit).

    `protocol` names how the data set's own numbers are computed, `split` which of its test views these are.
    """

    train: TruthViews
    test: TruthViews
    solo_depth: Float[np.ndarray, "object frame height width"]
    focal_px: float
    scenes: TrueScenes | None = None
    protocol: str = ""
    split: str = ""
    knows_solo_depth: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the video's views."""
        return self.train.size

    @property
    def object_count(self) -> int:
        return self.solo_depth.shape[0]

    def camera(self, views: TruthViews, index: int) -> Intrinsics:
        """The camera of one of the views; of rendered scenes all have the same, with the principal point in the middle."""
        if views.intrinsics is None:
            return Intrinsics.centred(self.focal_px, *views.size)
        return Intrinsics.from_values(views.intrinsics[index], *views.size)

    @property
    def unknown_words(self) -> list[str]:
        """What is not known, in words."""
        parts = {f"{WORDS[name]} of the video": name in self.train.unknown for name in WORDS if name != "images"}
        parts |= {f"{WORDS[name]} of the held-out views": name in self.test.unknown for name in WORDS}
        return [words for words, absent in {**parts, WORDS["solo_depth"]: not self.knows_solo_depth}.items() if absent]


def unknown_solo_depth(
    objects: int, frames: int, size: tuple[int, int]
) -> Float[np.ndarray, "object frame height width"]:
    """In the place of the depth of each object alone, where nobody knows it; takes no memory."""
    return unknown_pixels(np.float32(0), (objects, frames, *size))


def read_truth(path: Path) -> Truth:
    """The whole truth file."""
    try:
        with h5py.File(path, "r") as file:
            sizes = [(int(file.attrs["height"]), int(file.attrs["width"]))]
            sizes.append(
                (int(file.attrs.get("test_height", sizes[0][0])), int(file.attrs.get("test_width", sizes[0][1])))
            )
            train, test = (read_views(file[name], size) for name, size in zip(("train", "test"), sizes, strict=True))
            scenes = TrueScenes(*(file["scenes"][name][...] for name in SCENE_FIELDS)) if "scenes" in file else None
            knows_solo = "solo_depth" in file["train"]
            solo = (
                file["train/solo_depth"][...]
                if knows_solo
                else unknown_solo_depth(int(file.attrs["objects"]), len(train.time), sizes[0])
            )
            protocol, split = (str(file.attrs.get(key, "")) for key in ("protocol", "split"))
            return Truth(train, test, solo, float(file.attrs["focal_px"]), scenes, protocol, split, knows_solo)
    except (OSError, KeyError) as error:
        raise StageError(
            f"{path} is not a truth file ({error}); see pipeline/truth/truth_file.py for its layout, or leave `truth` out"
        ) from error


def truth_words(path: Path) -> str:
    """What a truth file holds, in words, without reading its images."""
    try:
        with h5py.File(path, "r") as file:
            counts = [len(file[name]["time"]) for name in ("train", "test")]
            height, width, objects = (int(file.attrs[name]) for name in ("height", "width", "objects"))
            missing = [
                f"{name}/{field}" for name in ("train", "test") for field in NEEDED_FIELDS if field not in file[name]
            ]
            absent = [
                f"{name}/{field}" for name in ("train", "test") for field in VIEW_FIELDS if field not in file[name]
            ]
            absent += [] if "solo_depth" in file["train"] else ["train/solo_depth"]
            protocol = str(file.attrs.get("protocol", ""))
            file.attrs["focal_px"]
    except (OSError, KeyError) as error:
        raise StageError(
            f"{path} is not a truth file ({error}); see pipeline/truth/truth_file.py for its layout"
        ) from error
    if missing:
        raise StageError(f"{path} lacks {', '.join(missing)}; see pipeline/truth/truth_file.py for its layout")
    return (
        f"{counts[0]} views and {counts[1]} held-out ones of {width}x{height}, {objects - 1} objects"
        + (f", protocol {protocol}" if protocol else "")
        + (f"; without {', '.join(absent)}" if absent else "")
    )


def read_views(group: h5py.Group, size: tuple[int, int]) -> TruthViews:
    """One group of views of (height, width); what is absent is unknown."""
    optional = [name for name in (*VIEW_FIELDS, *FURTHER_FIELDS) if name not in NEEDED_FIELDS]
    found: dict[str, np.ndarray | None] = {name: group[name][...] if name in group else None for name in optional}
    names = [name.decode() for name in group["names"][...]] if "names" in group else []
    views = known_views(size, group["world_from_camera"][...], group["time"][...], **found, names=names)
    lens = Lens.of_values(json.loads(group.attrs["lens"])) if "lens" in group.attrs else None
    return replace(views, lens=lens, rolling_shutter=float(group.attrs.get("rolling_shutter", 0.0)))


def write_truth(path: Path, truth: Truth) -> None:
    """Write the whole truth file, without what is not known."""
    (height, width), (test_height, test_width) = truth.size, truth.test.size
    with new_h5(path) as (file, _):
        for name, views in (("train", truth.train), ("test", truth.test)):
            write_views(file.create_group(name), views)
        if truth.knows_solo_depth:
            solo = truth.solo_depth.astype(np.float16)
            file.create_dataset("train/solo_depth", data=solo, chunks=(1, 1, height, width), compression="gzip")
        for field in SCENE_FIELDS if truth.scenes else ():
            file.create_dataset(f"scenes/{field}", data=getattr(truth.scenes, field), compression="gzip")
        file.attrs.update({"focal_px": truth.focal_px, "width": width, "height": height, "objects": truth.object_count})
        if truth.test.size != truth.size:
            file.attrs.update({"test_width": test_width, "test_height": test_height})
        file.attrs.update({key: words for key in ("protocol", "split") if (words := getattr(truth, key))})


def write_views(group: h5py.Group, views: TruthViews) -> None:
    """One group of views; images are compressed one by one."""
    arrays: dict[str, Shaped[np.ndarray, ...] | None] = {
        name: getattr(views, name) for name in (*VIEW_FIELDS, *FURTHER_FIELDS) if name not in views.unknown
    }
    for name, array in arrays.items():
        if array is None:
            continue
        packed = name in PIXEL_FIELDS and len(array) > 0
        chunks = (1, *array.shape[1:]) if packed else None
        group.create_dataset(name, data=array, chunks=chunks, compression="gzip" if packed else None)
    if views.lens is not None:
        group.attrs["lens"] = json.dumps(views.lens.values)
    if views.rolling_shutter:
        group.attrs["rolling_shutter"] = views.rolling_shutter
    if views.names:
        group.create_dataset("names", data=[name.encode() for name in views.names])
