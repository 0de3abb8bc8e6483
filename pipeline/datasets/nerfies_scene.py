"""Scenes of Nerfies, HyperNeRF and DyCheck: cameras and images by ID, what the IDs are of, and lists of IDs.

By the loaders of KAIR-BAIR/dycheck (datasets/nerfies.py, datasets/iphone.py): images of rgb/{s}x have the intrinsics of
camera/ID.json divided by s. Poses and depth stay in the units of the files; the loaders' X' = (X - center) * scale, which
near and far of scene.json are in, is not applied.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pipeline.datasets.files import nearest, read_data_json, read_npy, read_rgb
from pipeline.datasets.imported_scene import ImportedScene
from pipeline.datasets.nerfies_camera import read_camera
from pipeline.datasets.seen_views import SeenView, intrinsics_of, nearest_frames, scene_of_views, stacked
from pipeline.formats.lens import Lens
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TruthViews, known_views

PROTOCOL = "dycheck"
TRAIN = "train"  # the list that keypoints are of
SEEN = 254  # above this a pixel of covisible/ was seen by enough training images
MILLIMETRES = 1e-3
SLACK = 2.0  # how far beyond near and far a median depth may lie
LARGEST_PX = 1.0  # between an image and its camera's size


@dataclass(frozen=True)
class Capture:
    """A folder, the factor that its images are read at, and the camera and the time of every ID."""

    folder: Path
    factor: int
    camera_of: dict[str, int]
    time_of: dict[str, int]


@dataclass(frozen=True)
class Lists:
    """IDs that train and IDs that test; `covisible` is the folder of the latter's masks."""

    split: str
    train: list[str]
    test: list[str]
    covisible: str = ""


def read_capture(folder: Path, wanted: int | None, usual: int) -> Capture:
    """The folder by its metadata.json; `usual` is the factor that the protocol reads images at."""
    metadata = read_data_json(folder / "metadata.json")
    ids = read_data_json(folder / "dataset.json", "ids")["ids"]
    try:
        cameras = {name: int(metadata[name].get("camera_id", 0)) for name in ids}
        times = {name: int(metadata[name].get("time_id", metadata[name]["warp_id"])) for name in ids}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StageError(
            f"{folder / 'metadata.json'} does not say camera_id and warp_id of every ID of dataset.json "
            f"({type(error).__name__}: {error})"
        ) from error
    return Capture(folder, chosen_factor(folder, wanted, usual), cameras, times)


def chosen_factor(folder: Path, wanted: int | None, usual: int) -> int:
    """The factor asked for, else the usual one, else the nearest to it that there is."""
    there = sorted(int(path.name[:-1]) for path in (folder / "rgb").glob("*x") if path.name[:-1].isdigit())
    if not there:
        raise StageError(f"{folder / 'rgb'} holds no images; they are expected in 1x/, 2x/ or the like")
    if wanted is not None and wanted not in there:
        known = ", ".join(map(str, there))
        raise StageError(f"import_dataset.factor is {wanted}, but {folder / 'rgb'} has images of factor {known}")
    return wanted or min(there, key=lambda factor: abs(np.log(factor / usual)))


def named_lists(capture: Capture, split: str, train: str, test: str) -> Lists:
    """The lists of two files of splits/."""
    both = [split_ids(capture, name) for name in (train, test)]
    return Lists(split, both[0], both[1], test)


def split_ids(capture: Capture, name: str) -> list[str]:
    """One list of splits/, whose IDs must be known."""
    path = capture.folder / "splits" / f"{name}.json"
    ids = [str(entry) for entry in read_data_json(path, "frame_names")["frame_names"]]
    if unknown := [entry for entry in ids if entry not in capture.time_of]:
        raise StageError(f"{path} names {unknown[0]}, which dataset.json does not")
    return ids


