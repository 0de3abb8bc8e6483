"""A video whose camera is known, as the data sets of other tools hold it; `exports/` has a writer for each format."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID, Intrinsics, pixel_centres, transform, unproject
from pipeline.formats.frames_folder import frame_name
from pipeline.runtime.errors import StageError

# DyCheck's rule for the bounds of its scenes.
OUTLIERS, NEAR_MARGIN, FAR_MARGIN = 0.001, 3 / 4, 5 / 4
PARALLEL = 1e6  # condition number above which the optical axes meet nowhere
STILL_FPS = 10.0  # where the frames have no times of their own


@dataclass(frozen=True)
class HeldOutViews:
    """Views of the same scene that no method is to train on, at times of the video, in its world and units.

    `frame` is the frame of the same time, as an index into those of the video. Only co-visible pixels are to be judged.
    """

    images: UInt8[np.ndarray, "view height width rgb=3"]
    frame: Int[np.ndarray, "view"]
    cameras: list[Intrinsics]
    world_from_camera: Float[np.ndarray, "view 4 4"]
    covisible: Bool[np.ndarray, "view height width"] | None = None

    @property
    def camera_numbers(self) -> list[int]:
        """A number above 0 for each view's camera: views of one time are of different ones."""
        before: Counter[int] = Counter()
        numbers = []
        for frame in self.frame.tolist():
            before[frame] += 1
            numbers.append(before[frame])
        return numbers


@dataclass(frozen=True)
class PosedVideo:
    """Frames with a pose in the world of the background; `number` is each one's place among all frames.

    Depth is z in the camera, 0 where it is not known, `dense` where that is hardly anywhere. Ids are 0 on the background, 255
    where a pixel is to be ignored. Points are the background's, with the places where frames show them.
    """

    images: UInt8[np.ndarray, "frame height width rgb=3"]
    object_ids: UInt8[np.ndarray, "frame height width"]
    depth: Float[np.ndarray, "frame height width"]
    number: Int[np.ndarray, "frame"]
    times_s: Float[np.ndarray, "frame"]
    camera: Intrinsics
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    points: Float[np.ndarray, "point xyz=3"]
    observed_point: Int[np.ndarray, "observation"]
    observed_frame: Int[np.ndarray, "observation"]
    observed_xy: Float[np.ndarray, "observation xy=2"]
    held_out: HeldOutViews | None = None
    dense: bool = False

    @property
    def background(self) -> Bool[np.ndarray, "frame height width"]:
        """False on all that moves or is to be ignored."""
        return self.object_ids == BACKGROUND_ID

    @property
    def names(self) -> list[str]:
        """File names of the frames."""
        return [frame_name(int(number)) for number in self.number]

    @property
    def masks(self) -> Iterator[UInt8[np.ndarray, "height width"]]:
        """White where a pixel is to be used."""
        return (np.where(used, np.uint8(255), np.uint8(0)) for used in self.background)

    @property
    def unit_times(self) -> Float[np.ndarray, "frame"]:
        """Times from 0 to 1."""
        since = self.times_s - self.times_s[0]
        return since / since[-1] if since[-1] > 0 else np.linspace(0, 1, len(since))

    @property
    def fps(self) -> float:
        """Frames a second; those without a pose count."""
        seconds = float(self.times_s[-1] - self.times_s[0])
        return float(self.number[-1] - self.number[0]) / seconds if seconds > 0 else STILL_FPS

    @cached_property
    def colours(self) -> UInt8[np.ndarray, "point rgb=3"]:
        """The mean colour of the pixels that show each point."""
        height, width = self.images.shape[1:3]
        column, row = np.floor(self.observed_xy).astype(int).clip(0, [width - 1, height - 1]).T
        summed = np.zeros((len(self.points), 3))
        np.add.at(summed, self.observed_point, self.images[self.observed_frame, row, column])
        count = np.bincount(self.observed_point, minlength=len(self.points))[:, None]
        return np.rint(summed / np.maximum(count, 1)).astype(np.uint8)

    @cached_property
    def distances(self) -> Float[np.ndarray, "sample"]:
        """Distance along the ray of every known depth."""
        frame, row, column = np.nonzero(self.depth)
        if not len(frame):
            raise StageError("no frame has a depth, so near and far cannot be told; run reconstruct_objects again")
        xy = pixel_centres(*self.depth.shape[1:])[row, column]
        return np.linalg.norm(unproject(self.camera, xy, self.depth[frame, row, column]), axis=-1)

    @property
    def bounds(self) -> tuple[float, float]:
        """Near and far, along rays."""
        near, far = np.quantile(self.distances, (OUTLIERS, 1 - OUTLIERS))
        return float(near * NEAR_MARGIN), float(far * FAR_MARGIN)

    @property
    def look_at(self) -> Float[np.ndarray, "xyz=3"]:
        """The point nearest to the optical axes of all frames; the points' middle where these are parallel."""
        axes, places = self.world_from_camera[:, :3, 2], self.world_from_camera[:, :3, 3]
        across = np.eye(3) - axes[:, :, None] * axes[:, None]
        summed = across.sum(0)
        if np.linalg.cond(summed) > PARALLEL:
            return np.median(self.points, axis=0)
        return np.linalg.solve(summed, np.einsum("fij,fj->i", across, places))

    @property
    def up(self) -> Float[np.ndarray, "xyz=3"]:
        """The mean direction of the images' upper side."""
        mean = -self.world_from_camera[:, :3, 1].mean(0)
        return mean / np.linalg.norm(mean)


