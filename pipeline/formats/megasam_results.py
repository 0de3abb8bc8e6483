"""The results of MegaSaM (Li et al., 2025), of all three places where its scripts leave them.

By camera_tracking_scripts/test_demo.py and cvd_opt/cvd_opt.py of mega-sam/mega-sam (2025-06):

    outputs_cvd/NAME_sgd_cvd_hr.npz  `images` (frame, height, width, 3), `depths` in half precision, `intrinsic` 3x3,
                                     `cam_c2w` world_from_camera with OpenCV's axes. Depth has the unit of the poses; it is
                                     clipped to 0.001 and 100, which say nothing.
    outputs/NAME_droid.npz           the same in single precision, before depth was optimised: the inverse of a network's
                                     disparity, by one scale and shift for all frames; 1e-6 is unknown
    reconstructions/NAME/            poses.npy (frame, 7): camera_from_world as translation and quaternion x y z w;
                                     intrinsics.npy (frame, 4): fx, fy, cx, cy; disps.npy, 1 / depth as above; images.npy

Images are resized to an area of 384 x 512 pixels, then cut at the right and below to multiples of 8. Order names the frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from pipeline.cameras import inverse, rigid
from pipeline.formats.lens import Lens
from pipeline.formats.pose_arrays import Matrices, array_names, loaded, numbered, pinhole, square, the_one
from pipeline.formats.tool_depth import DepthMeaning, Size, ToolDepth
from pipeline.formats.transforms_file import NamedPoses
from pipeline.runtime.errors import StageError

TOOL = "MegaSaM"
AREA, CUT = 384 * 512, 8
FOLDERS = {"*_sgd_cvd_hr.npz": ("", "outputs_cvd"), "*_droid.npz": ("", "outputs")}
RECONSTRUCTION = ("poses.npy", "intrinsics.npy", "disps.npy")
NEAREST, FARTHEST = 1.5e-3, 99.0  # optimised depth beyond these was clipped
LEAST = 1e-5  # depth that was not optimised is unknown below


@dataclass(frozen=True)
class Results:
    """What MegaSaM found: poses, the matrix of its camera for its images, their (height, width), and depth, 0 where unknown."""

    path: Path
    world_from_camera: Matrices
    matrix: Float[np.ndarray, "3 3"]
    size: Size
    depth: Float[np.ndarray, "frame height width"]
    meaning: DepthMeaning


def results(path: Path) -> Results | None:
    """The results at or in a path; None where it is not MegaSaM's."""
    if path.is_dir() and all((path / name).is_file() for name in RECONSTRUCTION):
        return of_reconstruction(path)
    file = path if path.is_file() and path.suffix.lower() == ".npz" else archive_in(path)
    if file is None:
        return None
    return of_archive(file) if {"cam_c2w", "intrinsic", "depths"} <= array_names(file) else None


def archive_in(path: Path) -> Path | None:
    """The archive of one video in a folder or where MegaSaM puts it below: optimised depth before any other."""
    for pattern, folders in FOLDERS.items():
        for folder in folders:
            if files := sorted((path / folder).glob(pattern)) if path.is_dir() else []:
                return the_one(files, "results")
    return None


def of_archive(file: Path) -> Results:
    """An .npz, with depth that was optimised or not."""
    arrays = loaded(file)
    depth = checked(arrays, file)
    optimised = depth.dtype == np.float16
    known = ((depth > NEAREST) & (depth < FARTHEST)) if optimised else depth > LEAST
    return Results(
        file,
        square(arrays["cam_c2w"], file),
        np.median(arrays["intrinsic"].reshape(-1, 3, 3), axis=0),
        (depth.shape[1], depth.shape[2]),
        masked(depth, known),
        "one scale" if optimised else "inverse",
    )


def checked(arrays: Mapping[str, np.ndarray], file: Path) -> np.ndarray:
    """The depth of an archive, as long as its poses."""
    depth = arrays["depths"]
    if depth.ndim != 3 or len(depth) != len(arrays["cam_c2w"]):
        raise StageError(
            f"{file} has `depths` of shape {depth.shape} and {len(arrays['cam_c2w'])} poses; it needs one map (height, width) "
            "a pose: run MegaSaM's last step again"
        )
    return depth


def of_reconstruction(folder: Path) -> Results:
    """The folder of camera tracking."""
    poses, cameras, disparity = (loaded(folder / name)["data"] for name in RECONSTRUCTION)
    if poses.ndim != 2 or poses.shape[1] != 7 or len(disparity) != len(poses) or cameras.shape[-1] != 4:
        raise StageError(
            f"{folder} has poses {poses.shape}, intrinsics {cameras.shape} and disps {disparity.shape}; MegaSaM's are "
            "(frames, 7), (frames, 4) and (frames, height, width): run its camera tracking again"
        )
    camera_from_world = rigid(Rotation.from_quat(poses[:, 3:]).as_matrix(), poses[:, :3].astype(float))
    fx, fy, cx, cy = np.median(cameras.reshape(-1, 4), axis=0)
    depth = 1 / np.maximum(disparity, 1e-9)
    return Results(
        folder,
        inverse(camera_from_world),
        np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
        (disparity.shape[1], disparity.shape[2]),
        masked(depth, (depth > LEAST) & (disparity > 0)),
        "inverse",
    )


def masked(
    depth: Float[np.ndarray, "frame height width"], known: Bool[np.ndarray, "frame height width"]
) -> Float[np.ndarray, "frame height width"]:
    """Depth, 0 where it is not known."""
    return np.where(known, depth, 0).astype(np.float32)


def megasam_poses(path: Path, size: Size | None) -> NamedPoses | None:
    """Poses with the camera for images of a (height, width); None where the path is not MegaSaM's."""
    if (found := results(path)) is None:
        return None
    whole = whole_size(found.size, size) if size else None
    # The camera counts from the left top corner, which was not cut.
    lens: Lens = pinhole(found.matrix, whole or found.size, found.path)
    names = numbered(range(len(found.world_from_camera)))
    return NamedPoses(names, found.world_from_camera, lens, in_order=True, tool=TOOL)


def megasam_depth(path: Path) -> ToolDepth | None:
    """Depth of all frames; None where the path is not MegaSaM's."""
    if (found := results(path)) is None:
        return None

    def whole(one: Float[np.ndarray, "height width"], size: Size) -> Float[np.ndarray, "rows columns"]:
        if (full := whole_size((one.shape[0], one.shape[1]), size)) is None:
            raise StageError(
                f"{found.path} has maps of {one.shape[1]}x{one.shape[0]}, which images of {size[1]}x{size[0]} do not become; "
                f"run {TOOL} on the video as it is, or on results/NAME/frames"
            )
        return np.pad(one, [(0, full[0] - one.shape[0]), (0, full[1] - one.shape[1])])

    numbers = list(range(len(found.depth)))
    return ToolDepth(TOOL, found.path, numbers, found.meaning, lambda places: found.depth[list(places)], whole)


def whole_size(cut: Size, size: Size) -> Size | None:
    """The (height, width) to which images of a size were resized before they were cut; None where they do not become that.

    One pixel is allowed for: the size may be that of frames which were resized before.
    """
    height, width = (int(extent * np.sqrt(AREA / (size[0] * size[1]))) for extent in size)
    full = tuple(max(own, whole) for own, whole in zip(cut, (height, width), strict=True))
    near = all(own - 1 <= whole <= own + CUT for own, whole in zip(cut, (height, width), strict=True))
    return (full[0], full[1]) if near else None
