"""Transparent pixels of a folder of images are painted over and marked; a thing cut out stays on black."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.config import ExtractFramesConfig
from pipeline.extract_frames import extract_frames
from pipeline.formats.frames_folder import read_frames, read_frames_info, read_holes, write_image
from tests.pipeline.footage.moving import panned

HOLE = (slice(20, 26), slice(30, 40))


def written(folder: Path, hole: tuple[slice, slice]) -> list[np.ndarray]:
    """Images of which the second one has a hole, black beneath."""
    pictures = [np.repeat(one[..., None], 3, axis=2) for one in panned(3, 4)]
    for number, picture in enumerate(pictures):
        alpha = np.full(picture.shape[:2], 255, np.uint8)
        if number == 1:
            alpha[hole] = 0
        image = np.dstack([np.where(alpha[..., None] > 0, picture, 0), alpha])
        write_image(folder / f"{number}.png", image if number else picture)
    return pictures


def extracted(tmp_path: Path, **settings: int) -> tuple[np.ndarray, dict, Path]:
    frames, info = tmp_path / "frames", tmp_path / "frames.json"
    extract_frames(tmp_path / "images", None, frames, info, ExtractFramesConfig.model_validate(settings))
    return read_frames(frames), read_frames_info(info), frames


def test_a_hole_is_painted_over_and_marked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = written(tmp_path / "images", HOLE)
    images, info, frames = extracted(tmp_path)
    holes = np.zeros(images.shape[:3], bool)
    holes[1][HOLE] = True
    np.testing.assert_array_equal(read_holes(frames), holes)
    np.testing.assert_array_equal(images[~holes], np.stack(pictures)[~holes])
    assert images[holes].min() > 20 and info["transparent"] == pytest.approx(holes.mean())
    assert "masks ignore them" in caplog.text


def test_a_hole_in_smaller_frames_is_every_pixel_that_has_some_of_it(tmp_path: Path) -> None:
    written(tmp_path / "images", (slice(21, 25), slice(31, 39)))
    images, _, frames = extracted(tmp_path, max_size=64)
    wanted = np.zeros(images.shape[:3], bool)
    wanted[1, 10:13, 15:20] = True
    np.testing.assert_array_equal(read_holes(frames), wanted)


def test_a_thing_that_is_cut_out_stays_on_black(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number, picture in enumerate(panned(3, 4)):
        alpha = np.zeros(picture.shape, np.uint8)
        alpha[10:40, 20:60] = 255
        write_image(tmp_path / "images" / f"{number}.png", np.dstack([picture] * 3 + [alpha]))
    images, info, frames = extracted(tmp_path)
    assert images[:, :10].max() == 0 and "transparent" not in info and not read_holes(frames).any()
    assert "laid on black" in caplog.text
    assert cv2.imread(str(frames / "000000.png"), cv2.IMREAD_UNCHANGED).shape[2] == 3
