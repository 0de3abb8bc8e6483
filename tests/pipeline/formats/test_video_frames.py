"""Videos are made here, with one thing odd in each, and must look as a screen would show them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition

from pipeline.formats.video_container import moving_stream
from pipeline.formats.video_frames import field_order, nearest_turn, upright
from pipeline.formats.video_source import SourceFrame, open_source
from pipeline.runtime.errors import StageError


def textured(count: int, height: int = 160, width: int = 192, shift: int = 4) -> list[np.ndarray]:
    """A moving texture with a red corner that stays."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 1, (height, width + shift * count)), (0, 0), 2)
    wide = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    images = [np.repeat(wide[:, shift * n : shift * n + width, None], 3, axis=2) for n in range(count)]
    for image in images:
        image[: height // 4, : width // 4] = (255, 0, 0)
    return images


def write_clip(
    path: Path,
    images: list[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv444p",
    options: dict[str, str] | None = None,
    adjust: Callable[[Any], None] | None = None,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        stream.options = options or {"crf": "8", "bf": "0"}
        if adjust:
            adjust(stream)
        for n, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def images_of(path: Path) -> list[np.ndarray]:
    return [frame.image for frame in open_source(path).read() if frame.image is not None]


def difference(a: Any, b: Any) -> float:
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean())


TURNS = {  # the 2 x 2 part of the matrix, and what is done to a picture
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down and mirrored": ((1, 0, 0, -1), lambda image: image[::-1]),
    "half a turn": ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
    "a quarter clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "a quarter counterclockwise": ((0, -1, 1, 0), lambda image: np.rot90(image)),
    "transposed": ((0, 1, 1, 0), lambda image: np.swapaxes(image, 0, 1)),
}


@pytest.mark.parametrize("name", TURNS)
def test_the_display_matrix_turns_and_mirrors(name: str) -> None:
    (a, b, c, d), expected = TURNS[name]
    image = np.arange(6).reshape(2, 3)
    matrix = nearest_turn(np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]))
    np.testing.assert_array_equal(upright(image, matrix), expected(image))


def test_a_mirrored_video_is_mirrored_not_turned(tmp_path: Path) -> None:
    matrix = [-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30]
    path = write_clip(tmp_path / "clip.mp4", textured(2), adjust=lambda stream: stream.set_display_matrix(matrix))
    source = open_source(path)
    assert difference(images_of(path)[0], textured(2)[0][:, ::-1]) < 3 and source.facts["mirrored"]
    grey = next(source.glance()).image
    assert grey is not None and grey[5, -5] < 100 and grey.shape == (160, 192)  # luma of red


