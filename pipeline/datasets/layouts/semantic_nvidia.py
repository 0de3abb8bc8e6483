"""Semantic Flow's data: NVIDIA Dynamic Scene as DynamicNeRF has it, with label maps in the colours of labelmap.txt.

A class is the number of its line in labelmap.txt after the header. Objects are the classes that foreground_object.txt
names, in the place of motion masks; a person of Balloon1 stands still, so there it is none. Judged are all cameras at all
times, with label maps of theirs.
"""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.config import ImportDatasetConfig
from pipeline.datasets.files import listed, nearest, read_rgb
from pipeline.datasets.imported_scene import Colour, ImportedScene, only_split
from pipeline.datasets.layouts.nvidia import FACTOR
from pipeline.datasets.multiview import (
    INDEX_NOTE,
    RigVideo,
    RigView,
    camera_files,
    check_cameras,
    disparity,
    frames_of_rig,
    read_video,
    rig_scene,
    rig_views,
    time_folders,
)
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TruthViews

PROTOCOL = "semantic_flow"
STATIC = {"Balloon1": ("person",)}  # foreground names that do not move in a scene
Classes = list[tuple[str, Colour]]
Ids = UInt8[np.ndarray, "frame height width"]


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene, at half the size of its images."""
    split, factor = only_split(config, "all cameras", path), config.factor or FACTOR
    video = read_video(path, factor, f"images_{factor}")
    classes = read_classes(beside(path, "labelmap.txt"))
    objects = foreground(path, classes)
    files = listed(path / "SegmentationClass_train", (".png",), "label maps", len(video.names))
    labels, strange = class_ids(files, classes, video.size)
    masks = object_ids(labels, objects)
    doubts = (
        []
        if not strange
        else [f"{strange} pixels of label maps have colours that labelmap.txt lacks; they are ignored"]
    )
    return rig_scene(
        video,
        PROTOCOL,
        split,
        train=frames_of_rig(video, masks),
        test=all_cameras(path, video, classes, objects) if (path / "multiview_GT").is_dir() else None,
        masks=masks,
        mask_names={number: classes[index][0] for index, number in objects.items()},
        labels=labels,
        classes=classes,
        depth=disparity(path, video),
        notes=[INDEX_NOTE, foreground_words(classes, objects)],
        doubts=doubts,
    )


def foreground_words(classes: Classes, objects: dict[int, int]) -> str:
    """Which classes are objects, and what to do about the others."""
    moving = ", ".join(classes[index][0] for index in objects)
    still = ", ".join(name for index, (name, _) in enumerate(classes) if index and index not in objects)
    words = f"objects are {moving or 'none'}, the foreground of the data set"
    advice = f"; to have {still} stand still in Semantic Flow, name them in train_semantic_flow.static_classes"
    return words + advice if still else words


def beside(path: Path, name: str) -> Path:
    """A file of the scene or of the whole data set."""
    found = next((folder / name for folder in (path, path.parent) if (folder / name).is_file()), None)
    if found is None:
        raise StageError(f"{path / name} is missing, and so is {path.parent / name}")
    return found


def read_classes(path: Path) -> Classes:
    """Names and colours of the classes, after a header, in the order of their numbers."""
    lines = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    try:
        return [class_of_line(line) for line in lines[1:]]
    except (ValueError, IndexError) as error:
        raise StageError(
            f"{path} is not a label map ({error}); after a header it has lines `name:red,green,blue::`"
        ) from error


def class_of_line(line: str) -> tuple[str, Colour]:
    """`name:red,green,blue::`."""
    name, colour = line.split(":")[:2]
    red, green, blue = (int(value) for value in colour.split(","))
    return name, (red, green, blue)


def foreground(path: Path, classes: Classes) -> dict[int, int]:
    """Class -> object id, of the classes that move."""
    listed_names = beside(path, "foreground_object.txt").read_text().split("\n")
    names = {name.strip() for name in listed_names if name.strip()}
    if unknown := names - {name for name, _ in classes}:
        raise StageError(
            f"foreground_object.txt names {', '.join(sorted(unknown))}, which labelmap.txt of {path} lacks"
        )
    names -= {*STATIC.get(path.name, ())}
    moving = [index for index, (name, _) in enumerate(classes) if index > 0 and name in names]
    return {index: number for number, index in enumerate(moving, start=1)}


def class_ids(files: list[Path], classes: Classes, size: tuple[int, int]) -> tuple[Ids, int]:
    """Classes of label maps in colours, and how many pixels have a colour that no class has."""
    colours = np.array([colour for _, colour in classes]) @ [1 << 16, 1 << 8, 1]
    maps = []
    for file in files:
        value = nearest(read_rgb(file), size).astype(np.int64) @ [1 << 16, 1 << 8, 1]
        ids = np.full(size, IGNORE_ID, np.uint8)
        for index, colour in enumerate(colours):
            ids[value == colour] = index
        maps.append(ids)
    labels = np.stack(maps)
    return labels, int((labels == IGNORE_ID).sum())


def object_ids(labels: Ids, objects: dict[int, int]) -> Ids:
    """Object ids of classes: what is not foreground is background, what is unknown stays so."""
    table = np.zeros(256, np.uint8)
    table[IGNORE_ID] = IGNORE_ID
    for index, number in objects.items():
        table[index] = number
    return table[labels]


def all_cameras(path: Path, video: RigVideo, classes: Classes, objects: dict[int, int]) -> TruthViews:
    """Every camera at every time, the video's own views too."""
    folders = time_folders(path / "multiview_GT", len(video.names))
    views = [
        RigView(camera, time, file)
        for time, folder in sorted(folders.items())
        for camera, file in sorted(camera_files(folder).items())
    ]
    check_cameras(video, 1 + max(view.camera for view in views))
    semantic = path / "multiview_GT_semantic"
    if not semantic.is_dir():
        return rig_views(video, views)
    files = [semantic / view.image.parent.name / f"{view.image.stem}.png" for view in views]
    return rig_views(video, views, object_ids(class_ids(files, classes, video.size)[0], objects))
