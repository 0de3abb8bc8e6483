"""NVIDIA Dynamic Scene as DynamicNeRF has it: 12 frames, each of another camera; the first camera at all times is judged.

Frame 0 is a test view and a training image at once, as in the papers' numbers. `split: yoon` takes times 1 to 10 only
(Yoon et al.). True views lie in gt/ (v000_t000.png, ...) or in multiview_GT/TIME/cam01.jpg.
"""

from pathlib import Path

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.files import IMAGE_SUFFIXES, listed
from pipeline.datasets.imported_scene import ImportedScene
from pipeline.datasets.multiview import (
    RigView,
    camera_files,
    masked_rig_scene,
    read_video,
    rig_views,
    time_folders,
)
from pipeline.formats.frame_files import last_number
from pipeline.runtime.errors import StageError

PROTOCOL = "dynnerf"
FACTOR = 2
SPLITS = ("view0", "yoon")


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene, at half the size of its images."""
    split, factor = chosen_split(config), config.factor or FACTOR
    video = read_video(path, factor, f"images_{factor}")
    views = first_camera(path, len(video.names), split)
    return masked_rig_scene(path, video, PROTOCOL, split, rig_views(video, views) if views else None)


def chosen_split(config: ImportDatasetConfig) -> str:
    """The list of test views."""
    split = config.split or SPLITS[0]
    if split not in SPLITS:
        raise StageError(f"import_dataset.split is {split}; this layout has {' and '.join(SPLITS)}")
    return split


def first_camera(path: Path, frames: int, split: str) -> list[RigView]:
    """The first camera at all times of a split; nothing where the true views are not there."""
    found = files_of_first_camera(path, frames)
    times = range(1, frames - 1) if split == "yoon" else range(frames)
    if missing := [time for time in times if found and time not in found]:
        raise StageError(
            f"{path}: the true view of the first camera at time {missing[0]} is missing (of times 0 to {frames - 1})"
        )
    return [RigView(0, time, found[time]) for time in times if found]


def files_of_first_camera(path: Path, frames: int) -> dict[int, Path]:
    """By time, from 0."""
    if (path / "gt").is_dir():
        files = listed(path / "gt", IMAGE_SUFFIXES, "true views (v000_t000.png, ...)")
        return {int(last_number(file.stem) or 0): file for file in files if file.stem.startswith("v000")}
    if (path / "multiview_GT").is_dir():
        return {time: camera_files(folder)[0] for time, folder in time_folders(path / "multiview_GT", frames).items()}
    return {}
