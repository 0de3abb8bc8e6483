"""Truth in the picture of frames: what the video's camera saw, cropped and undistorted as what was seen of it was.

Truth knows the video's views as its camera took them, bars and lens included. What is compared pixel by pixel with frames, or
with a scene that shows them undistorted, is first brought to their picture. Held-out views are pinhole images: they stay.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from pipeline.cameras import Intrinsics
from pipeline.formats.lens import Lens, undistortion
from pipeline.formats.source_view import SourceView
from pipeline.truth.truth_file import Truth, TruthViews, known_views, unknown_solo_depth

PIXELS = ("images", "depth", "object_ids", "covisible")


def shown_truth(truth: Truth, view: SourceView | None) -> Truth:
    """Truth whose own views of the video are brought to a picture, at truth's own scale; as it is where nothing differs.

    The lens that was undone may be an estimate: the pinhole then has the true focal length for it, as both show the middle
    of the image at one size.
    """
    if view is None:
        return truth
    train, count = truth.train, len(truth.train.time)
    view = at_scale(view, lens_of(truth, 0))
    cameras = [camera_in(view, lens_of(truth, index)) for index in range(count)]
    size = cameras[0].height, cameras[0].width
    moved = known_views(
        size,
        train.world_from_camera,
        train.time,
        world_from_object=known(train, "world_from_object"),
        intrinsics=np.stack([camera.values for camera in cameras]),
        names=train.names,
        **{name: in_picture(view, train, name) for name in PIXELS},
    )
    lens = view.shape.lens_of_frames(train.lens) if train.lens and view.undistortion is None else None
    moved = replace(moved, lens=lens, rolling_shutter=train.rolling_shutter)
    return replace(truth, train=moved, solo_depth=solo_in_picture(view, truth, size))


def at_scale(view: SourceView, lens: Lens) -> SourceView:
    """The view for images of a true lens: of one scale with what is left of them."""
    if view.undistortion is None:
        return view
    left, undone = view.shape.lens_of_frames(lens), view.undistortion.lens
    if (left.height, left.width) == (undone.height, undone.width):
        return view
    return replace(view, undistortion=undistortion(undone.resized(left.height, left.width)))


def known(views: TruthViews, name: str) -> np.ndarray | None:
    """A field of views, None where it is unknown."""
    return getattr(views, name) if views.knows(name) else None


def in_picture(view: SourceView, views: TruthViews, name: str) -> np.ndarray | None:
    """All images, depths or ids of views in the picture; nearest values but for images."""
    values = known(views, name)
    if values is None:
        return None
    if name == "covisible":
        return np.stack([view.apply(one.astype(np.uint8), exact=True) for one in values]).astype(bool)
    return np.stack([view.apply(np.ascontiguousarray(one), exact=name != "images") for one in values])


def solo_in_picture(
    view: SourceView, truth: Truth, size: tuple[int, int]
) -> Float[np.ndarray, "object frame height width"]:
    """The depth of each object alone in the picture."""
    if not truth.knows_solo_depth:
        return unknown_solo_depth(truth.object_count, len(truth.train.time), size)
    frames = [[view.apply(depth.astype(np.float32), exact=True) for depth in own] for own in truth.solo_depth]
    return np.array(frames, np.float32)


def lens_of(truth: Truth, index: int) -> Lens:
    """The lens of one of the video's views."""
    return truth.train.lens or Lens.pinhole(truth.camera(truth.train, index))


def camera_in(view: SourceView, lens: Lens) -> Intrinsics:
    """The pinhole of a true lens in the picture, for the picture's own size."""
    true = view.shape.lens_of_frames(lens).camera
    if view.undistortion is None:
        return true
    shown, undone = view.undistortion.camera, view.undistortion.lens.camera
    x, y = shown.fx / undone.fx, shown.fy / undone.fy
    centre = shown.cx + x * (true.cx - undone.cx), shown.cy + y * (true.cy - undone.cy)
    return Intrinsics(x * true.fx, y * true.fy, *centre, shown.width, shown.height)
