"""Borders that follow edges, votes along the flow, and regions without texture."""

import cv2
import numpy as np
import pytest

from pipeline.segmentation.boundary_refinement import (
    border_mean,
    colour_margin,
    flat_regions,
    main_body,
    refine_masks,
    temporal_vote,
    zones_of,
)
from tests.pipeline.segmentation.small_videos import SIZE, square_over_wall, still_chain


def test_objects_that_are_not_in_doubt_keep_their_borders() -> None:
    images, ids, chain = square_over_wall(3)
    wide = np.stack([cv2.dilate(mask, np.ones((9, 9))) for mask in ids])
    assert (refine_masks(images, wide, chain, 0.2, doubtful=[2]) != wide).mean() < 0.01
    assert (refine_masks(images, wide, chain, 0.2, doubtful=[1]) != wide).mean() > 0.05


def test_a_region_without_texture_hears_what_its_border_says() -> None:
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    image[20:40, 30:60] = (90, 140, 60)
    flats = flat_regions(image)
    inside = flats == flats[30, 45]
    assert flats[30, 45] > 0 and 300 < inside.sum() <= 600
    margin = np.where(inside, 0, 2).astype(np.float32)
    said = border_mean(margin, flats)
    np.testing.assert_allclose(said[inside], 2)
    assert not said[flats == 0].any()


def test_frames_outvote_a_frame_with_a_torn_mask() -> None:
    ids = np.zeros((7, 20, 20), np.uint8)
    ids[:, 5:15, 5:15] = 1
    ids[3, 8:12, 8:12] = 0
    assert (temporal_vote(ids, still_chain(7, (20, 20)))[3, 8:12, 8:12] == 1).all()


def test_crumbs_go_and_holes_close() -> None:
    core = np.zeros((40, 40), bool)
    core[10:30, 10:30] = True
    inside = core.copy()
    inside[18:20, 18:20] = False
    inside[35:37, 2:4] = True
    np.testing.assert_array_equal(main_body(inside, core)[12:28, 12:28], True)
    assert not main_body(inside, core)[34:38, 1:5].any()


@pytest.mark.parametrize(("colour", "sign"), [((200, 40, 40), -1), ((40, 40, 200), 1), ((20, 20, 100), 1)])
def test_a_colour_speaks_for_where_it_is_common_and_so_does_a_shadow_on_it(
    colour: tuple[int, int, int], sign: int
) -> None:
    image = np.full((20, 30, 3), (40, 40, 200), np.uint8)
    image[:, :15] = (200, 40, 40)
    inside, beside = np.zeros((2, 20, 30), bool)
    inside[2:18, 2:12], beside[2:18, 18:28] = True, True
    image[10, 14] = colour
    assert np.sign(colour_margin(image, inside, beside)[10, 14]) == sign


def test_the_core_lies_inside_and_the_background_beside_away_from_every_object() -> None:
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    other = np.zeros_like(mask)
    other[20:40, 46:56] = True
    zones = zones_of(mask, mask | other, band=4)
    assert zones.core[30, 30] and not zones.core[20, 30] and not zones.core[~mask].any()
    assert zones.beside[30, 12] and not zones.beside[30, 50] and not zones.beside[30, 44] and not zones.beside[30, 2]
    assert zones.outward[30, 15] == pytest.approx(5, abs=0.1) and zones.outward[30, 21] == pytest.approx(-2, abs=0.1)
