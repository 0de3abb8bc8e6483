"""Where frames come from: any file that FFmpeg opens, or a folder of images; one frame in memory at a time.

Choices that a user should know. A video is turned and mirrored as its metadata says; pixels are made square; interlaced
video is deinterlaced, HDR tone-mapped (pipeline/formats/video_frames.py). The first moving picture counts, not cover
art; where its size changes, the video ends. Odd sizes are kept. Transparent pixels are laid on black. Deeper than 8 bits
is reduced to 8; grey becomes three equal channels. Frames have the times of their own time stamps; the images of a
folder, in the order of the numbers in their names, count as 24 a second.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.formats.frame_files import data_files, visible
from pipeline.formats.image_file import (
    IMAGE_SUFFIXES,
    dark_words,
    exif_focal,
    positive,
    read_any_image,
    read_grey_image,
)
from pipeline.formats.video_container import (
    continuous,
    cut_off,
    list_packets,
    moving_stream,
    open_container,
    stream_words,
)
from pipeline.formats.video_frames import (
    DecodeOrder,
    Look,
    Lost,
    Picture,
    grey_picture,
    look_of,
    picture,
    shown,
)
from pipeline.runtime.errors import StageError

FOLDER_FPS = 24.0
UNREADABLE = "not a readable image, or cut off"
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")
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
        packets = list_packets(path, container, stream)
        rate = float(stream.average_rate or stream.base_rate or FOLDER_FPS)
        codec = stream.codec_context
        warnings = stream_words(path, container) + packets.warnings
        warnings += cut_off(path, container, stream, packets.stamps, rate)
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
    stamps = packets.stamps
    if not stamps:
        raise StageError(f"{path} has a video stream without frames; it may be cut off: copy or download it again")
    # Streams without time stamps (raw H.264) have their frames at the mean rate.
    times = [stamp * base for stamp in stamps] if None not in stamps else [n / rate for n in range(len(stamps))]
    times = [time - times[0] for time in times]
    numbers = {stamp: number for number, stamp in enumerate(stamps)} if None not in stamps else {}
    read, glance = (
        partial(decode_video, path, look, times, numbers, packets.order, how) for how in (picture, grey_picture)
    )
    return Source(times, read, glance, facts | look.facts(), focal, warnings)


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
            for packet in continuous(container.demux(stream), []):
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
        raise StageError(f"{path} holds no images ({', '.join(IMAGE_SUFFIXES)}){other_words(path)}")
    check_one_kind(path, files)
    focals = [focal for focal in map(exif_focal, files) if focal]
    warnings = dark_words(files)
    zoomed = bool(focals) and max(focals) > 1.01 * min(focals)
    if zoomed:
        warnings.append(
            f"the images of {path.name} have focal lengths from {min(focals):g} to {max(focals):g} mm: zooming"
        )
    times = [number / FOLDER_FPS for number in range(len(files))]
    facts = {"kind": "images", "mean_fps": FOLDER_FPS, "names": [file.name for file in files]}
    focal = float(np.median(focals)) if focals and not zoomed else None
    read, glance = (partial(read_images, files, how) for how in (read_any_image, read_grey_image))
    return Source(times, read, glance, facts, focal, warnings)


def other_words(path: Path) -> str:
    """What a folder without images holds instead, and what to do."""
    held = visible(path)
    if inner := next((one for one in held if one.is_dir() and data_files(one, IMAGE_SUFFIXES)), None):
        return f"; its folder {inner.name} does: give {inner}"
    if video := next((one for one in held if one.suffix.lower() in VIDEO_SUFFIXES), None):
        return f" but a video: give {video}"
    kinds = sorted({one.suffix or one.name for one in held})
    found = f" but {', '.join(kinds[:5])}: convert them to PNG or JPEG, or" if kinds else ";"
    return f"{found} give a video file or a folder of images"


def check_one_kind(path: Path, files: list[Path]) -> None:
    """Refuse images of two kinds side by side, as the colours and the depth of each frame."""
    kinds: dict[str, list[str]] = {}
    for file in files:
        *before, number, after = re.split(r"(\d+)", file.stem) if re.search(r"\d", file.stem) else (file.stem, "", "")
        kinds.setdefault(re.sub(r"\d", "0", "".join(before)) + "*" + after, []).append(number)
    (first, numbers), *others = kinds.items()
    if others and len(numbers) > 1 and all(set(same) == set(numbers) for _, same in others):
        raise StageError(
            f"{path} holds {len(kinds)} images of each number, {', '.join([first, *(name for name, _ in others)])}: are "
            "they of one video? put the images of the video into a folder of their own"
        )


def read_images(files: list[Path], read: Callable[[Path], Picture | None]) -> Iterator[SourceFrame]:
    """All images, which must have one size."""
    first: tuple[Path, tuple[int, ...]] | None = None
    for number, file in enumerate(files):
        image = read(file)
        if image is None:
            yield SourceFrame(number, number / FOLDER_FPS, None, UNREADABLE)
            continue
        first = first or (file, image.shape)
        if image.shape != first[1]:
            sizes = [f"{shape[1]}x{shape[0]}" for shape in (first[1], image.shape)]
            raise StageError(
                f"{first[0].name} is {sizes[0]} but {file.name} is {sizes[1]} in {file.parent}; "
                "all images must have one size: resize them, or put them into folders of their own"
            )
        yield SourceFrame(number, number / FOLDER_FPS, image)
