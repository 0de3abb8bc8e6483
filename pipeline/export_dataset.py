"""The video with the background's cameras as a data set that other tools train on, in each of the formats asked for.

Frames without a pose are left out. Masks are white on the static background, so that methods for static scenes leave out
what moves. Depth is that of the background's points where frames show them, 0 elsewhere: sparse, but sure. All is in the
world of `results/NAME/export/0`; frames are undistorted.

Reads   frames/, frames.json, masks.h5
        reconstruction/   one COLMAP model per object, of which the background's is taken
        geometry.json     its verdict, and the frames' lens where it is to be undone
Writes  exported_dataset/
          nerfstudio/   transforms.json, images/, masks/, depths/, sparse_pc.ply
          colmap/       images/, sparse/0/, masks/
          dycheck/      camera/, rgb/, depth/, splits/, ...: Nerfies' and HyperNeRF's form
          dnerf/        transforms_train.json, train/, ...
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.cameras import BACKGROUND_ID, inverse
from pipeline.cli import run_stage
from pipeline.config import DatasetFormat, ExportDatasetConfig
from pipeline.datasets.exports import colmap, dnerf, dycheck, nerfstudio
from pipeline.datasets.posed_video import PosedVideo, sparse_depth
from pipeline.formats.frames_folder import read_frames, read_frames_info
from pipeline.formats.geometry_file import lens_words, read_geometry
from pipeline.formats.lens import Undistortion, straight_ids, straight_images
from pipeline.formats.masks_file import read_masks
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import read_tracked_model
from pipeline.sfm.rigid_model import usable

log = logging.getLogger("pipeline.export_dataset")
WRITERS: dict[DatasetFormat, Callable[[Path, PosedVideo], None]] = {
    "nerfstudio": nerfstudio.write,
    "colmap": colmap.write,
    "dycheck": dycheck.write,
    "dnerf": dnerf.write,
}
FEWEST_FRAMES, FEWEST_POINTS = 2, 8


def export_dataset(
    frames: Path,
    info: Path,
    masks: Path,
    reconstruction: Path,
    geometry: Path,
    exported_dataset: Path,
    config: ExportDatasetConfig,
) -> None:
    """Write every format."""
    judged = read_geometry(geometry)
    for entry in judged.objects:
        if entry.id == BACKGROUND_ID and entry.verdict != "ok":
            log.warning("%s", entry.doubt)
    video = posed_video(frames, info, masks, reconstruction, judged.view)
    with whole(exported_dataset) as partial:
        for name in config.formats:
            WRITERS[name](partial / name, video)
    names = ", ".join(config.formats)
    log.info("%d frames are in %s, as %s%s", len(video.number), exported_dataset, names, lens_words(judged))


def posed_video(
    frames: Path, info: Path, masks: Path, reconstruction: Path, view: Undistortion | None = None
) -> PosedVideo:
    """The frames that have a pose, in the pinhole view of the reconstruction, with the points of the background."""
    images, object_ids = read_frames(frames), read_masks(masks)
    if images.shape[:3] != object_ids.shape:
        raise StageError(f"{masks} has shape {object_ids.shape}, {frames} has {images.shape[:3]}; run them again")
    images, object_ids = straight_images(view, images), straight_ids(view, object_ids)
    model, seen = read_tracked_model(reconstruction / str(BACKGROUND_ID), len(images))
    number = np.flatnonzero(model.registered)
    seen = seen.kept(usable(model, seen))
    if len(number) < FEWEST_FRAMES or len(np.unique(seen.track)) < FEWEST_POINTS:
        raise StageError(
            f"the background has {len(number)} frames with a pose and {len(np.unique(seen.track))} points, a data set "
            f"needs {FEWEST_FRAMES} and {FEWEST_POINTS}; see the verdicts of reconstruct_objects"
        )
    chosen, point = np.unique(seen.track, return_inverse=True)
    place = np.searchsorted(number, seen.frame)
    poses = model.camera_from_object[number]
    times_s = np.array([float(frame["time_s"]) for frame in read_frames_info(info)["frames"]])
    return PosedVideo(
        images=images[number],
        background=object_ids[number] == BACKGROUND_ID,
        depth=sparse_depth(model.points[seen.track], seen.xy, place, poses, images.shape[1:3]),
        number=number,
        times_s=times_s[number],
        camera=model.camera,
        world_from_camera=inverse(poses),
        points=model.points[chosen],
        observed_point=point,
        observed_frame=place,
        observed_xy=seen.xy,
    )


if __name__ == "__main__":
    run_stage(export_dataset)