def sparse_depth(
    points: Float[np.ndarray, "observation xyz=3"],
    xy: Float[np.ndarray, "observation xy=2"],
    frame: Int[np.ndarray, "observation"],
    camera_from_world: Float[np.ndarray, "frame 4 4"],
    size: tuple[int, int],
) -> Float[np.ndarray, "frame height width"]:
    """Depth maps of (height, width): the nearest observed point of each pixel, 0 where there is none."""
    height, width = size
    column, row = np.floor(xy).astype(int).T
    z = transform(camera_from_world[frame], points)[:, 2]
    seen = (z > 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
    maps = np.full((len(camera_from_world), height, width), np.inf)
    np.minimum.at(maps, (frame[seen], row[seen], column[seen]), z[seen])
    return np.where(np.isfinite(maps), maps, 0.0)


def seen_by(
    image: UInt8[np.ndarray, "height width rgb=3"], camera: Intrinsics, other: Intrinsics
) -> UInt8[np.ndarray, "height width rgba=4"]:
    """An image as another camera at the same place sees it, transparent where it sees nothing."""
    opaque = np.full(image.shape[:2], 255, np.uint8)
    if np.array_equal(camera.values, other.values):
        return np.dstack([image, opaque])
    warp, size = moving_pixels(camera, other), image.shape[1::-1]
    moved = cv2.warpAffine(image, warp, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.dstack([moved, cv2.warpAffine(opaque, warp, size, flags=cv2.INTER_NEAREST)])


def ids_seen_by(
    ids: UInt8[np.ndarray, "height width"], camera: Intrinsics, other: Intrinsics
) -> UInt8[np.ndarray, "height width"]:
    """Ids as another camera at the same place sees them, 255 where it sees nothing."""
    if np.array_equal(camera.values, other.values):
        return ids
    warp, size = moving_pixels(camera, other), ids.shape[1::-1]
    return np.asarray(cv2.warpAffine(ids, warp, size, flags=cv2.INTER_NEAREST, borderValue=IGNORE_ID), np.uint8)


def moving_pixels(camera: Intrinsics, other: Intrinsics) -> Float[np.ndarray, "2 3"]:
    """Where pixels of one camera are in another one at the same place, as OpenCV counts: from pixel centres."""
    stretch = np.array([other.fx / camera.fx, other.fy / camera.fy])
    middle, own = np.array([other.cx, other.cy]), np.array([camera.cx, camera.cy])
    return np.column_stack([np.diag(stretch), middle - stretch * own - 0.5 * (1 - stretch)])
