"""Videos that browsers play."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.formats.video_file import even_size, read_video, write_video
from pipeline.runtime.errors import StageError


def moving_ramp(height: int, width: int, count: int = 6) -> np.ndarray:
    """Smooth frames that a codec keeps well."""
    x = np.linspace(30, 220, width)
    return np.stack([np.broadcast_to(np.roll(x, t)[None, :, None], (height, width, 3)) for t in range(count)]).astype(
        np.uint8
    )


def test_a_video_is_h264_in_4_2_0_and_comes_back_nearly_as_it_went(tmp_path: Path) -> None:
    images = moving_ramp(48, 64)
    write_video(tmp_path / "a.mp4", images, 12.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == pytest.approx(12)
    back = np.stack(list(read_video(tmp_path / "a.mp4")))
    assert back.shape == images.shape
    assert np.abs(back.astype(float) - images).mean() < 3


def test_odd_sizes_get_one_row_and_column_more(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", moving_ramp(33, 47, 3), 29.97)
    assert next(read_video(tmp_path / "a.mp4")).shape == (34, 48, 3)
    assert even_size(np.zeros((4, 6, 3), np.uint8)).shape == (4, 6, 3)


def test_the_same_frames_make_the_same_file_at_any_size(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    small = random.integers(0, 255, (8, 9, 24, 3)).astype(np.uint8)
    images = [cv2.resize(image, (480, 270)) for image in small]
    files, used = set(), []
    for _ in range(12):
        used = [
            *used[-4:],
            random.integers(0, 255, random.integers(1000, 3_000_000)).astype(np.uint8),
        ]  # stirs the heap
        write_video(tmp_path / "a.mp4", images, 10.0)
        files.add((tmp_path / "a.mp4").read_bytes())
    assert len(files) == 1


def test_no_frame_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no frame"):
        write_video(tmp_path / "a.mp4", [], 10.0)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing of a video")
    with pytest.raises(StageError, match=r"a\.mp4"):
        list(read_video(tmp_path / "a.mp4"))
