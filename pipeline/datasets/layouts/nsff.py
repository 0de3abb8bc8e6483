"""NVIDIA Dynamic Scene as NSFF has it: 24 frames from 12 cameras in turn; all other cameras at every time are judged.

PATH is the scene or its folder dense/. Images are 288 pixels high, smaller ones are left as they are. The moving pixels of
mv_masks/ are ids 0 and 1 of the truth: NSFF judges them alone, too.
"""

from pathlib import Path

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.imported_scene import ImportedScene, only_split
from pipeline.datasets.multiview import (
    RigVideo,
    RigView,
    camera_files,
    check_cameras,
    masked_rig_scene,
    read_video,
    rig_views,
    time_folders,
)
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TruthViews

PROTOCOL = "nsff"
FINAL_HEIGHT = 288


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene."""
    split = only_split(config, "other cameras", path)
    folder = path / "dense" if (path / "dense").is_dir() else path
    video = read_video(folder, config.factor or reduction, "images_{width}x{height}")
    test = other_cameras(folder, video) if (folder / "mv_images").is_dir() else None
    return masked_rig_scene(folder, video, PROTOCOL, split, test)


def reduction(height: int) -> float:
    """How many times smaller images of a height become."""
    return max(1.0, height / FINAL_HEIGHT)


def other_cameras(folder: Path, video: RigVideo) -> TruthViews:
    """Every camera at every time, but for the one that took the video's frame."""
    files = {time: camera_files(path) for time, path in time_folders(folder / "mv_images", len(video.names)).items()}
    cameras = 1 + max(max(found) for found in files.values())
    check_cameras(video, cameras)
    views = []
    for time in range(len(video.names)):
        for camera in range(cameras):
            if camera == time % cameras:
                continue
            if camera not in files.get(time, {}):
                raise StageError(
                    f"{folder / 'mv_images'} lacks cam{camera + 1:02d} at time {time}; {cameras} cameras are expected"
                )
            views.append(RigView(camera, time, files[time][camera]))
    return rig_views(video, views, moving_pixels(folder, views))


def moving_pixels(folder: Path, views: list[RigView]) -> list[Path] | None:
    """The mask of each view, where the scene has them."""
    if not (folder / "mv_masks").is_dir():
        return None
    paths = [folder / "mv_masks" / view.image.parent.name / f"{view.image.stem}.png" for view in views]
    if missing := [path for path in paths if not path.is_file()]:
        raise StageError(f"{missing[0]} is missing; mv_masks has a mask for each view of mv_images")
    return paths