def imported(capture: Capture, lists: Lists, notes: Sequence[str]) -> ImportedScene:
    """The scene of these lists."""
    if not lists.train:
        raise StageError(f"the list {lists.split} of {capture.folder} has no training image")
    train = [seen_view(capture, name) for name in sorted(lists.train, key=lambda name: capture.time_of[name])]
    depth, doubts = depth_maps(capture, train)
    times = np.array([view.time for view in train])
    test, further = test_views(capture, lists, times) if lists.test else (None, [])
    holes = 1 - float(np.mean([view.used.mean() for view in train]))
    straight = [view.straight for view in train]
    keypoints, unused = keypoints_of(capture, train)
    doubts += unused
    if holes:
        doubts.append(
            f"{100 * holes:.1f} % of the video's pixels are transparent: they are painted over from around, and ignored"
        )
    return scene_of_views(
        [view.filled for view in straight],
        PROTOCOL,
        lists.split,
        keypoints,
        test=test,
        depth=None if depth is None else np.stack([depth_seen(*pair) for pair in zip(train, depth, strict=True)]),
        holes=np.stack([~view.used for view in straight]) if holes else None,
        notes=[f"images of factor {capture.factor}, list {lists.split}; pixel centres are at +0.5", *notes],
        doubts=[*doubts, *further],
    )


def keypoints_of(
    capture: Capture, views: Sequence[SeenView]
) -> tuple[Float[np.ndarray, "frame joint 3"] | None, list[str]]:
    """The video's marked points at the images' size (x, y, 1 where it is seen; pixel centres at +0.5), if there are any.

    Images without a file show none.
    """
    folder = capture.folder / "keypoint" / f"{capture.factor}x" / TRAIN
    files = {index: file for index, view in enumerate(views) if (file := folder / f"{view.name}.json").is_file()}
    if not files:
        return None, []
    if any(view.lens.distorted for view in views):
        return None, [f"{folder} is of distorted images, so its keypoints are not used"]
    found = {index: one_frames_points(file) for index, file in files.items()}
    joints = {len(points) for points in found.values()}
    if len(joints) > 1:
        raise StageError(f"{folder}: frames have {min(joints)} to {max(joints)} keypoints, they need the same number")
    points = np.zeros((len(views), joints.pop(), 3))
    for index, own in found.items():
        points[index] = own + np.array([0.5, 0.5, 0.0])
    return points, []


def one_frames_points(file: Path) -> Float[np.ndarray, "joint 3"]:
    """x, y and visibility of each point of one image."""
    try:
        points = np.array(json.loads(file.read_text()), float)
    except (OSError, ValueError, TypeError) as error:
        raise StageError(f"{file} is not readable ({error}); it has a list of [x, y, visible]") from error
    if points.ndim != 2 or points.shape[1] != 3:
        raise StageError(f"{file} has shape {points.shape}; keypoints are a list of [x, y, visible]")
    return points


def seen_view(capture: Capture, name: str) -> SeenView:
    """One image with its camera at its size; transparent pixels are not to be used."""
    lens, pose = read_camera(capture.folder / "camera" / f"{name}.json")
    path = capture.folder / "rgb" / f"{capture.factor}x" / f"{name}.png"
    image, used = read_rgb(path), opaque(path)
    return SeenView(
        name, float(capture.time_of[name]), divided(lens, capture.factor, image.shape[:2], path), pose, image, used
    )


def divided(lens: Lens, factor: int, size: tuple[int, int], path: Path) -> Lens:
    """The lens of an image that is `factor` times smaller: its size may be rounded, its parameters are not."""
    height, width = size
    if abs(lens.width / factor - width) > LARGEST_PX or abs(lens.height / factor - height) > LARGEST_PX:
        raise StageError(
            f"{path} is {width}x{height}, but its camera says {lens.width}x{lens.height} for factor 1; is it of another "
            "factor?"
        )
    pinhole = tuple(value / factor for value in lens.params[:4])
    return Lens(lens.model, pinhole + lens.params[4:], width, height)