@pytest.mark.parametrize(("aspect", "size"), [(Fraction(4, 3), (160, 256)), (Fraction(1, 2), (320, 192))])
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    def squeezed(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    path = write_clip(tmp_path / "clip.mp4", textured(2), adjust=squeezed)
    wanted = cv2.resize(textured(2)[0], size[::-1], interpolation=cv2.INTER_CUBIC)
    assert images_of(path)[0].shape[:2] == size and difference(images_of(path)[0], wanted) < 4
    facts = open_source(path).facts
    assert (facts["stored_height"], facts["stored_width"], facts["pixel_aspect"]) == (160, 192, str(aspect))


@pytest.mark.parametrize("first", ["top", "bottom"])
@pytest.mark.parametrize("flagged", [True, False])
def test_interlaced_video_becomes_progressive_whatever_its_flags_say(tmp_path: Path, flagged: bool, first: str) -> None:
    fields = textured(17)
    second_lines = 1 if first == "top" else 0
    woven = [image.copy() for image in fields[:-1]]
    for n, image in enumerate(woven):
        image[second_lines::2] = fields[n + 1][second_lines::2]
    flags = {"x264-params": f"interlaced=1:{'tff' if first == 'top' else 'bff'}=1"} if flagged else {}
    path = write_clip(tmp_path / "clip.mp4", woven, options={"crf": "8", "bf": "0", **flags})
    found = images_of(path)
    assert open_source(path).facts["interlaced"] == f"{first} field first" and len(found) == 16
    inner = (slice(4, -4), slice(56, -8))
    assert np.mean([difference(found[n][inner], fields[n][inner]) for n in range(2, 14)]) < 6
    assert np.mean([difference(woven[n][inner], fields[n][inner]) for n in range(2, 14)]) > 12


def test_progressive_video_flagged_as_interlaced_is_left_alone(tmp_path: Path) -> None:
    options = {"crf": "8", "bf": "0", "x264-params": "interlaced=1:tff=1"}
    path = write_clip(tmp_path / "clip.mp4", textured(8), options=options)
    assert "interlaced" not in open_source(path).facts
    assert difference(images_of(path)[4], textured(8)[4]) < 3


def test_noise_of_both_orders_is_no_combing() -> None:
    assert field_order({"tff": 8, "bff": 9, "progressive": 10}, flagged=False) is None
    assert field_order({"tff": 20, "bff": 0, "progressive": 30}, flagged=False) == "tff"
    assert field_order({"tff": 1, "bff": 6, "progressive": 43}, flagged=True) == "bff"


def test_hdr_becomes_what_a_screen_shows(tmp_path: Path) -> None:
    def hlg(stream: Any) -> None:
        stream.codec_context.color_trc, stream.codec_context.color_primaries = 18, 9
        stream.codec_context.colorspace = 9

    # HLG's 75 % is diffuse white, which tone mapping takes to 215 (test_tone_mapping.py).
    images = [np.full((64, 64, 3), 191 + n, np.uint8) for n in range(2)]
    path = write_clip(tmp_path / "clip.mkv", images, "libx264", "yuv444p10le", adjust=hlg)
    assert open_source(path).facts["hdr"] == "HLG" and difference(images_of(path)[0], 215) < 2


def test_cover_art_is_passed_over() -> None:
    cover, moving = SimpleNamespace(disposition=Disposition.attached_pic), SimpleNamespace(disposition=Disposition(0))
    for videos, expected in (([cover, moving], moving), ([moving, cover], moving), ([cover], None)):
        assert moving_stream(SimpleNamespace(streams=SimpleNamespace(video=videos))) is expected


def test_a_video_ends_where_its_size_changes(tmp_path: Path) -> None:
    for name, size in (("a", (160, 192)), ("b", (144, 160))):
        write_clip(tmp_path / f"{name}.ts", [image[: size[0], : size[1]] for image in textured(6)])
    (tmp_path / "both.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    frames = list(open_source(tmp_path / "both.ts").read())
    good = [frame for frame in frames if frame.image is not None]
    assert 4 <= len(good) <= 6 and all(frame.image is not None and frame.image.shape[0] == 160 for frame in good)
    assert frames[-1].fault == "after the picture changes from 192x160 to 160x144"


def damaged_from(path: Path, packet: int) -> list[SourceFrame]:
    """The frames of a clip with key pictures at 0 and 8, one of whose packets is overwritten."""
    write_clip(path, textured(16), options={"crf": "8", "bf": "2", "g": "8", "keyint_min": "8", "sc_threshold": "0"})
    with av.open(str(path)) as container:
        one = [packet for packet in container.demux(video=0) if packet.size][packet]
        place, size = one.pos, one.size
    content = bytearray(path.read_bytes())
    content[place + size // 4 : place + size] = bytes(size - size // 4)
    path.write_bytes(content)
    return list(open_source(path).read())


def test_damage_is_dropped_until_the_next_key_picture(tmp_path: Path) -> None:
    frames = damaged_from(tmp_path / "clip.mp4", 4)
    expected = textured(16)
    for frame in frames:
        if frame.image is not None:
            assert difference(frame.image, expected[frame.index]) < 3
    good = [frame.index for frame in frames if frame.image is not None]
    assert good[0] == 0 and set(range(8, 16)) <= set(good) and len(good) < 15


def test_what_has_no_moving_picture_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(write_clip(tmp_path / "clip.mp4", textured(6)).read_bytes()[:3000])
    with pytest.raises(StageError, match=r"cut\.mp4 cannot be opened as a video .*copy or download it again"):
        open_source(tmp_path / "cut.mp4")
