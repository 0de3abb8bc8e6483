"""Views of data sets that have a lens each, as a pinhole sees them; and the video's frame nearest to a view's time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.datasets.imported_scene import SAME_TIME, ImportedScene
from pipeline.formats.lens import Lens, Undistortion, undistortion
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import known_views

view_of_lens = lru_cache(maxsize=64)(undistortion)


@dataclass(frozen=True)
class SeenView:
    """An image with its lens and pose, what of it is to be used, and its depth along the axis (0 is unknown)."""

    name: str
    time: float
    lens: Lens
    world_from_camera: Float[np.ndarray, "4 4"]
    image: UInt8[np.ndarray, "height width rgb=3"]
    used: Bool[np.ndarray, "height width"]
    depth: Float[np.ndarray, "height width"] | None = None

    @property
    def straight(self) -> "SeenView":
        """As a pinhole camera sees it."""
        if not self.lens.distorted:
            return replace(self, lens=Lens.pinhole(self.lens.camera))
        view: Undistortion = view_of_lens(self.lens)
        return replace(
            self,
            lens=Lens.pinhole(view.camera),
            image=view.apply(self.image),
            used=view.apply(self.used.astype(np.uint8), exact=True) > 0,
            depth=None if self.depth is None else view.apply(self.depth, exact=True),
        )

    @property
    def filled(self) -> "SeenView":
        """With what is not to be used painted over from around it, so that no black spot becomes content."""
        if self.used.all():
            return self
        holes = np.where(self.used, 0, 255).astype(np.uint8)
        return replace(self, image=np.asarray(cv2.inpaint(self.image, holes, 3, cv2.INPAINT_TELEA), np.uint8))


def scene_of_views(
    views: list[SeenView],
    protocol: str,
    split: str,
    keypoints: Float[np.ndarray, "frame joint 3"] | None = None,
    **more: Any,
) -> ImportedScene:
    """A scene whose video is these views, in the order of time; `more` are the other fields of the scene."""
    images, poses = stacked(views, "image"), stacked(views, "world_from_camera")
    frames = np.arange(len(views), dtype=np.int32)
    return ImportedScene(
        protocol=protocol,
        split=split,
        names=[view.name for view in views],
        times=np.array([view.time for view in views]),
        images=images,
        world_from_camera=poses,
        lenses=[view.lens for view in views],
        train=known_views(images.shape[1:3], poses, frames, intrinsics=intrinsics_of(views), keypoints=keypoints),
        **more,
    )


def stacked(views: list[SeenView], field: str) -> np.ndarray:
    """One field of all views, which must have one size."""
    arrays: Iterator[np.ndarray] = (getattr(view, field) for view in views)
    shapes = {view.image.shape[:2]: view.name for view in views}
    if len(shapes) > 1:
        sizes = ", ".join(f"{name} {width}x{height}" for (height, width), name in shapes.items())
        raise StageError(f"images of one list must have one size, these have several: {sizes}")
    return np.stack(list(arrays))


def intrinsics_of(views: list[SeenView]) -> Float[np.ndarray, "frame value=4"]:
    """(fx, fy, cx, cy) of pinhole views."""
    return np.stack([view.lens.camera.values for view in views])


def nearest_frames(
    times: Float[np.ndarray, "view"], of_video: Float[np.ndarray, "frame"]
) -> tuple[Int[np.ndarray, "view"], list[str]]:
    """The video's frame nearest to each time, and a word where some lie between its frames."""
    distance = np.abs(times[:, None] - of_video[None])
    between = distance.min(1) > SAME_TIME
    frames = distance.argmin(1).astype(np.int32)
    if not between.any():
        return frames, []
    return frames, [
        f"{between.sum()} of {len(times)} test views are of times between the video's frames (at most {distance.min(1).max():.3g} "
        "away); they are judged at the nearest frame, so that moving things may be a little elsewhere"
    ]
