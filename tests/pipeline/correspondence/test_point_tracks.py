"""Where tracks begin, and what is kept of them."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from pipeline.config import TrackPointsConfig
from pipeline.correspondence.lucas_kanade import Patches, inside_masks, smooth_image
from pipeline.correspondence.point_tracks import (
    Active,
    best_of_cells,
    collect,
    covered,
    filled_at_birth,
    follow,
    object_spacing,
)
from pipeline.formats.flow_file import FlowPair
from pipeline.formats.tracks_file import Tracks


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
    eye = torch.eye(2).expand(count, 2, 2)
    return Active(torch.tensor(numbers), xy, eye, eye, torch.zeros(count, 2), empty)


def test_short_tracks_are_dropped_and_the_rest_is_sorted() -> None:
    found = collect([(0, alive([0, 1])), (1, alive([2, 0])), (2, alive([2, 0, 3]))], 2)
    assert found.object_ids.tolist() == [2, 2]
    assert found.observation_track.tolist() == [0, 0, 0, 1, 1]
    assert found.observation_frame.tolist() == [0, 1, 2, 1, 2]
    assert found.observation_xy[:, 0].tolist() == [0, 0, 0, 2, 2]


def followed(object_id: int, flows: list[tuple[float, float]]) -> Tracks:
    """Points of a textured square of 40 pixels that moves by 5 pixels a frame, where flow says something else."""
    random = np.random.default_rng(2)
    texture = cv2.GaussianBlur(random.uniform(0, 255, (40, 40, 3)).astype(np.float32), (0, 0), 1.2)
    texture = np.clip(3 * (texture - texture.mean()) + 128, 0, 255).astype(np.uint8)
    images, ids = np.full((len(flows) + 1, 60, 100, 3), 90, np.uint8), np.full((len(flows) + 1, 60, 100), 9, np.uint8)
    for frame in range(len(images)):
        own = np.s_[frame, 10:50, 10 + 5 * frame : 50 + 5 * frame]
        images[own], ids[own] = texture, object_id
    valid = np.ones((60, 100), bool)
    pairs = (
        FlowPair(np.tile(np.float32(flow), (60, 100, 1)), np.tile(-np.float32(flow), (60, 100, 1)), valid, valid)
        for flow in flows
    )
    with ThreadPoolExecutor(1) as pool:
        return collect(follow((smooth_image(image) for image in images), ids, pairs, TrackPointsConfig(), pool), 3)


def steps_of(tracks: Tracks, frame: int) -> np.ndarray:
    """How every track that is alive before and after it moves into a frame."""
    before, after = (np.flatnonzero(tracks.observation_frame == f) for f in (frame - 1, frame))
    _, a, b = np.intersect1d(tracks.observation_track[before], tracks.observation_track[after], return_indices=True)
    return tracks.observation_xy[after[b]] - tracks.observation_xy[before[a]]


@pytest.mark.parametrize("wrong", [(-1.0, 0.0), (5.0, 7.0)])
def test_points_of_an_object_go_on_as_they_went_where_flow_leads_astray(wrong: tuple[float, float]) -> None:
    steps = steps_of(followed(1, [(5, 0), (5, 0), wrong, (5, 0)]), 3)
    assert len(steps) > 40
    np.testing.assert_allclose(np.median(steps, axis=0), [5, 0], atol=0.05)


def test_points_are_found_beside_where_flow_leads_if_others_of_their_object_are_off_alike() -> None:
    steps = steps_of(followed(1, [(2.6, 0), (2.6, 0), (5, 0)]), 1)
    assert len(steps) > 40
    np.testing.assert_allclose(np.median(steps, axis=0), [5, 0], atol=0.05)


def test_the_background_is_found_where_flow_leads_or_not_at_all() -> None:
    assert not len(steps_of(followed(0, [(5, 0), (5, 0), (-1, 0), (5, 0)]), 3))
