"""nerfstudio's transforms.json with the images, masks and depth maps that it names.

By its official reader (nerfstudio-project/nerfstudio, nerfstudio_dataparser.py): cameras look along -z with y up, pixel
centres are at +0.5, lenses are global or a frame's own; frames are sorted by name; images that are missing are skipped;
masks are white where a pixel is used; depth is in thousandths (images of 16 bits) or in units (.npy). Poses are taken as
they stand: the orientation and scale that nerfstudio applies when it reads them are its own.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.files import by_area, nearest, read_data_json, read_npy, read_rgb
from pipeline.datasets.imported_scene import ImportedScene
from pipeline.datasets.seen_views import SeenView, intrinsics_of, nearest_frames, scene_of_views, stacked
from pipeline.formats.frame_files import natural_order
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV, four_rows, lens_of_entry, merged
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TruthViews, known_views

PROTOCOL = ""  # it has none of its own
FRACTION = 0.9  # nerfstudio's train_split_fraction
DEPTH_UNIT = 1e-3  # nerfstudio's depth_unit_scale_factor
Size = tuple[int, int]


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene."""
    file = path / "transforms.json"
    data = read_data_json(file, "frames")
    entries, doubts = present_entries(path, data)
    split, lists = chosen_lists(file, data, [str(entry["file_path"]) for entry in entries], config.split)
    times = times_of(entries)
    every = [
        seen_view(path, merged(data, entry), time, config.factor) for entry, time in zip(entries, times, strict=True)
    ]
    train = sorted((every[index] for index in lists[0]), key=lambda view: view.time)
    of_video = np.array([view.time for view in train])
    test, further = test_views([every[index] for index in lists[1]], of_video) if lists[1] else (None, [])
    used = stacked(train, "used")
    masked = any("mask_path" in entry for entry in entries)
    return scene_of_views(
        train,
        PROTOCOL,
        split,
        test=test,
        masks=np.where(used, 0, 1).astype(np.uint8) if masked else None,
        mask_names={1: "left out by masks"} if masked else {},
        depth=depth_of(train),
        notes=notes(masked, split),
        doubts=[*doubts, *further],
    )


def notes(masked: bool, split: str) -> list[str]:
    """What was decided."""
    found = [f"test views are those of {split}; pixel centres are at +0.5"]
    if masked:
        found.append(
            "what mask_path leaves out is one object; to have objects found and told apart, leave masks out of "
            "import_dataset.use"
        )
    return found


