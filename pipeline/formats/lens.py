"""Lenses by COLMAP's camera models, and the pinhole view that frames are undistorted to.

Parameters have COLMAP's order and meaning; pixel centres are at +0.5 as ours. pycolmap projects, OpenCV resamples.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pipeline.cameras import Intrinsics, directions_at_unit_depth, pixel_centres
from pipeline.runtime.errors import StageError

STRAIGHT_PX = 0.25  # largest displacement of a lens that counts as a pinhole
GRID = 33  # points along each side where displacements are measured
MOST_ZOOM = 2.0  # of a lens that is no fisheye: it would show a quarter of the image or less
ZOOMS = (0.2, 5.0)  # focal lengths that are tried for the pinhole view, times the lens's
PANORAMIC = "EQUIRECTANGULAR"
WIDEST, NARROWEST = 0.05, 100.0  # focal length over the longer side: beyond fisheyes and telescopes


@dataclass(frozen=True)
class Lens:
    """A camera model of COLMAP with its parameters, for images of one size in pixels."""

    model: str
    params: tuple[float, ...]
    width: int
    height: int

    @classmethod
    def pinhole(cls, camera: Intrinsics) -> "Lens":
        """The lens of a pinhole camera."""
        return cls("PINHOLE", tuple(camera.values.tolist()), camera.width, camera.height)

    @classmethod
    def of_values(cls, values: dict[str, Any]) -> "Lens":
        """From what `values` gives: a JSON object."""
        return cls(
            str(values["model"]), tuple(map(float, values["params"])), int(values["width"]), int(values["height"])
        )

    @property
    def values(self) -> dict[str, Any]:
        return {"model": self.model, "params": list(self.params), "width": self.width, "height": self.height}

    @property
    def colmap(self) -> Any:
        """The same lens as a pycolmap.Camera."""
        import pycolmap  # here: rendered scenes have pinholes, and machines that only train have no COLMAP

        return pycolmap.Camera(model=self.model, width=self.width, height=self.height, params=list(self.params))

    @property
    def camera(self) -> Intrinsics:
        """The pinhole part alone."""
        own = self.colmap
        focal = (own.focal_length_x, own.focal_length_y)
        return Intrinsics(*focal, own.principal_point_x, own.principal_point_y, self.width, self.height)

    def resized(self, height: int, width: int) -> "Lens":
        """The same lens for images of another size; distortion has no unit of length."""
        own = self.colmap
        own.rescale(width, height)
        return Lens(self.model, tuple(own.params), width, height)

    def cropped(self, top: int, left: int, height: int, width: int) -> "Lens":
        """The same lens for a part of its images."""
        params = list(self.params)
        for place, offset in zip(self.colmap.principal_point_idxs(), (left, top), strict=True):
            params[place] -= offset
        return Lens(self.model, tuple(params), width, height)

    def project(self, directions: Float[np.ndarray, "*batch xyz=3"]) -> Float[np.ndarray, "*batch xy=2"]:
        """Image points of directions in the camera's frame."""
        return self.colmap.img_from_cam(directions.reshape(-1, 3)).reshape(*directions.shape[:-1], 2)

    @property
    def displacement_px(self) -> float:
        """How far the lens moves image points from where a pinhole would have them, at most."""
        if self.model in ("PINHOLE", "SIMPLE_PINHOLE"):
            return 0.0
        x, y = np.meshgrid(np.linspace(0, self.width, GRID), np.linspace(0, self.height, GRID))
        straight = np.stack([x, y], axis=-1)
        moved = self.project(directions_at_unit_depth(self.camera, straight))
        return float(np.nanmax(np.linalg.norm(moved - straight, axis=-1)))

    @property
    def distorted(self) -> bool:
        return self.displacement_px > STRAIGHT_PX


