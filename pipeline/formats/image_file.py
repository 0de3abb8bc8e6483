"""One image file as sRGB: any depth and number of channels, turned as its EXIF says; what cannot be read is named."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from pipeline.formats.video_frames import Rgb, on_black
from pipeline.runtime.errors import StageError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".avif", ".ppm")
MAY_BE_TRANSPARENT = (".png", ".tif", ".tiff", ".webp", ".avif")
JPEG = (".jpg", ".jpeg")
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
TWELVE_BITS = 4095
SLACK = 1.01  # a float image may reach a hair over 1


def read_any_image(file: Path) -> Rgb | None:
    """An image of any depth and number of channels as sRGB, turned as its EXIF says; None if it cannot be read."""
    if file.suffix.lower() in JPEG and cut_off(file):
        return None
    if file.suffix.lower() in MAY_BE_TRANSPARENT:
        raw = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
            return on_black(cv2.cvtColor(eight_bits(raw, file), cv2.COLOR_BGRA2RGBA))
    image = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return by_pillow(file) if image is None else cv2.cvtColor(eight_bits(image, file), cv2.COLOR_BGR2RGB)


def read_grey_image(file: Path) -> UInt8[np.ndarray, "height width"] | None:
    """The grey of an image, turned as its EXIF says; None if it cannot be read."""
    if file.suffix.lower() in JPEG and cut_off(file):
        return None
    image = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if image is not None:
        return image
    colours = read_any_image(file)
    return None if colours is None else cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)


def by_pillow(file: Path) -> Rgb | None:
    """What OpenCV does not read, as TIFF that its EXIF turns."""
    try:
        with Image.open(file) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError):
        return None


def cut_off(file: Path) -> bool:
    """Whether a JPEG ends before its picture does: OpenCV would fill the rest with grey."""
    data = file.read_bytes()
    return START_OF_SCAN in data and data.rfind(END_OF_IMAGE) < data.rfind(START_OF_SCAN)


def eight_bits(image: np.ndarray, file: Path) -> np.ndarray:
    """8 bits a channel from 8, 16 or float from 0 to 1."""
    if image.dtype == np.uint16:
        return (image / 257).round().astype(np.uint8)
    if image.dtype == np.uint8:
        return image
    if np.nanmax(image) > SLACK:
        raise StageError(
            f"{file} has numbers up to {np.nanmax(image):g}; an image of numbers with fractions goes from 0 to 1: convert "
            "the images to PNG of 8 or 16 bits"
        )
    return (255 * np.nan_to_num(image).clip(0, 1)).round().astype(np.uint8)


def dark_words(files: list[Path]) -> list[str]:
    """A warning where images of 16 bits use the lower ones only, as those of a sensor do: they come out nearly black."""
    read = [cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in (files[0], files[-1])]
    shown = [image for image in read if image is not None and image.dtype == np.uint16]
    largest = max((int(image.max()) for image in shown), default=0)
    if not 255 < largest <= TWELVE_BITS:
        return []
    return [
        f"{files[0].name} has 16 bits a channel, but no number above {largest}: if it is of a sensor of fewer bits, it comes "
        "out nearly black; stretch the images to 0 to 65535, or convert them to 8 bits"
    ]


def exif_focal(file: Path) -> float | None:
    """The focal length that the same view would have on 35 mm film, in millimetres."""
    try:
        with Image.open(file) as image:
            tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
    except (UnidentifiedImageError, OSError):
        return None
    return positive(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))


def positive(value: Any) -> float | None:
    """A number from metadata, None where it is absent, not a number or not positive."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 10_000 else None
