"""The video with the background's cameras as a data set that other tools train on, in each of the formats asked for.

Frames without a pose are left out. Masks are white on the static background, so that methods for static scenes leave out
what moves. Depth is that of the background's points where frames show them, 0 elsewhere: sparse, but sure; or, by a
trained method, that of every pixel. Where there is truth, its test views are the test split of the formats that have one.
All is in the world of `results/NAME/export/0`; frames are undistorted.

Reads   frames/, frames.json, masks.h5
        reconstruction/   one COLMAP model per object, of which the background's is taken
        geometry.json     its verdict, and the frames' lens where it is to be undone
        truth.h5, scene.h5 and a checkpoint of a method, if there are any
Writes  exported_dataset/
          nerfstudio/   transforms.json, images/, masks/, depths/, sparse_pc.ply
          colmap/       images/, sparse/0/, masks/
          dycheck/      camera/, rgb/, depth/, splits/, ...: Nerfies' and HyperNeRF's form
          dnerf/        transforms_train.json, train/, ...
          osn/          transforms_train.json, images_train/, segm_sam/, ...
          llff/         poses_bounds.npy, images/, motion_masks/
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cameras import BACKGROUND_ID, inverse
from pipeline.cli import run_stage
from pipeline.config import DatasetFormat, ExportDatasetConfig
from pipeline.datasets.exports import colmap, dnerf, dycheck, llff, nerfstudio, osn
from pipeline.datasets.held_out_views import held_out_views
from pipeline.datasets.posed_video import PosedVideo, sparse_depth
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import read_frames, read_frames_info
from pipeline.formats.geometry_file import Geometry, lens_words, read_geometry
from pipeline.formats.lens import Undistortion, straight_ids, straight_images
from pipeline.formats.masks_file import read_masks
from pipeline.formats.scene_file import FLOW_FIELDS, read_scene
from pipeline.rendering.dense_depth import dense_depth
from pipeline.rendering.trained_method import TrainedMethod, load_method
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError
from pipeline.sfm.colmap import read_tracked_model
from pipeline.sfm.rigid_model import usable
from pipeline.truth.shown_truth import shown_truth
from pipeline.truth.truth_file import read_truth

log = logging.getLogger("pipeline.export_dataset")
WRITERS: dict[DatasetFormat, Callable[[Path, PosedVideo], None]] = {
    "nerfstudio": nerfstudio.write,
    "colmap": colmap.write,
    "dycheck": dycheck.write,
    "dnerf": dnerf.write,
    "osn": osn.write,
    "llff": llff.write,
}
FEWEST_FRAMES, FEWEST_POINTS = 2, 8
RAYS_AT_ONCE = 1 << 15


def export_dataset(
    frames: Path,
    info: Path,
    masks: Path,
    reconstruction: Path,
    geometry: Path,
    truth: Path | None,
    scene: Path | None,
    checkpoint: Path | None,
    exported_dataset: Path,
    config: ExportDatasetConfig,
) -> None:
    """Write every format."""
    judged = read_geometry(geometry)
    for entry in judged.objects:
        if entry.id == BACKGROUND_ID and entry.verdict != "ok":
            log.warning("%s", entry.doubt)
    video = posed_video(frames, info, masks, reconstruction, judged.view)
    if truth is not None:
        video = with_held_out(video, read_frames_info(info), judged, truth)
    if checkpoint is not None and scene is not None:
        video = with_dense_depth(video, load_method(checkpoint, read_scene(scene, without=FLOW_FIELDS), stage_device()))
    with whole(exported_dataset) as partial:
        for name in config.formats:
            WRITERS[name](partial / name, video)
    names = ", ".join(config.formats)
    tests = f" and {len(video.held_out.frame)} test views" if video.held_out else ""
    log.info("%d frames%s are in %s, as %s%s", len(video.number), tests, exported_dataset, names, lens_words(judged))


def with_held_out(video: PosedVideo, info: dict[str, Any], judged: Geometry, truth: Path) -> PosedVideo:
    """The video with truth's test views, which only judge."""
    kept = replace(KeptFrames.of_info(info), frame_lens=judged.lens)
    true = shown_truth(read_truth(truth), kept.view)
    distance = float(np.median(video.distances))
    views = held_out_views(true, info, video.number, video.world_from_camera, video.camera, distance)
    return replace(video, held_out=views)


def with_dense_depth(video: PosedVideo, method: TrainedMethod) -> PosedVideo:
    """The video with the depth that a trained method sees."""
    depth = dense_depth(method, video.number, video.world_from_camera, RAYS_AT_ONCE)
    return replace(video, depth=depth, dense=True)


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
        object_ids=object_ids[number],
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
