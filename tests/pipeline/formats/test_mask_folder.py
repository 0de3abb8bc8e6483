"""Given masks in unusual files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.formats.frames_folder import write_image
from pipeline.formats.mask_folder import read_key_masks, read_mask_folder
from pipeline.runtime.errors import StageError


def squares(dtype: type) -> np.ndarray:
    """Ids 0 and 2."""
    ids = np.zeros((20, 30), dtype)
    ids[5:9, 5:9] = 2
    return ids


def test_whole_numbers_kept_as_floats_are_ids(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", squares(np.float32))
    np.testing.assert_array_equal(read_mask_folder(tmp_path, (1, 20, 30)).object_ids[0], squares(np.uint8) // 2)


@pytest.mark.parametrize(("value", "shown"), [(0.25, "0.25"), (np.nan, "nan"), (np.inf, "inf")])
def test_probabilities_are_no_ids(tmp_path: Path, value: float, shown: str) -> None:
    ids = squares(np.float64)
    ids[0, :3] = value
    np.save(tmp_path / "0.npy", ids)
    with pytest.raises(StageError, match=rf"0\.npy has 3 values that are not whole numbers, as {shown}"):
        read_mask_folder(tmp_path, (1, 20, 30))


def test_grey_images_with_opacity_have_ids(tmp_path: Path) -> None:
    opaque = np.full((20, 30), 255, np.uint8)
    Image.fromarray(np.dstack([squares(np.uint8), opaque]), "LA").save(tmp_path / "0.png")
    assert read_mask_folder(tmp_path, (1, 20, 30)).names == ["2"]


def test_three_hundred_colours_are_too_many(tmp_path: Path) -> None:
    colours = np.zeros((20, 30, 3), np.uint8)
    colours.reshape(-1, 3)[:300] = [(n // 256 + 1, n % 256, 7) for n in range(300)]
    write_image(tmp_path / "0.png", colours)
    with pytest.raises(StageError, match="300 different ids or colours, at most 254"):
        read_mask_folder(tmp_path, (1, 20, 30))


def test_the_frame_without_a_mask_is_named(tmp_path: Path) -> None:
    for t in (0, 1, 3):
        write_image(tmp_path / f"mask_{t:04d}.png", squares(np.uint8))
    with pytest.raises(StageError, match=r"holds 3 masks, but the scene has 4 frames \(no file has the number 2\)"):
        read_mask_folder(tmp_path, (4, 20, 30))


def test_masks_that_are_named_by_their_time_miss_no_number(tmp_path: Path) -> None:
    for nanoseconds in (1403636579763555584, 1403636579813555456):
        write_image(tmp_path / f"{nanoseconds}.png", squares(np.uint8))
    with pytest.raises(StageError, match="holds 2 masks, but the scene has 4 frames; give one mask a frame"):
        read_mask_folder(tmp_path, (4, 20, 30))


def test_key_masks_without_a_frame_say_both_ways_out(tmp_path: Path) -> None:
    write_image(tmp_path / "car.png", squares(np.uint8))
    with pytest.raises(StageError, match="rename it, or give one mask a frame and leave key_frames out"):
        read_key_masks(tmp_path, (4, 20, 30))


def test_sixteen_bit_palette_colour_and_npy_masks_mean_the_same(tmp_path: Path) -> None:
    ids = np.zeros((20, 30), np.uint16)
    ids[5:9, 5:9], ids[12:15, 20:25] = 300, 1000
    colours = np.zeros((20, 30, 3), np.uint8)
    colours[ids == 300], colours[ids == 1000] = (10, 200, 30), (200, 10, 30)
    palette = Image.fromarray(np.select([ids == 300, ids == 1000], [1, 2], 0).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    for name in ("ids", "colour", "palette", "npy"):
        (tmp_path / name).mkdir()
    write_image(tmp_path / "ids" / "0.png", ids)
    write_image(tmp_path / "colour" / "0.png", colours)
    palette.save(tmp_path / "palette" / "0.png")
    np.save(tmp_path / "npy" / "0.npy", ids.astype(np.int32))
    expected = np.select([ids == 300, ids == 1000], [1, 2], 0)[None]
    for name in ("ids", "colour", "palette", "npy"):
        np.testing.assert_array_equal(read_mask_folder(tmp_path / name, (1, 20, 30)).object_ids, expected)
    assert read_mask_folder(tmp_path / "colour", (1, 20, 30)).names == ["#0ac81e", "#c80a1e"]


def test_masks_of_the_videos_size_are_reduced_without_mixing_ids(tmp_path: Path) -> None:
    large = np.kron(np.array([[0, 3], [9, 0]], np.uint8), np.ones((20, 30), np.uint8))
    write_image(tmp_path / "0.png", large)
    given = read_mask_folder(tmp_path, (1, 20, 30))
    np.testing.assert_array_equal(given.object_ids[0], np.kron([[0, 1], [2, 0]], np.ones((10, 15))))


def test_a_wrong_count_or_shape_of_masks_names_the_numbers(tmp_path: Path) -> None:
    for t in range(3):
        write_image(tmp_path / f"{t}.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(StageError, match="holds 3 masks, but the scene has 4 frames"):
        read_mask_folder(tmp_path, (4, 20, 30))
    with pytest.raises(StageError, match="is 30x20, the frames are 30x30"):
        read_mask_folder(tmp_path, (3, 30, 30))
    (tmp_path / "2.png").write_text("text")
    with pytest.raises(StageError, match=r"2\.png is not a readable mask"):
        read_mask_folder(tmp_path, (3, 20, 30))
    with pytest.raises(StageError, match="is not a folder"):
        read_mask_folder(tmp_path / "absent", (3, 20, 30))
