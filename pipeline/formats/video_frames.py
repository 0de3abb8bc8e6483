"""The pictures of a video stream as a screen would show them: whole, upright, progressive, with square pixels, in sRGB."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
from jaxtyping import Int, Shaped, UInt8

from pipeline.formats.tone_mapping import CURVES, tone_mapped

Rgb = UInt8[np.ndarray, "height width rgb=3"]
Picture = UInt8[np.ndarray, "height width *channel"]
REORDERED = 3  # pictures that decoders hold back around a B picture, and that damage may reach before it is flagged
DAMAGED = "damaged, or built on a damaged one"
LOOKED_AT = 48  # pictures in which fields are compared; more where nothing moves
MOST_LOOKED_AT = 300
FEWEST_LINES = 144  # no interlaced format has less; aliasing of tiny pictures looks like fields
COMBED = 0.2  # share of moving pictures that are combed in an interlaced video; telecine has 0.4
COMBED_WHERE_FLAGGED = 0.08
FIELDS = {"tff": "top field first", "bff": "bottom field first"}
WIDEST_PIXEL = 4  # no format has pixels of another shape


@dataclass(frozen=True)
class Look:
    """What has to be known of a stream before its pictures look right."""

    pixel_aspect: Fraction = Fraction(1)
    fields: str | None = None  # tff or bff where it is interlaced
    curve: int | None = None  # of HDR
    matrix: tuple[int, int, int, int] = (1, 0, 0, 1)
    size: tuple[int, int] = (0, 0)  # (height, width) as stored

    @property
    def square_size(self) -> tuple[int, int]:
        """(height, width) as stored, but with square pixels: the side that is too short is stretched."""
        height, width = self.size
        aspect = float(self.pixel_aspect)
        return (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)

    def facts(self) -> dict[str, Any]:
        """What frames.json says of it."""
        stored = upright(np.empty(self.size, np.uint8), self.matrix).shape
        facts: dict[str, Any] = {}
        if self.pixel_aspect != 1:
            facts |= {"stored_height": stored[0], "stored_width": stored[1], "pixel_aspect": str(self.pixel_aspect)}
        if self.fields:
            facts["interlaced"] = FIELDS[self.fields]
        if self.curve:
            facts["hdr"] = CURVES[self.curve]
        if determinant(self.matrix) < 0:
            facts["mirrored"] = True
        return facts


@dataclass(frozen=True)
class Decoded:
    """A picture as FFmpeg gives it, and its place; None with the fault where it cannot be used."""

    index: int
    time_s: float
    frame: Any
    fault: str = ""


def look_of(packets: Callable[[], Iterator[Any]], stream: Any) -> Look:
    """The look of a stream, from its header and its first pictures (`packets` decodes them anew)."""
    look, flagged, combed = Look(), 0, {"tff": 0, "bff": 0, "progressive": 0}
    for number, frame in enumerate(one for one in packets() if not isinstance(one, Lost)):
        if number == 0:
            curve = int(frame.color_trc or 0)
            look = Look(
                pixel_aspect(stream), None, curve if curve in CURVES else None, matrix_of(frame), size_of(frame)
            )
            fields = field_filter(stream, "idet") if frame.height >= FEWEST_LINES else None
        if fields is None or size_of(frame) != look.size or number >= MOST_LOOKED_AT:
            break
        flagged += bool(frame.interlaced_frame)
        for judged in through(fields, frame):
            verdict = judged.metadata.get("lavfi.idet.single.current_frame")
            combed[verdict] = combed.get(verdict, 0) + 1
        if sum(combed[kind] for kind in ("tff", "bff", "progressive")) >= LOOKED_AT:
            break
    return replace(look, fields=field_order(combed, flagged > 0))


def field_order(combed: dict[str, int], flagged: bool) -> str | None:
    """The order of fields by how many pictures are combed; None for a progressive video, whatever its flags say.

    Combing that is not flagged must also be of one order: noise and aliasing look like either.
    """
    order = max(FIELDS, key=lambda kind: combed[kind])
    moving = combed["tff"] + combed["bff"] + combed["progressive"]
    share = (combed["tff"] + combed["bff"]) / max(moving, 1)
    if flagged:
        return order if share > COMBED_WHERE_FLAGGED else None
    one_order = combed[order] > 0.9 * (combed["tff"] + combed["bff"])
    return order if share > COMBED and one_order and combed[order] > 2 else None


def pixel_aspect(stream: Any) -> Fraction:
    """Width over height of a stored pixel; 1 where it is not told or cannot be."""
    told = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(told) if told and Fraction(1, WIDEST_PIXEL) <= told <= WIDEST_PIXEL else Fraction(1)


def size_of(frame: Any) -> tuple[int, int]:
    """(height, width)."""
    return frame.height, frame.width


def matrix_of(frame: Any) -> tuple[int, int, int, int]:
    """The nearest quarter turn, mirrored or not, of the display matrix: x' = a x + c y, y' = b x + d y."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return nearest_turn(np.frombuffer(bytes(data), np.int32))
    return 1, 0, 0, 1


