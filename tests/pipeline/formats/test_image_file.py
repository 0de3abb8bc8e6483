"""Images of a folder, whatever wrote them, look as a person sees them, or are named."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.formats.image_file import read_any_image, read_grey_image
from pipeline.formats.video_source import open_source
from pipeline.runtime.errors import StageError

PICTURE = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)


def write(folder: Path, names: list[str], images: list[np.ndarray] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(images[number] if images else PICTURE).save(folder / name)
    return folder


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_images_are_turned_as_their_exif_says(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[274] = 6  # stored turned to the left
    Image.fromarray(PICTURE).transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / f"a.{suffix}", exif=exif, lossless=True
    )
    assert (read_any_image(tmp_path / f"a.{suffix}") == PICTURE).all()
    grey = read_grey_image(tmp_path / f"a.{suffix}")
    assert grey is not None and grey.shape == PICTURE.shape[:2]


def test_a_jpeg_that_is_cut_off_is_not_read_though_its_first_half_could_be(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(PICTURE).save(path)
    assert read_any_image(path) is not None
    path.write_bytes(path.read_bytes()[:-200])
    assert read_any_image(path) is None and read_grey_image(path) is None


def test_images_of_fractions_go_from_0_to_1(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.tif"), PICTURE[..., ::-1].astype(np.float32) / 255)
    assert (read_any_image(tmp_path / "a.tif") == PICTURE).all()
    cv2.imwrite(str(tmp_path / "b.tif"), PICTURE.astype(np.float32))
    with pytest.raises(StageError, match=r"b\.tif has numbers up to 25.; .* convert"):
        read_any_image(tmp_path / "b.tif")


def test_twelve_bits_in_sixteen_are_doubted(tmp_path: Path) -> None:
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), PICTURE.astype(np.uint16) * 16)
    assert "no number above 4064" in open_source(tmp_path).warnings[0]
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), PICTURE.astype(np.uint16) * 257)
    assert not open_source(tmp_path).warnings


def test_folders_that_are_not_of_one_video_say_why(tmp_path: Path) -> None:
    both = write(tmp_path / "both", [f"{n}_{kind}.png" for n in range(3) for kind in ("color", "depth")])
    with pytest.raises(StageError, match=r"2 images of each number, \*_color, \*_depth"):
        open_source(both)
    twice = write(tmp_path / "twice", ["0.png", "0.jpg", "1.png"])
    with pytest.raises(StageError, match="which is it"):
        open_source(twice)
    (tmp_path / "outer").mkdir()
    inner = write(tmp_path / "outer" / "images", ["0.png", "1.png"])
    with pytest.raises(StageError, match=f"its folder images does: give {inner}"):
        open_source(inner.parent)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.HEIC").write_bytes(b"x")
    with pytest.raises(StageError, match=r"but \.HEIC: convert them to PNG or JPEG"):
        open_source(tmp_path / "raw")


def test_two_cameras_and_times_are_one_kind(tmp_path: Path) -> None:
    """Names that differ by digits only could be times; the shots tell two cameras apart."""
    names = [f"{n / 10:.1f}.png" for n in range(20)]
    assert open_source(write(tmp_path / "times", names)).facts["names"] == names
