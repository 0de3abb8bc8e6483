"""What does not show the scene: boxes in some frames, and holes."""

import json
from pathlib import Path

import numpy as np

from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.hidden_pixels import hidden_pixels


def test_boxes_hide_their_frames_and_holes_are_added(tmp_path: Path) -> None:
    opaque = np.full((4, 6, 4), 255, np.uint8)
    for t in range(3):
        image = opaque.copy()
        image[0, 5, 3] = 0 if t == 2 else 255
        write_image(tmp_path / frame_name(t), image)
    info = tmp_path / "frames.json"
    expected = np.zeros((3, 4, 6), bool)
    assert not hidden_pixels(tmp_path, None, (3, 4, 6)).any()
    info.write_text(json.dumps({"overlays": [{"box": [1, 2, 4, 4], "first": 1, "last": 1}]}))
    expected[1, 2:, 1:4] = True
    np.testing.assert_array_equal(hidden_pixels(tmp_path, info, (3, 4, 6)), expected)
    info.write_text(json.dumps({**json.loads(info.read_text()), "transparent": 0.01}))
    expected[2, 0, 5] = True
    np.testing.assert_array_equal(hidden_pixels(tmp_path, info, (3, 4, 6)), expected)