def nearest_turn(values: Int[np.ndarray, "entry=9"]) -> tuple[int, int, int, int]:
    """(a, b, c, d) of FFmpeg's matrix [a b u; c d v; x y w], one entry of each row 1 or -1."""
    a, b, c, d = (int(values[place]) for place in (0, 1, 3, 4))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (-1 if a < 0 else 1), 0, 0, (-1 if d < 0 else 1)
    return 0, (-1 if b < 0 else 1), (-1 if c < 0 else 1), 0


def determinant(matrix: tuple[int, int, int, int]) -> int:
    a, b, c, d = matrix
    return a * d - b * c


def upright(
    image: Shaped[np.ndarray, "height width *channel"], matrix: tuple[int, int, int, int]
) -> Shaped[np.ndarray, "upright_height upright_width *channel"]:
    """The image turned and mirrored as its display matrix says."""
    a, b, c, d = matrix
    if b or c:
        image = np.swapaxes(image, 0, 1)
    return np.ascontiguousarray(image[:: d or b, :: a or c])


@dataclass(frozen=True)
class Lost:
    """A packet that could not be decoded, by its time stamp."""

    pts: int | None


@dataclass(frozen=True)
class DecodeOrder:
    """For each time stamp the place of its packet in the file, and that of the key picture that it builds on."""

    place: dict[int, int]
    key: dict[int, int]

    @classmethod
    def of_packets(cls, stamps: list[Any], keys: list[bool]) -> "DecodeOrder":
        """From the packets in the order of the file."""
        place = {stamp: number for number, stamp in enumerate(stamps)}
        latest = np.maximum.accumulate([number if key else 0 for number, key in enumerate(keys)] or [0])
        return cls(place, {stamp: int(latest[number]) for stamp, number in place.items()})

    def builds_on(self, pts: int | None, lost: int | None) -> bool:
        """Whether a picture needs a lost one: itself, or any that is decoded between its key picture and itself."""
        if pts not in self.place or lost not in self.place:
            return True
        return self.key[pts] <= self.place[lost] <= self.place[pts]


def shown(
    frames: Iterator[Any], look: Look, times: list[float], numbers: dict[int, int], order: DecodeOrder
) -> Iterator[Decoded]:
    """All pictures in the order of time; those that cannot be used have a fault."""
    numbered = in_order(with_damage(frames, order), times, numbers)
    return progressive(of_one_size(numbered, look, times), look)


def with_damage(frames: Iterator[Any], order: DecodeOrder) -> Iterator[tuple[Any, str]]:
    """Pictures, and what is wrong with them; damage reaches all that is built on it."""
    waiting: deque[Any] = deque()
    lost: list[int | None] = []

    def judged(frame: Any) -> tuple[Any, str]:
        return frame, DAMAGED if any(order.builds_on(frame.pts, one) for one in lost) else ""

    for frame in frames:
        if isinstance(frame, Lost) or frame.is_corrupt:
            lost.append(frame.pts)
        if not isinstance(frame, Lost):
            waiting.append(frame)
        if len(waiting) > REORDERED:
            yield judged(waiting.popleft())
    yield from map(judged, waiting)


