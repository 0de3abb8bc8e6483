"""Where frames come from: any file that FFmpeg opens, or a folder of images; one frame in memory at a time.

Choices that a user should know. A video is turned and mirrored as its metadata says; pixels are made square; interlaced
video is deinterlaced, HDR tone-mapped (pipeline/formats/video_frames.py). The first moving picture counts, not cover
art; where its size changes, the video ends. Odd sizes are kept. Transparent pixels are laid on black. Deeper than 8 bits
is reduced to 8; grey becomes three equal channels. Frames have the times of their own time stamps; the images of a
folder, in the order of the numbers in their names, count as 24 a second.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Disposition
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.formats.frame_files import data_files
from pipeline.formats.video_frames import (
    DecodeOrder,
    Look,
    Lost,
    Picture,
    Rgb,
    grey_picture,
    look_of,
    on_black,
    picture,
    shown,
)
from pipeline.runtime.errors import StageError

FOLDER_FPS = 24.0
ENOUGH = 0.95  # of the length that a header promises
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MAY_BE_TRANSPARENT = (".png", ".tif", ".tiff", ".webp")
DIAGONAL_35MM = 43.267  # of the frame that "equivalent focal lengths" mean
PHONE_FOCAL = "com.apple.quicktime.camera.focal_length.35mm_equivalent"


@dataclass(frozen=True)
class SourceFrame:
    """One decoded image, or the reason why there is none."""

    index: int
    time_s: float
    image: Picture | None
    fault: str = ""


@dataclass(frozen=True)
class Source:
    """What a video holds, before it is decoded; `read` decodes it in the order of time, `glance` to grey images."""

    times_s: list[float]
    read: Callable[[], Iterator[SourceFrame]]
    glance: Callable[[], Iterator[SourceFrame]]
    facts: dict[str, Any]
    focal_35mm: float | None = None
    warnings: list[str] = field(default_factory=list)


def open_source(path: Path) -> Source:
    """A video file or a folder of images."""
    if not path.exists():
        raise StageError(f"{path} does not exist; give the path of a video or of a folder of images")
    return open_folder(path) if path.is_dir() else open_video(path)


def open_video(path: Path) -> Source:
    """A video file; its packets are listed, and the first ones decoded for a look."""
    if path.stat().st_size == 0:
        raise StageError(f"{path} is empty (0 bytes); copy or download it again")
    with open_container(path) as container:
        stream = moving_stream(container)
        stamps, order, warnings = packet_stamps(container, stream)
        rate = float(stream.average_rate or stream.base_rate or FOLDER_FPS)
        codec = stream.codec_context
        warnings += cut_off(path, container, stream, stamps)
        facts = {
            "kind": "video",
            "container": container.format.name,
            "codec": codec.name,
            "pixel_format": codec.pix_fmt,
            "mean_fps": rate,
        }
        focal = positive(container.metadata.get(PHONE_FOCAL))
        base = float(stream.time_base)
        look = look_of(lambda: decoded_file(path), stream)
    if not stamps:
        raise StageError(f"{path} has a video stream without frames; it may be cut off: copy or download it again")
    # Streams without time stamps (raw H.264) have their frames at the mean rate.
    times = [stamp * base for stamp in stamps] if None not in stamps else [n / rate for n in range(len(stamps))]
    times = [time - times[0] for time in times]
    numbers = {stamp: number for number, stamp in enumerate(stamps)} if None not in stamps else {}
    read, glance = (partial(decode_video, path, look, times, numbers, order, how) for how in (picture, grey_picture))
    return Source(times, read, glance, facts | look.facts(), focal, warnings)


def cut_off(path: Path, container: Any, stream: Any, stamps: list[Any]) -> list[str]:
    """A warning where the file's header promises more than the file holds."""
    if stream.frames > len(stamps):
        return [f"{path.name} promises {stream.frames} frames but holds {len(stamps)}: it is cut off"]
    if not stamps or stamps[-1] is None or not container.duration:
        return []
    promised = container.duration / av.time_base
    held = float((stamps[-1] - min(stamps[0], stream.start_time or 0)) * stream.time_base)
    if held < ENOUGH * promised - 1 / float(stream.average_rate or FOLDER_FPS):
        return [
            f"{path.name} lasts {promised:.2f} s by its header, its pictures end at {held:.2f} s: it is cut off, or only "
            "its sound goes on"
        ]
    return []


def open_container(path: Path) -> Any:
    """The open file, which has a video stream."""
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StageError(
            f"{path} cannot be opened as a video ({reason}); if it is cut off, copy or download it again, "
            "else convert it (`ffmpeg -i IN -c:v libx264 OUT.mp4`)"
        ) from error
    # FFmpeg shows text files as a terminal's screen.
    if moving_stream(container) is None or container.format.name == "tty":
        pictures = ", only a picture of its cover" if container.streams.video else ""
        container.close()
        raise StageError(
            f"{path} is not a video: it has no video stream{pictures}; give a video file or a folder of images"
        )
    return container


