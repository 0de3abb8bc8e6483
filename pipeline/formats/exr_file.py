"""Depth in an OpenEXR image: one channel of a scan-line file, not compressed or by ZIP, as ViPE writes it.

Written from the file layout of the OpenEXR project ("Technical Introduction", "The OpenEXR File Layout"): a header of
attributes, a table of offsets, then blocks of scan lines. OpenCV's wheels are built without a reader.
"""

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.runtime.errors import StageError

MAGIC = b"\x76\x2f\x31\x01"
TILED, SEVERAL_PARTS, DEEP = 0x200, 0x1000, 0x800
TYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}  # of a channel's samples
ROWS = {0: 1, 2: 1, 3: 16}  # scan lines of a block, by compression: none, ZIPS, ZIP


@dataclass(frozen=True)
class Header:
    """Where the samples of a file are: its channels in their order, its window, and its blocks."""

    channels: list[tuple[str, np.dtype]]
    top: int
    height: int
    width: int
    compression: int
    offsets: list[int]


def read_exr(data: bytes, channel: str, where: str) -> Float[np.ndarray, "height width"]:
    """One channel of the bytes of a file; `where` is its name, for the errors."""
    try:
        header = read_header(data, where)
        if channel not in [name for name, _ in header.channels]:
            held = ", ".join(name for name, _ in header.channels)
            raise StageError(f"{where} has the channels {held}, depth is called {channel}; save depth as that")
        return samples(data, header, channel)
    except (struct.error, IndexError, KeyError, ValueError, zlib.error) as error:
        raise StageError(f"{where} is not a whole OpenEXR image ({error}); write it again") from error


def read_header(data: bytes, where: str) -> Header:
    """The header and the table of offsets after it."""
    if data[:4] != MAGIC:
        raise StageError(f"{where} is no OpenEXR image; write it again")
    if struct.unpack_from("<I", data, 4)[0] & (TILED | SEVERAL_PARTS | DEEP):
        raise StageError(f"{where} is an OpenEXR image of tiles or of several parts; save it as scan lines of one part")
    place, found = 8, {}
    while data[place]:
        name, place = text_at(data, place)
        _, place = text_at(data, place)
        (size,) = struct.unpack_from("<i", data, place)
        found[name] = data[place + 4 : place + 4 + size]
        place += 4 + size
    left, top, right, bottom = struct.unpack("<4i", found["dataWindow"])
    compression, height = found["compression"][0], bottom - top + 1
    if compression not in ROWS:
        raise StageError(f"{where} is compressed by OpenEXR's method {compression}; save it by ZIP, or not compressed")
    blocks = -(-height // ROWS[compression])
    offsets = list(struct.unpack_from(f"<{blocks}Q", data, place + 1))
    return Header(channels_of(found["channels"]), top, height, right - left + 1, compression, offsets)


def text_at(data: bytes, place: int) -> tuple[str, int]:
    """The text that ends with a zero, and the place after it."""
    end = data.index(b"\0", place)
    return data[place:end].decode("latin-1"), end + 1


def channels_of(entry: bytes) -> list[tuple[str, np.dtype]]:
    """Names and types of a list of channels; every one must have a sample for each pixel."""
    channels: list[tuple[str, np.dtype]] = []
    place = 0
    while entry[place]:
        name, place = text_at(entry, place)
        kind, _, across, down = struct.unpack_from("<iIii", entry, place)
        if (across, down) != (1, 1):
            raise ValueError(f"channel {name} has fewer samples than pixels")
        channels.append((name, TYPES[kind]))
        place += 16
    return channels


def samples(data: bytes, header: Header, channel: str) -> Float[np.ndarray, "height width"]:
    """The samples of one channel, from all blocks."""
    row_bytes = header.width * sum(kind.itemsize for _, kind in header.channels)
    names = [name for name, _ in header.channels]
    start = header.width * sum(kind.itemsize for _, kind in header.channels[: names.index(channel)])
    kind = header.channels[names.index(channel)][1]
    result = np.empty((header.height, header.width), np.float32)
    for offset in header.offsets:
        first, size = struct.unpack_from("<ii", data, offset)
        row = first - header.top
        count = min(ROWS[header.compression], header.height - row)
        block = data[offset + 8 : offset + 8 + size]
        raw = block if size == count * row_bytes else unzipped(block, count * row_bytes)
        rows = np.frombuffer(raw, np.uint8).reshape(count, row_bytes)
        own = np.ascontiguousarray(rows[:, start : start + header.width * kind.itemsize])
        result[row : row + count] = own.view(kind)
    return result


def unzipped(block: bytes, size: int) -> UInt8[np.ndarray, "byte"]:
    """The bytes of a block by ZIP: differences of neighbours, low bytes of all samples before their high bytes."""
    differences = np.frombuffer(zlib.decompress(block), np.uint8).astype(np.int64)
    halves = ((differences - 128).cumsum() + 128).astype(np.uint8)
    if len(halves) != size:
        raise ValueError(f"a block has {len(halves)} bytes, not {size}")
    result = np.empty(size, np.uint8)
    result[0::2], result[1::2] = halves[: -(-size // 2)], halves[-(-size // 2) :]
    return result