def in_order(frames: Iterator[tuple[Any, str]], times: list[float], numbers: dict[int, int]) -> Iterator[Decoded]:
    """The place of each picture by its time stamp, else after the one before."""
    following = 0
    for frame, fault in frames:
        index = numbers.get(frame.pts, following)
        following = index + 1
        yield Decoded(index, times[min(index, len(times) - 1)], frame, fault)


def of_one_size(frames: Iterator[Decoded], look: Look, times: list[float]) -> Iterator[Decoded]:
    """Pictures until their size changes; all others have that as their fault."""
    came = set()
    for one in frames:
        if size_of(one.frame) != look.size:
            (height, width), (new_height, new_width) = look.size, size_of(one.frame)
            change = f"after the picture changes from {width}x{height} to {new_width}x{new_height}"
            rest = (index for index in range(len(times)) if index not in came)
            yield from (Decoded(index, times[index], None, change) for index in rest)
            return
        came.add(one.index)
        yield one


def progressive(frames: Iterator[Decoded], look: Look) -> Iterator[Decoded]:
    """Pictures of both fields at one time, by FFmpeg's bwdif (a field each in the order that was measured)."""
    if look.fields is None:
        yield from frames
        return
    woven, filtering = deque[Decoded](), None
    for one in frames:
        if one.frame is None:
            yield one
            continue
        filtering = filtering or field_filter(one.frame, "bwdif", f"mode=send_frame:parity={look.fields}:deint=all")
        woven.append(one)
        yield from (replace(woven.popleft(), frame=frame) for frame in through(filtering, one.frame))
    if filtering is not None:
        yield from (replace(woven.popleft(), frame=frame) for frame in through(filtering, None))


def field_filter(like: Any, name: str, options: str | None = None) -> Any:
    """A graph of one of FFmpeg's filters, for pictures of a stream or like another."""
    graph = av.filter.Graph()
    source = (
        graph.add_buffer(template=like)
        if isinstance(like, av.VideoStream)
        else graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=like.time_base or Fraction(1, 1000)
        )
    )
    graph.link_nodes(source, graph.add(name, options), graph.add("buffersink")).configure()
    return graph


def through(graph: Any, frame: Any) -> Iterator[Any]:
    """What a graph gives for one more picture, or at the end."""
    graph.push(frame)
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def picture(frame: Any, look: Look) -> Rgb:
    """A decoded picture as sRGB, on black where it is transparent."""
    height, width = look.square_size
    if any(component.is_alpha for component in frame.format.components):
        return upright(on_black(fitted(frame, "rgba", height, width)), look.matrix)
    if look.curve:
        return upright(tone_mapped(fitted(frame, "rgb48le", height, width), look.curve), look.matrix)
    return upright(fitted(frame, "rgb24", height, width), look.matrix)


def grey_picture(frame: Any, look: Look) -> UInt8[np.ndarray, "height width"]:
    """A decoded picture's luma, as stored."""
    return upright(fitted(frame, "gray", *look.square_size), look.matrix)


def fitted(frame: Any, pixel_format: str, height: int, width: int) -> Shaped[np.ndarray, "height width *channel"]:
    """A picture of a format and size; FFmpeg resamples it."""
    if (height, width) == size_of(frame):
        return frame.to_ndarray(format=pixel_format)
    return frame.reformat(width=width, height=height, format=pixel_format, interpolation="BICUBIC").to_ndarray()


def on_black(rgba: UInt8[np.ndarray, "height width rgba=4"]) -> Rgb:
    """An image with transparency, before black."""
    return (rgba[..., :3].astype(np.uint16) * rgba[..., 3:] // 255).astype(np.uint8)