def present_entries(path: Path, data: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The frames whose image is there, sorted by name, and a word where some are not."""
    try:
        entries = sorted(data["frames"], key=lambda entry: str(entry["file_path"]))
        there = [entry for entry in entries if (path / str(entry["file_path"])).is_file()]
        for entry in there:
            entry["transform_matrix"]
    except (KeyError, TypeError) as error:
        raise StageError(
            f"{path / 'transforms.json'} is not nerfstudio's ({type(error).__name__}: {error}); its frames need file_path "
            "and transform_matrix"
        ) from error
    if not there:
        raise StageError(f"none of the {len(entries)} images that {path / 'transforms.json'} names is there")
    absent = [str(entry["file_path"]) for entry in entries if entry not in there]
    return there, [f"{len(absent)} images are missing and skipped: {', '.join(absent[:5])}"] if absent else []


def times_of(entries: list[dict[str, Any]]) -> list[float]:
    """The times of the frames; their order where any has none."""
    names = [str(entry["file_path"]) for entry in entries]
    told = [entry.get("time") for entry in entries]
    if None not in told:
        return [float(time or 0.0) for time in told]
    order = sorted(names, key=natural_order)
    return [float(order.index(name)) for name in names]


def chosen_lists(
    file: Path, data: dict[str, Any], names: list[str], wanted: str | None
) -> tuple[str, tuple[list[int], list[int]]]:
    """Which frames train and which test: by the file's lists of names, else nine of ten train."""
    listed = [split for split in ("test", "val") if f"{split}_filenames" in data]
    known = listed if "train_filenames" in data else ["fraction"]
    if wanted is not None and wanted not in known:
        raise StageError(f"import_dataset.split is {wanted}, but {file} has {' and '.join(known) or 'no test list'}")
    if "train_filenames" not in data:
        count = len(names)
        train = np.linspace(0, count - 1, int(np.ceil(FRACTION * count)), dtype=int).tolist()
        return "fraction", (train, [index for index in range(count) if index not in train])
    split = wanted or next(iter(known), "none")
    train = [names.index(name) for name in data["train_filenames"] if name in names]
    if not train:
        raise StageError(f"{file}: none of the {len(data['train_filenames'])} names in train_filenames is a frame's")
    return split, (train, [names.index(name) for name in data.get(f"{split}_filenames", []) if name in names])


def test_views(views: list[SeenView], of_video: Float[np.ndarray, "frame"]) -> tuple[TruthViews, list[str]]:
    """Held-out views, judged where their masks are white."""
    frames, doubts = nearest_frames(np.array([view.time for view in views]), of_video)
    images, poses, used = (stacked(views, name) for name in ("image", "world_from_camera", "used"))
    found = known_views(
        images.shape[1:3],
        poses,
        frames,
        images=images,
        intrinsics=intrinsics_of(views),
        covisible=None if used.all() else used,
        names=[view.name for view in views],
    )
    return found, doubts


def seen_view(path: Path, entry: dict[str, Any], time: float, factor: int | None) -> SeenView:
    """One frame as a pinhole camera sees it."""
    file, name = path / "transforms.json", str(entry["file_path"])
    image = read_rgb(path / name)
    size = image.shape[:2]
    if factor is not None:
        image = by_area(image, (size[0] // factor, size[1] // factor))
    try:
        matrix = np.array(four_rows(entry["transform_matrix"]), float).reshape(4, 4)
        lens = lens_of_entry(entry, size, file)
    except (TypeError, ValueError, IndexError) as error:
        raise StageError(f"{file}: the camera of {name} cannot be read ({error})") from error
    if lens is None:
        raise StageError(f"{file} tells no focal length of {name}: fl_x or camera_angle_x is needed")
    lens = lens.resized(*image.shape[:2])
    used = mask_of(path, entry, image.shape[:2])
    return SeenView(
        name, time, lens, matrix @ OPENGL_FROM_OPENCV, image, used, depth_map(path, entry, image.shape[:2])
    ).straight


def mask_of(path: Path, entry: dict[str, Any], size: Size) -> Bool[np.ndarray, "height width"]:
    """What of a frame is used: all of it without a mask."""
    if "mask_path" not in entry:
        return np.ones(size, bool)
    return nearest(read_rgb(path / str(entry["mask_path"]))[..., 0], size) > 0


def depth_map(path: Path, entry: dict[str, Any], size: Size) -> Float[np.ndarray, "height width"] | None:
    """Depth along the axis in the units of the poses."""
    if "depth_file_path" not in entry:
        return None
    file = path / str(entry["depth_file_path"])
    if file.suffix == ".npy":
        depth = np.squeeze(read_npy(file)).astype(np.float32)
    else:
        raw = cv2.imread(str(file), cv2.IMREAD_ANYDEPTH)
        if raw is None:
            raise StageError(f"{file} is missing or not a readable image")
        depth = raw.astype(np.float32) * DEPTH_UNIT
    if depth.ndim != 2:
        raise StageError(f"{file} has shape {depth.shape}; a depth map has one number a pixel")
    return nearest(depth * float(entry.get("applied_scale", 1.0)), size)


def depth_of(views: list[SeenView]) -> Float[np.ndarray, "frame height width"] | None:
    """The depth of all frames, 0 where one has no map."""
    maps = [view.depth for view in views]
    if all(depth is None for depth in maps):
        return None
    blank = np.zeros(views[0].image.shape[:2], np.float32)
    return np.stack([blank if depth is None else depth for depth in maps]).astype(np.float32)
