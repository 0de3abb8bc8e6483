"""nerfstudio's own form, as `ns-process-data` leaves it: for `--data FOLDER` of any of its methods.

Writes  transforms.json, images/, masks/ (white on the static background), depths/ (16 bits, thousandths of a unit),
        sparse_pc.ply

Truth's test views, if there are any, are images/test_*.png with a camera each, masks of what is to be judged and no depth,
in the lists `test_filenames` and `val_filenames`. There is no `applied_transform`: the poses are those of the world, and
nerfstudio orients and scales them itself.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8, UInt16

from pipeline.cameras import Intrinsics
from pipeline.datasets.exports.colmap import model_of
from pipeline.datasets.posed_video import PosedVideo
from pipeline.formats.colmap_files import save_points
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
        write_parts(folder, name, image, mask, depth)
    save_points(folder / "sparse_pc.ply", model_of(video))
    times = video.unit_times
    own = [said(name, time) for name, time in zip(video.names, times.tolist(), strict=True)]
    names, poses, lists = video.names, video.world_from_camera, {}
    if (views := video.held_out) is not None:
        tests = [f"test_{row:06d}.png" for row in range(len(views.frame))]
        for row, name in enumerate(tests):
            used = np.ones(views.images.shape[1:3], bool) if views.covisible is None else views.covisible[row]
            write_parts(folder, name, views.images[row], np.where(used, 255, 0).astype(np.uint8), np.zeros(used.shape))
        own += [
            said(name, float(times[frame])) | intrinsics_of(camera)
            for name, frame, camera in zip(tests, views.frame, views.cameras, strict=True)
        ]
        # A reader that finds one list looks for all three.
        train, test = ([f"images/{name}" for name in some] for some in (names, tests))
        lists = {"train_filenames": train, "val_filenames": test, "test_filenames": test}
        names, poses = names + tests, np.concatenate([poses, views.world_from_camera])
    given = NamedPoses([f"images/{name}" for name in names], poses, None)
    masks = [f"masks/{name}" for name in names]
    write_transforms(folder / "transforms.json", given, video.camera, masks, "sparse_pc.ply", own, lists)


def write_parts(
    folder: Path,
    name: str,
    image: UInt8[np.ndarray, "height width rgb=3"],
    mask: UInt8[np.ndarray, "height width"],
    depth: Float[np.ndarray, "height width"],
) -> None:
    """An image, what of it is used, and its depth: its readers want all of these for all images or for none."""
    write_image(folder / "images" / name, image)
    write_image(folder / "masks" / name, mask)
    write_image(folder / "depths" / name, depth_image(depth))


def said(name: str, time: float) -> dict[str, Any]:
    """What an entry says beside its image, mask and pose."""
    return {"depth_file_path": f"depths/{name}", "time": time}


def intrinsics_of(camera: Intrinsics) -> dict[str, float]:
    """The camera of one entry."""
    return {
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "w": camera.width,
        "h": camera.height,
    }


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
