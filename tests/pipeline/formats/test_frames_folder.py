"""Folders of frames that are not whole are refused."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.frames_folder import frame_name, frame_paths, read_frames, write_image
from pipeline.runtime.errors import StageError


def test_a_frame_that_is_missing_is_named(tmp_path: Path) -> None:
    for t in (0, 1, 3):
        write_image(tmp_path / frame_name(t), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(StageError, match=r"lacks 000002\.png.*run extract_frames again"):
        frame_paths(tmp_path)


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / frame_name(0), np.zeros((8, 8, 3), np.uint8))
    write_image(tmp_path / frame_name(1), np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(StageError, match=r"000001\.png is 8x6, frames before it 8x8"):
        read_frames(tmp_path)
