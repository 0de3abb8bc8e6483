"""Frames as pictures, with masks and tracks drawn over them."""

import numpy as np
import pytest

from pipeline.formats.tracks_file import Tracks
from pipeline.live.frame_picture import LEAST_WIDTH, TAIL_FRAMES, FramePictures
from pipeline.reporting.pictures import object_colour
from tests.analytic_world import WIDTH, analytic_scene, analytic_truth

FACTOR = LEAST_WIDTH / WIDTH


@pytest.fixture(scope="module")
def pictures() -> FramePictures:
    """One point on object 2 goes right by 3 pixels a frame through all frames, one on object 1 is there in two."""
    rows = [(0, t, 10 + 3 * t, 20.0) for t in range(8)] + [(1, t, 30.0, 5.0 + t) for t in (1, 2)]
    track, frame, x, y = np.array(rows).T
    tracks = Tracks(
        np.array([2, 1], np.uint8),
        track.astype(np.int32),
        frame.astype(np.int32),
        np.stack([x, y], axis=1).astype(np.float32),
        np.ones((len(rows), 3), np.float32),
    )
    return FramePictures(analytic_scene(analytic_truth()), tracks)


def test_plain_picture_is_the_frame(pictures: FramePictures) -> None:
    image = pictures.picture(3)
    assert image.shape[1] == LEAST_WIDTH
    step = round(FACTOR)
    small = image.reshape(image.shape[0] // step, step, WIDTH, step, 3).mean((1, 3))
    assert np.abs(small - pictures.scene.images[3]).mean() < 2


def test_tails_end_where_the_points_are(pictures: FramePictures) -> None:
    image = pictures.picture(7, tracks=True)
    place = np.round(pictures.places[7] * FACTOR - 0.5).astype(int)
    assert np.array_equal(image[place[1], place[0]], object_colour(2))
    assert [rows.tolist() for rows in pictures.tails(7)] == [list(range(8 - TAIL_FRAMES, 8))]
    assert [rows.tolist() for rows in pictures.tails(2)] == [[0, 1, 2], [8, 9]]


def test_masks_have_the_objects_own_colours(pictures: FramePictures) -> None:
    pictures.scene.objects[1]["id"], ids = 9, pictures.ids
    renamed = FramePictures(pictures.scene, None)
    assert set(np.unique(renamed.mask_ids(0))) == {0, 9, 2} and set(ids) == {0, 1, 2}
    pictures.scene.objects[1]["id"] = 1
    assert not np.array_equal(pictures.picture(0, masks=True), pictures.picture(0))
