"""Where tracks begin, and what is kept of them."""

import numpy as np
import torch

from pipeline.config import TrackPointsConfig
from pipeline.correspondence.lucas_kanade import Patches, inside_masks
from pipeline.correspondence.point_tracks import (
    Active,
    best_of_cells,
    collect,
    covered,
    filled_at_birth,
    object_spacing,
)


def test_pixels_near_another_object_are_left_out() -> None:
    ids = np.array([[0, 0, 0, 1, 1, 1]] * 5, np.uint8)
    assert inside_masks(ids, 1)[2].tolist() == [0, 0, 255, 255, 1, 1]
    assert inside_masks(ids, 0)[2].tolist() == [0, 0, 0, 1, 1, 1]


def test_every_cell_gives_its_best_pixel() -> None:
    score = np.zeros((4, 8), np.float32)
    score[1, 1], score[2, 2], score[0, 6] = 3.0, 5.0, 1.0
    assert best_of_cells(score, 4.0).tolist() == [[2.5, 2.5], [6.5, 0.5]]


def test_small_objects_get_closer_tracks_and_large_ones_sparser() -> None:
    config = TrackPointsConfig(spacing_px=7, min_spacing_px=3, tracks_per_object=400, max_tracks=1500)
    assert object_spacing(400 * 25, config) == 5.0
    assert object_spacing(100, config) == 3.0
    assert object_spacing(400 * 64, config) == 7.0
    assert object_spacing(1500 * 100, config) == 10.0


def test_ground_near_a_track_is_taken() -> None:
    taken = covered(np.array([[2.5, 0.5]], np.float32), (1, 7), 2.0)
    assert taken[0].tolist() == [False, True, True, True, False, False, False]


def test_the_first_observation_is_as_sure_as_the_second() -> None:
    variance = np.array([np.nan, 0.2, 0.3, np.nan, 0.4], np.float32)
    filled = filled_at_birth(variance[:, None] * np.float32([1, 0, 2]))
    np.testing.assert_allclose(filled[:, 0], [0.2, 0.2, 0.3, 0.4, 0.4])
    np.testing.assert_allclose(filled[:, 2], 2 * filled[:, 0])


def alive(numbers: list[int]) -> Active:
    count = len(numbers)
    empty = Patches(
        torch.zeros(count, 3, 1), torch.zeros(count, 3, 1, 2), torch.zeros(count, 1), torch.full((count,), 2)
    )
    xy = torch.tensor(numbers, dtype=torch.float32)[:, None].expand(count, 2)
    return Active(torch.tensor(numbers), xy, torch.eye(2).expand(count, 2, 2), torch.eye(2).expand(count, 2, 2), empty)


def test_short_tracks_are_dropped_and_the_rest_is_sorted() -> None:
    found = collect([(0, alive([0, 1])), (1, alive([2, 0])), (2, alive([2, 0, 3]))], 2)
    assert found.object_ids.tolist() == [2, 2]
    assert found.observation_track.tolist() == [0, 0, 0, 1, 1]
    assert found.observation_frame.tolist() == [0, 1, 2, 1, 2]
    assert found.observation_xy[:, 0].tolist() == [0, 0, 0, 2, 2]