def make_lens(model: str, params: list[float], width: int, height: int, where: str) -> Lens:
    """A lens of a known model with as many parameters as it needs; refuses what has no pinhole view."""
    if model == PANORAMIC:
        raise StageError(
            f"{where}: {PANORAMIC} images see all around and have no pinhole view; cut them into perspective views first "
            "(`ffmpeg -vf v360=e:flat`, or nerfstudio's `ns-process-data --camera-type equirectangular`)"
        )
    import pycolmap

    if model not in pycolmap.CameraModelId.__members__ or model == "INVALID":
        known = ", ".join(name for name in pycolmap.CameraModelId.__members__ if name != "INVALID")
        raise StageError(f"{where}: the camera model {model} is not known; known are {known}")
    lens = Lens(model, tuple(params), width, height)
    if not lens.colmap.verify_params():
        raise StageError(f"{where}: {model} needs the parameters {lens.colmap.params_info}, got {len(params)}")
    check_values(lens, where)
    return lens


def check_values(lens: Lens, where: str) -> None:
    """Refuse numbers that no camera has: they are in other units, or lost."""
    if min(lens.width, lens.height) < 1:
        raise StageError(f"{where}: the images are {lens.width}x{lens.height}; correct `w` and `h`, or leave them out")
    if not np.isfinite(lens.params).all():
        raise StageError(f"{where}: the {lens.model} lens has the parameters {lens.params}; they must be numbers")
    camera, larger = lens.camera, max(lens.width, lens.height)
    if not (NARROWEST > camera.fx / larger > WIDEST and NARROWEST > camera.fy / larger > WIDEST):
        raise StageError(
            f"{where}: focal lengths of {camera.fx:.4g} and {camera.fy:.4g} px for images of {lens.width}x{lens.height}; "
            "they are above 0, in pixels (not parts of the width, nor millimetres); angles of view are in radians"
        )
    if not (-1 < camera.cx / lens.width < 2 and -1 < camera.cy / lens.height < 2):
        raise StageError(
            f"{where}: the principal point ({camera.cx:.4g}, {camera.cy:.4g}) is far outside of images of "
            f"{lens.width}x{lens.height}; it is in pixels from the left top corner: were the images cropped or resized?"
        )
    if max(abs(camera.cx), abs(camera.cy)) <= 1 and min(lens.width, lens.height) > 4:
        raise StageError(
            f"{where}: the principal point ({camera.cx:.4g}, {camera.cy:.4g}) is the left top corner of images of "
            f"{lens.width}x{lens.height}; it is in pixels from there, not a share of the size, nor counted from the middle"
        )


@dataclass(frozen=True)
class Undistortion:
    """Where each pixel of the pinhole view is in the image of the lens, the pinhole, and the lens."""

    source_xy: Float[np.ndarray, "height width xy=2"]
    camera: Intrinsics
    lens: Lens

    def apply(self, image: np.ndarray, exact: bool = False) -> np.ndarray:
        """An image of the lens as the pinhole sees it; `exact` takes the nearest value, for ids and depths.

        An image of another size than the lens's is first brought to it, by the nearest pixel.
        """
        height, width = self.source_xy.shape[:2]
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        x, y = np.moveaxis(self.source_xy.astype(np.float32) - np.float32(0.5), -1, 0)  # OpenCV counts from centres
        how = cv2.INTER_NEAREST if exact else cv2.INTER_CUBIC
        return cv2.remap(image, x, y, how, borderMode=cv2.BORDER_REPLICATE)

    def points(self, xy: Float[np.ndarray, "*batch xy=2"]) -> Float[np.ndarray, "*batch xy=2"]:
        """Where the pinhole has image points of the lens; NaN where the lens has no direction."""
        rays = np.asarray(self.lens.colmap.cam_from_img(xy.reshape(-1, 2).astype(np.float64)))
        return rays.reshape(xy.shape) * self.camera.values[:2] + self.camera.values[2:]

    def flow(
        self, flow: Float[np.ndarray, "height width xy=2"], valid: Bool[np.ndarray, "height width"]
    ) -> tuple[Float[np.ndarray, "height width xy=2"], Bool[np.ndarray, "height width"]]:
        """Flow between images of the lens as flow between those of the pinhole, each pixel's that of the nearest one."""
        start = pixel_centres(*flow.shape[:2])
        ends = self.points(start + flow) - self.points(start)
        known = np.isfinite(ends).all(-1)
        straight = np.where(known[..., None], ends, 0).astype(np.float32)
        return self.apply(straight, exact=True), self.apply((valid & known).astype(np.uint8), exact=True).astype(bool)


