"""Truth's test views as an export carries them: at the frames' times, in the world that was estimated."""

import logging
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pipeline.cameras import Intrinsics
from pipeline.datasets.files import by_area, nearest
from pipeline.datasets.posed_video import HeldOutViews
from pipeline.geometry.similarity_alignment import align_poses
from pipeline.truth.alignment import held_out_camera, path_radius, truth_rows
from pipeline.truth.truth_file import Truth

log = logging.getLogger(__name__)
LEAST_MOTION = 1e-3  # of the distance to what is seen: below it the cameras tell no scale of the world


def held_out_views(
    truth: Truth,
    info: dict[str, Any],
    number: Int[np.ndarray, "frame"],
    world_from_camera: Float[np.ndarray, "frame 4 4"],
    camera: Intrinsics,
    distance: float,
) -> HeldOutViews | None:
    """The test views of the times of frames; None, with a word, where there is none or the world cannot be aligned.

    `number` are the frames' places among those of `info`; `distance` is how far away things are, in the estimated units.
    """
    rows = truth_rows(info, truth.train)[number]
    known = np.flatnonzero(rows >= 0)
    if len(known) < 2 or path_radius(world_from_camera[known]) < LEAST_MOTION * distance:
        log.warning("the camera hardly moves where truth knows it, so its test views have no place in this world")
        return None
    estimated_from_true = align_poses(truth.train.world_from_camera[rows[known]], world_from_camera[known])
    frame_of_time = {int(info["frames"][index]["source_index"]): frame for frame, index in enumerate(number.tolist())}
    views = [row for row, time in enumerate(truth.test.time.tolist()) if time in frame_of_time]
    if not views or not truth.test.knows("images"):
        log.warning("truth has no test view at the time of a frame that has a pose: none is exported")
        return None
    cameras = [held_out_camera(camera, truth, row) for row in views]
    sizes = [(one.height, one.width) for one in cameras]
    covisible = truth.test.covisible
    return HeldOutViews(
        images=np.stack([by_area(truth.test.images[row], size) for row, size in zip(views, sizes, strict=True)]),
        frame=np.array([frame_of_time[int(truth.test.time[row])] for row in views]),
        cameras=cameras,
        world_from_camera=estimated_from_true.poses(truth.test.world_from_camera[views].astype(np.float64)),
        covisible=None
        if covisible is None
        else np.stack(
            [nearest(covisible[row].astype(np.uint8), size) > 0 for row, size in zip(views, sizes, strict=True)]
        ),
    )
