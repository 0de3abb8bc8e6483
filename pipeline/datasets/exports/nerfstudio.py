"""nerfstudio's own form, as `ns-process-data` leaves it: for `--data FOLDER` of any of its methods.

Writes  transforms.json, images/, masks/ (white on the static background), depths/ (16 bits, thousandths of a unit),
        sparse_pc.ply

There is no `applied_transform`: the poses are those of the world, and nerfstudio orients and scales them itself.
"""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt16

from pipeline.datasets.exports.colmap import model_of
from pipeline.datasets.posed_video import PosedVideo
from pipeline.formats.frames_folder import write_image
from pipeline.formats.transforms_file import NamedPoses, write_transforms

log = logging.getLogger(__name__)
DEPTH_UNIT = 1e-3  # nerfstudio's depth_unit_scale_factor
COARSE = 100  # steps of the depth unit to the median depth, below which depth is too coarse
LARGEST = np.iinfo(np.uint16).max


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    warn_of_depth(video)
    for name, image, mask, depth in zip(video.names, video.images, video.masks, video.depth, strict=True):
        write_image(folder / "images" / name, image)
        write_image(folder / "masks" / name, mask)
        write_image(folder / "depths" / name, depth_image(depth))
    model_of(video).export_PLY(folder / "sparse_pc.ply")
    poses = NamedPoses([f"images/{name}" for name in video.names], video.world_from_camera, None)
    masks = [f"masks/{name}" for name in video.names]
    more = [
        {"depth_file_path": f"depths/{name}", "time": time}
        for name, time in zip(video.names, video.unit_times.tolist(), strict=True)
    ]
    write_transforms(folder / "transforms.json", poses, video.camera, masks, "sparse_pc.ply", more)


def depth_image(depth: Float[np.ndarray, "height width"]) -> UInt16[np.ndarray, "height width"]:
    """Depth in thousandths; 0 where it is unknown or exceeds 16 bits."""
    steps = np.rint(depth / DEPTH_UNIT)
    return np.where(steps <= LARGEST, steps, 0).astype(np.uint16)


def warn_of_depth(video: PosedVideo) -> None:
    """Units are arbitrary where nobody gave metric poses, and 16 bits may not hold them."""
    known = video.depth[video.depth > 0]
    too_far = (known > LARGEST * DEPTH_UNIT).mean() if len(known) else 0.0
    if too_far:
        log.warning("%.0f %% of the depths exceed %.1f units and are left out", 100 * too_far, LARGEST * DEPTH_UNIT)
    if len(known) and np.median(known) < COARSE * DEPTH_UNIT:
        log.warning("depths are near %.2g units, and are kept in steps of %g", np.median(known), DEPTH_UNIT)
