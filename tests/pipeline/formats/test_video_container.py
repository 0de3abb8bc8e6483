"""Of a file with several streams the video is taken, and what is no video is called by its name."""

from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from pipeline.formats.video_container import continuous
from pipeline.formats.video_source import open_source
from pipeline.runtime.errors import StageError


def write_streams(path: Path, streams: list[list[np.ndarray]]) -> Path:
    with av.open(str(path), "w") as container:
        made = []
        for images in streams:
            made.append(container.add_stream("mjpeg", rate=10))
            made[-1].height, made[-1].width = images[0].shape[:2]
            made[-1].pix_fmt = "yuvj420p"
        for images, stream in zip(streams, made, strict=True):
            for number, image in enumerate(images):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def moving(count: int, side: int) -> list[np.ndarray]:
    return [np.full((side, side, 3), 10 * n, np.uint8) for n in range(count)]


@pytest.mark.parametrize("cover_first", [True, False])
def test_a_cover_that_does_not_say_so_is_passed_over(tmp_path: Path, cover_first: bool) -> None:
    streams = [moving(1, 64), moving(6, 32)]
    source = open_source(write_streams(tmp_path / "a.mkv", streams if cover_first else streams[::-1]))
    assert len(source.times_s) == 6 and not source.warnings
    image = next(source.read()).image
    assert image is not None and image.shape == (32, 32, 3)


def test_of_two_videos_the_larger_is_taken_and_it_is_said(tmp_path: Path) -> None:
    source = open_source(write_streams(tmp_path / "a.mkv", [moving(6, 32), moving(5, 64)]))
    assert len(source.times_s) == 5 and "holds 2 videos (32x32, 64x64); the one of 64x64" in source.warnings[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer of Git LFS"),
        (b"\n<!DOCTYPE html><html></html>", "is a web page"),
        (b"PK\x03\x04" + bytes(80), "is a ZIP archive"),
    ],
)
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(StageError, match=words):
        open_source(tmp_path / "a.mp4")


def test_times_that_start_anew_go_on() -> None:
    """Two joined files of three pictures, 10 apart, the middle one shown last."""
    made = [SimpleNamespace(dts=d, pts=p, duration=10) for _ in range(2) for d, p in ((0, 10), (10, 30), (20, 20))]
    restarts: list[int] = []
    packets = list(continuous(made, restarts))
    assert [packet.dts for packet in packets] == [0, 10, 20, 30, 40, 50] and restarts == [3]
    assert [packet.pts for packet in packets] == [10, 30, 20, 40, 60, 50]
