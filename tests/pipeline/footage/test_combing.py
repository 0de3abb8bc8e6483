"""Two fields woven into one picture are told from pictures of one time."""

import numpy as np

from pipeline.footage.combing import combed_shares, is_combed
from tests.pipeline.footage.moving import panned


def test_woven_fields_of_a_scene_that_moves_are_combed() -> None:
    pictures = panned(2, 9, step=4.0)
    woven = [picture.copy() for picture in pictures[:-1]]
    for picture, after in zip(woven, pictures[1:], strict=True):
        picture[1::2] = after[1::2]
    assert is_combed(np.stack([combed_shares(picture) for picture in woven]))


def test_pictures_of_one_time_are_not() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (72, 128)).astype(np.uint8)
    stripes = np.repeat(np.repeat(np.array([20, 200, 110], np.uint8), 24)[:, None], 128, axis=1)
    for picture in (*panned(2, 3, step=4.0), noise, stripes, np.zeros((3, 9), np.uint8)):
        assert not is_combed(combed_shares(picture)[None])


def test_a_line_between_two_others_counts_by_hand() -> None:
    lines = np.tile(np.array([0, 0, 0, 50, 0, 0, 0], np.uint8)[:, None], (1, 8))
    np.testing.assert_allclose(
        combed_shares(lines), [1 / 3, 1 / 3]
    )  # of lines 2, 3, 4 the middle one, at both distances
