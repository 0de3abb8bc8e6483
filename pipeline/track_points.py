"""Points followed through the video: carried by optical flow, placed by registration against the image of their birth.

Reads   frames/    images
        flow.h5    flow between neighbouring frames with its validity
        masks.h5   object ids
Writes  tracks.h5  observations of points with their uncertainty
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipeline.cli import run_stage
from pipeline.config import TrackPointsConfig
from pipeline.correspondence.lucas_kanade import smooth_image
from pipeline.correspondence.point_tracks import collect, follow
from pipeline.formats.flow_file import read_flow_pairs
from pipeline.formats.frames_folder import frame_paths, read_frame
from pipeline.formats.masks_file import read_masks
from pipeline.formats.tracks_file import write_tracks
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.runtime.threads import one_thread_each

log = logging.getLogger(__name__)


def track_points(frames: Path, flow: Path, masks: Path, tracks: Path, config: TrackPointsConfig) -> None:
    """Follow points of every object through the video."""
    object_ids = read_masks(masks)
    paths = frame_paths(frames)
    if len(paths) != len(object_ids):
        raise StageError(f"{masks} has {len(object_ids)} frames, {frames} has {len(paths)}; run segment_objects again")
    images = (smooth_image(read_frame(path)) for path in progress(paths, "tracking frame"))
    with one_thread_each() as threads, ThreadPoolExecutor(threads) as pool:
        found = collect(follow(images, object_ids, read_flow_pairs(flow), config, pool), config.min_length)
    write_tracks(tracks, found, {"spacing_px": config.spacing_px, "patch_radius_px": config.patch_radius_px})
    for k in np.unique(found.object_ids):
        log.info("object %d: %d tracks", k, int((found.object_ids == k).sum()))
    if not len(found.object_ids):
        log.warning("no point could be followed over %d frames: the images have no texture or jump", config.min_length)


if __name__ == "__main__":
    run_stage(track_points)