def opaque(path: Path) -> Bool[np.ndarray, "height width"]:
    """Where an image is not transparent."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image[..., 3] == 255 if image.ndim == 3 and image.shape[2] == 4 else np.ones(image.shape[:2], bool)


def test_views(capture: Capture, lists: Lists, times: Float[np.ndarray, "frame"]) -> tuple[TruthViews, list[str]]:
    """Held-out views, judged where they are opaque and, if the data set says so, seen by enough of the video."""
    views = [seen_view(capture, name) for name in lists.test]
    masks = [covisible(capture, lists, view) for view in views]
    straight = [view.straight for view in views]
    judged = [as_seen(view, mask) & pinhole.used for view, mask, pinhole in zip(views, masks, straight, strict=True)]
    frames, doubts = nearest_frames(np.array([view.time for view in views]), times)
    images = stacked(straight, "image")
    found = known_views(
        images.shape[1:3],
        stacked(straight, "world_from_camera"),
        frames,
        images=images,
        intrinsics=intrinsics_of(straight),
        covisible=np.stack(judged) if not np.all(judged) else None,
        names=lists.test,
    )
    return found, doubts


def covisible(capture: Capture, lists: Lists, view: SeenView) -> Bool[np.ndarray, "height width"]:
    """The pixels that enough training images saw; all of them where the data set does not say."""
    size = view.image.shape[:2]
    folder = capture.folder / "covisible" / f"{capture.factor}x" / lists.covisible
    if not lists.covisible or not folder.is_dir():
        return np.ones(size, bool)
    return nearest(read_rgb(folder / f"{view.name}.png")[..., 0], size) > SEEN


def as_seen(view: SeenView, mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """A mask of the image as the pinhole sees it."""
    return SeenView(view.name, view.time, view.lens, view.world_from_camera, view.image, mask).straight.used


def depth_seen(view: SeenView, depth: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """A depth map of the image as the pinhole sees it."""
    straight = SeenView(view.name, view.time, view.lens, view.world_from_camera, view.image, view.used, depth).straight
    assert straight.depth is not None
    return straight.depth


def depth_maps(
    capture: Capture, views: Sequence[SeenView]
) -> tuple[list[Float[np.ndarray, "height width"]] | None, list[str]]:
    """Depth of the video's images in the units of the poses, 0 where it is unknown; None where there are no maps."""
    folders = [capture.folder / "depth" / f"{factor}x" for factor in (capture.factor, 1)]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None:
        return None, []
    maps = [one_depth(folder / f"{view.name}.npy", view) for view in views]
    known = np.concatenate([depth[depth > 0] for depth in maps])
    if not len(known):
        return maps, [f"the depth maps of {folder} are all 0"]
    unit, doubt = depth_unit(float(np.median(known)), read_data_json(capture.folder / "scene.json"))
    return [depth * unit for depth in maps], doubt


def one_depth(path: Path, view: SeenView) -> Float[np.ndarray, "height width"]:
    """One map, without its channel, at the image's size; only the video's camera has depth, and not all of its images."""
    size = view.image.shape[:2]
    if not path.exists():
        return np.zeros(size, np.float32)
    depth = np.squeeze(read_npy(path)).astype(np.float32)
    if depth.ndim != 2:
        raise StageError(f"{path} has shape {depth.shape}; a depth map has one number a pixel")
    return nearest(np.nan_to_num(depth, nan=0.0, posinf=0.0), size)


def depth_unit(median: float, scene: dict[str, Any]) -> tuple[np.float32, list[str]]:
    """What depth is multiplied by: the documents say millimetres, the released files are metres."""
    try:
        scale, near, far = (float(scene[key]) for key in ("scale", "near", "far"))
    except (KeyError, TypeError, ValueError):
        return np.float32(1), ["scene.json does not tell scale, near and far, so the unit of depth is not checked"]
    for unit in (1.0, MILLIMETRES):
        if near / SLACK <= median * unit * scale <= far * SLACK:
            words = (
                [] if unit == 1 else ["depth is in thousandths of the unit of the poses, by near and far of scene.json"]
            )
            return np.float32(unit), words
    return np.float32(1), [
        f"the median depth is {median:.3g}, which is neither in the unit of the poses nor in thousandths of it: near and "
        f"far of scene.json are {near / scale:.3g} and {far / scale:.3g}; leave depth out of import_dataset.use"
    ]