def moving_stream(container: Any) -> Any:
    """The first video stream that is no cover art."""
    return next((one for one in container.streams.video if not one.disposition & Disposition.attached_pic), None)


def packet_stamps(container: Any, stream: Any) -> tuple[list[Any], DecodeOrder, list[str]]:
    """Time stamps of all frames in the order of time (None where there are none), how they are decoded, and faults."""
    stamps: list[Any] = []
    keys: list[bool] = []
    warnings = []
    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                stamps.append(packet.pts)
                keys.append(packet.is_keyframe)
    except (av.FFmpegError, OSError) as error:
        warnings.append(f"the file is damaged ({error})")
    if None in stamps:
        return stamps, DecodeOrder({}, {}), warnings
    return sorted(stamps), DecodeOrder.of_packets(stamps, keys), warnings


def decode_video(
    path: Path,
    look: Look,
    times: list[float],
    numbers: dict[int, int],
    order: DecodeOrder,
    how: Callable[[Any, Look], Picture],
) -> Iterator[SourceFrame]:
    """All frames in the order of time; a packet that cannot be decoded is passed over, and the frame is missing."""
    for one in shown(decoded_file(path), look, times, numbers, order):
        yield SourceFrame(one.index, one.time_s, None if one.fault else how(one.frame, look), one.fault)


def decoded_file(path: Path) -> Iterator[Any]:
    """Frames of the packets that are whole; what was lost where one is not."""
    with open_container(path) as container:
        stream = moving_stream(container)
        stream.thread_type = "AUTO"
        try:
            for packet in container.demux(stream):
                try:
                    frames = [Lost(packet.pts)] if packet.is_corrupt else packet.decode()
                except av.FFmpegError:
                    frames = [Lost(packet.pts)]
                yield from frames
        except (av.FFmpegError, OSError):
            return  # The rest of the file is missing; the stage compares what came with what was promised.


def open_folder(path: Path) -> Source:
    """A folder of images of one size."""
    files = data_files(path, IMAGE_SUFFIXES)
    if not files:
        raise StageError(
            f"{path} holds no images ({', '.join(IMAGE_SUFFIXES)}); give a video file or a folder of images"
        )
    focals = [focal for focal in map(exif_focal, files) if focal]
    warnings = []
    if focals and max(focals) > 1.01 * min(focals):
        warnings.append(
            f"the images of {path.name} have focal lengths from {min(focals):g} to {max(focals):g} mm: zooming"
        )
    times = [number / FOLDER_FPS for number in range(len(files))]
    facts = {"kind": "images", "mean_fps": FOLDER_FPS, "names": [file.name for file in files]}
    focal = float(np.median(focals)) if focals and not warnings else None
    read, glance = (partial(read_images, files, how) for how in (read_any_image, read_grey_image))
    return Source(times, read, glance, facts, focal, warnings)


def read_images(files: list[Path], read: Callable[[Path], Picture | None]) -> Iterator[SourceFrame]:
    """All images, which must have one size."""
    first: tuple[Path, tuple[int, ...]] | None = None
    for number, file in enumerate(files):
        image = read(file)
        if image is None:
            yield SourceFrame(number, number / FOLDER_FPS, None, f"{file.name} is not a readable image")
            continue
        first = first or (file, image.shape)
        if image.shape != first[1]:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (first[1], image.shape)]
            raise StageError(
                f"{first[0].name} is {sizes[0]} but {file.name} is {sizes[1]} in {file.parent}; "
                "all images must have one size: resize them, or put them into folders of their own"
            )
        yield SourceFrame(number, number / FOLDER_FPS, image)


def read_any_image(file: Path) -> Rgb | None:
    """An image of any depth and number of channels as sRGB, turned as its EXIF says; None if it cannot be read."""
    image = None
    if file.suffix.lower() in MAY_BE_TRANSPARENT:
        raw = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if raw is not None and raw.ndim == 3 and raw.shape[2] == 4:
            return on_black(cv2.cvtColor(eight_bits(raw), cv2.COLOR_BGRA2RGBA))
    image = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return None if image is None else cv2.cvtColor(eight_bits(image), cv2.COLOR_BGR2RGB)


def read_grey_image(file: Path) -> UInt8[np.ndarray, "height width"] | None:
    """The grey of an image, turned as its EXIF says; None if it cannot be read."""
    return cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)


def eight_bits(image: np.ndarray) -> np.ndarray:
    """8 bits a channel from 8, 16 or float."""
    if image.dtype == np.uint16:
        return (image / 257).round().astype(np.uint8)
    return image if image.dtype == np.uint8 else (255 * image.clip(0, 1)).round().astype(np.uint8)


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
