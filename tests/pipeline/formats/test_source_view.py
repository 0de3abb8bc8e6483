"""What is given for a video with bars or oblong pixels must fit frames that are cropped and have square ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cameras import Intrinsics
from pipeline.config import ReconstructObjectsConfig
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.lens import Lens
from pipeline.formats.mask_folder import read_mask_folder
from pipeline.formats.source_view import Crop, SourceShape, SourceView
from pipeline.reconstruct_objects import first_camera

CROP = Crop(30, 10, 100, 160)  # top, left, height, width of a video of 160 x 180
SHAPE = SourceShape((160, 180), (160, 180), CROP)
INFO = {
    "frames": [{"file": f"{n:06d}.png", "source_index": n, "time_s": n / 10} for n in range(2)],
    "height": 50,
    "width": 80,
    "crop": CROP.values,
    "source": {"height": 160, "width": 180, "frames": 2},
}


def coded(height: int, width: int) -> np.ndarray:
    """Every pixel of the video by a number, at a size."""
    values = np.arange(160 * 180, dtype=np.int32).reshape(160, 180)
    return cv2.resize(values.astype(np.float64), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def test_images_of_the_video_are_cropped_and_those_of_the_frames_are_not() -> None:
    view, inside = SourceView(SHAPE), coded(160, 180)[30:130, 10:170]
    np.testing.assert_array_equal(view.apply(coded(160, 180)), inside)
    np.testing.assert_array_equal(view.apply(coded(320, 360))[::2, ::2].shape, (50, 80))
    for size in ((100, 160), (50, 80)):
        assert view.apply(np.zeros(size)).shape == size
    assert view.apply(np.zeros((90, 90))).shape == (90, 90)  # of neither shape: refused by whoever resizes it


def test_masks_of_the_whole_video_fit_cropped_frames(tmp_path: Path) -> None:
    whole = np.zeros((160, 180), np.uint8)
    whole[60:90, 50:90] = 1
    for name in ("video", "frames"):
        (tmp_path / name).mkdir()
    for n in range(2):
        cv2.imwrite(str(tmp_path / "video" / f"{n:05d}.png"), whole)
        cv2.imwrite(str(tmp_path / "frames" / f"{n:06d}.png"), whole[30:130, 10:170][::2, ::2])
    expected = whole[30:130, 10:170][1::2, 1::2]
    for name in ("video", "frames"):
        given = read_mask_folder(tmp_path / name, KeptFrames.of_info(INFO), (50, 80))
        np.testing.assert_array_equal(given.object_ids[1], expected)


def test_the_principal_point_moves_with_the_crop() -> None:
    """(90, 70) of the video is (80, 40) inside; at half the size everything is halved."""
    lens = SHAPE.lens_of_frames(Lens("PINHOLE", (200.0, 200.0, 90.0, 70.0), 180, 160))
    assert lens.params == (200.0, 200.0, 80.0, 40.0) and (lens.height, lens.width) == (100, 160)
    of_frames = Lens("PINHOLE", (100.0, 100.0, 40.0, 20.0), 80, 50)
    assert SHAPE.lens_of_frames(of_frames) == of_frames
    camera, _ = first_camera(INFO, ReconstructObjectsConfig(intrinsics=(200, 200, 90, 70)), None)
    assert camera.values.tolist() == [100, 100, 40, 20]


def test_oblong_pixels_become_square_in_what_is_given_too() -> None:
    shape = SourceShape((160, 180), (160, 90))
    lens = shape.lens_of_frames(Lens.pinhole(Intrinsics(100.0, 200.0, 45.0, 80.0, 90, 160)))
    assert lens.params == pytest.approx((200.0, 200.0, 90.0, 80.0))
    assert SourceView(shape).apply(np.zeros((160, 90))).shape == (160, 180)
