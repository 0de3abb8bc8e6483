"""A video file before its pictures are decoded: what it is, which of its streams moves, and the times of its packets."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from pipeline.formats.video_frames import DecodeOrder
from pipeline.runtime.errors import StageError

ENOUGH = 0.95  # of the length that a header promises
FOREIGN = {  # how files begin that are often taken for videos
    b"version https://git-lfs": "is a pointer of Git LFS, not the file: run `git lfs pull`, or download it",
    b"<": "is a web page, not the file: open the address in a browser and download what it offers",
    b"PK\x03\x04": "is a ZIP archive: unpack it, and give the video or the folder of images",
    b"\x1f\x8b": "is a compressed archive: unpack it, and give the video or the folder of images",
    b"\x89HDF": "is an HDF5 file: give the video or a folder of images that it was made from",
}


@dataclass(frozen=True)
class Packets:
    """Time stamps of all frames in the order of time (None where there are none), how they are decoded, and faults."""

    stamps: list[Any]
    order: DecodeOrder
    warnings: list[str] = field(default_factory=list)


def open_container(path: Path) -> Any:
    """The open file, which has a video stream."""
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StageError(
            foreign_words(path)
            or f"{path} cannot be opened as a video ({reason}); if it is cut off, copy or download it again, "
            "else convert it (`ffmpeg -i IN -c:v libx264 OUT.mp4`)"
        ) from error
    # FFmpeg shows text files as a terminal's screen.
    if moving_stream(container) is None or container.format.name == "tty":
        pictures = ", only a picture of its cover" if container.streams.video else ""
        container.close()
        raise StageError(
            foreign_words(path)
            or f"{path} is not a video: it has no video stream{pictures}; give a video file or a folder of images"
        )
    return container


def foreign_words(path: Path) -> str:
    """What a file is that is no video, where it tells by how it begins."""
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    return next((f"{path} {words}" for sign, words in FOREIGN.items() if start.startswith(sign)), "")


def moving_streams(container: Any) -> list[Any]:
    """The video streams with more than one picture: neither cover art that says so, nor cover art that does not.

    One video stream by itself counts, however few pictures it has.
    """
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if len(streams) < 2:
        return streams
    pictures = pictures_of_streams(container.name, [one.index for one in streams])
    return [one for one in streams if pictures[one.index] > 1] or streams[:1]


def pictures_of_streams(path: str, streams: list[int]) -> Counter[int]:
    """How many pictures each stream has; counted no further than it takes to know that all of them move."""
    counts = Counter[int]()
    with av.open(path, metadata_errors="ignore") as container:
        try:
            for packet in container.demux(video=streams_by_index(container, streams)):
                counts[packet.stream.index] += bool(packet.size)
                if all(counts[index] > 1 for index in streams):
                    break
        except (av.FFmpegError, OSError):
            pass  # the rest is missing; what came before it counts
    return counts


def streams_by_index(container: Any, streams: list[int]) -> list[int]:
    """The places of streams among the video streams."""
    return [place for place, one in enumerate(container.streams.video) if one.index in streams]


def moving_stream(container: Any) -> Any:
    """The moving video stream with the largest picture, the first of equals; None where there is none."""
    streams = moving_streams(container)
    return max(streams, key=picture_size) if len(streams) > 1 else next(iter(streams), None)


def picture_size(stream: Any) -> int:
    return int(stream.width * stream.height)


def stream_words(path: Path, container: Any) -> list[str]:
    """Which picture is taken of a file that holds several videos."""
    streams = moving_streams(container)
    if len(streams) < 2:
        return []
    taken = moving_stream(container)
    sizes = ", ".join(f"{one.width}x{one.height}" for one in streams)
    return [
        f"{path.name} holds {len(streams)} videos ({sizes}); the one of {taken.width}x{taken.height} is taken: for another, "
        "copy it into a file of its own (`ffmpeg -i IN -map 0:v:1 -c copy OUT.mkv`)"
    ]


def list_packets(path: Path, container: Any, stream: Any) -> Packets:
    """The packets of a stream, in one course of time."""
    stamps: list[Any] = []
    keys: list[bool] = []
    warnings: list[str] = []
    restarts: list[int] = []
    try:
        for packet in continuous(container.demux(stream), restarts):
            if packet.size and not packet.is_discard:
                stamps.append(packet.pts)
                keys.append(packet.is_keyframe)
    except (av.FFmpegError, OSError) as error:
        warnings.append(f"the file is damaged ({error})")
    if restarts:
        warnings.append(
            f"the times of {path.name} start anew {len(restarts)} times, as of files that were joined: they are made to go on"
        )
    if None in stamps:
        return Packets(stamps, DecodeOrder({}, {}), warnings)
    return Packets(sorted(stamps), DecodeOrder.of_packets(stamps, keys), warnings)


def continuous(packets: Iterable[Any], restarts: list[int]) -> Iterator[Any]:
    """Packets whose times go on where they start anew, as where transport streams were joined; `restarts` learns of these."""
    offset, latest = 0, None
    for number, packet in enumerate(packets):
        if packet.dts is not None:
            if latest is not None and packet.dts + offset < latest:
                offset = latest + (packet.duration or 1) - packet.dts
                restarts.append(number)
            latest = packet.dts + offset
        if offset:
            packet.pts, packet.dts = (None if time is None else time + offset for time in (packet.pts, packet.dts))
        yield packet


def cut_off(path: Path, container: Any, stream: Any, stamps: list[Any], rate: float) -> list[str]:
    """A warning where the file's header promises more than the file holds."""
    if stream.frames > len(stamps):
        return [f"{path.name} promises {stream.frames} frames but holds {len(stamps)}: it is cut off"]
    if not stamps or stamps[-1] is None or not container.duration:
        return []
    promised = container.duration / av.time_base
    held = float((stamps[-1] - min(stamps[0], stream.start_time or 0)) * stream.time_base)
    if held < ENOUGH * promised - 1 / rate:
        return [
            f"{path.name} lasts {promised:.2f} s by its header, its pictures end at {held:.2f} s: it is cut off, or only "
            "its sound goes on"
        ]
    return []