def straight_images(view: Undistortion | None, images: np.ndarray) -> np.ndarray:
    """Images of all frames in the pinhole view; as they are where there is none."""
    return images if view is None else np.stack([view.apply(image) for image in images])


def straight_ids(view: Undistortion | None, object_ids: np.ndarray) -> np.ndarray:
    """The same of ids, each pixel's that of the nearest one."""
    return object_ids if view is None else np.stack([view.apply(ids, exact=True) for ids in object_ids])


def changes_in_frames(
    view: Undistortion | None, before: np.ndarray, after: np.ndarray, frame_ids: np.ndarray
) -> np.ndarray:
    """Ids of frames with what changed in the pinhole view, each pixel's that of the nearest one; beyond it they stay."""
    if view is None:
        return np.where(before != after, after, frame_ids)
    x, y = np.moveaxis(view.points(pixel_centres(*frame_ids.shape[1:])).astype(np.float32) - np.float32(0.5), -1, 0)
    result = frame_ids.copy()
    for frame, old, new in zip(result, before, after, strict=True):
        changed = cv2.remap((old != new).astype(np.uint8), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) > 0
        frame[changed] = cv2.remap(new, x, y, cv2.INTER_NEAREST)[changed]
    return result


def undistortion(lens: Lens) -> Undistortion:
    """The widest pinhole view of a lens's size and principal point all of whose pixels the lens saw."""
    low, high = ZOOMS
    if not sees_all(lens, high):
        raise StageError(
            f"no pinhole view lies inside the image of {lens.model} {lens.params}; are the parameters right?"
        )
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if sees_all(lens, middle) else (middle, high)
    if high > MOST_ZOOM and "FISHEYE" not in lens.model and lens.model not in ("FOV", "EUCM"):
        terms = ", ".join(f"{value:g}" for value in lens.params)
        raise StageError(
            f"the {lens.model} lens ({terms}) moves image points by up to {lens.displacement_px:.0f} px of "
            f"{lens.width}x{lens.height}: are its terms in other units, or of another model?"
        )
    camera = zoomed(lens.camera, high)
    directions = directions_at_unit_depth(camera, pixel_centres(lens.height, lens.width))
    return Undistortion(lens.project(directions), camera, lens)


def zoomed(camera: Intrinsics, factor: float) -> Intrinsics:
    """A camera with a longer focal length and square pixels."""
    focal = factor * camera.fx
    return Intrinsics(focal, focal, camera.cx, camera.cy, camera.width, camera.height)


def sees_all(lens: Lens, factor: float) -> bool:
    """Whether the lens saw all that a pinhole of `factor` times its focal length would see."""
    along_x, along_y = np.linspace(0, lens.width, GRID), np.linspace(0, lens.height, GRID)
    border = [np.stack(np.broadcast_arrays(along_x, y), axis=-1) for y in (0.0, float(lens.height))]
    border += [np.stack(np.broadcast_arrays(x, along_y), axis=-1) for x in (0.0, float(lens.width))]
    seen = lens.project(directions_at_unit_depth(zoomed(lens.camera, factor), np.concatenate(border)))
    inside = (seen >= 0) & (seen <= [lens.width, lens.height])
    return bool(np.isfinite(seen).all() and inside.all())
