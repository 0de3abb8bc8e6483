"""Regions go to the object that they look like and that lacks them, or to none."""

import numpy as np

from pipeline.refinement.regions import bodies, flow_votes, free_pixels, free_regions, lacks, owners, usual_area
from tests.pipeline.refinement.sliding_square import FRAMES, SIDE, chain, images, true_ids


def test_threads_and_crumbs_are_no_bodies() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:17, 5:17], mask[25:27, :], mask[32:36, 5:9] = True, True, True
    found = bodies(mask, 40)
    assert found[6:16, 6:16].all() and not found[20:].any()


def test_a_square_that_was_lost_is_one_region_and_its_own() -> None:
    truth = true_ids()
    first = truth.copy()
    first[4:7] = 0
    regions = free_regions(first, truth == 1, chain(), 40)
    (number,) = np.unique(regions[regions > 0])
    assert owners(regions, first, images(), chain()) == {number: 1}


def test_text_over_the_video_is_given_to_nobody() -> None:
    """What is ignored in every frame stays so; what is ignored now and then may be of an object."""
    ids = np.zeros((3, 2, 3), np.uint8)
    ids[:, 0, 0], ids[1, 0, 1], ids[:, 1, 2] = 255, 255, 1
    expected = np.ones((3, 2, 3), bool)
    expected[:, 0, 0] = expected[:, 1, 2] = False
    np.testing.assert_array_equal(free_pixels(ids), expected)


def test_what_looks_like_no_object_belongs_to_none() -> None:
    truth = true_ids()
    regions = np.zeros(truth.shape, np.int32)
    regions[3, 42:58, 60:90] = 1  # a piece of the wall
    assert owners(regions, truth, images(), chain()) == {}


def test_an_object_that_is_whole_lacks_nothing() -> None:
    own = true_ids() == 1
    region = np.zeros_like(own)
    region[4, 40:58, 70:88] = True
    assert usual_area(own) == SIDE**2
    assert not lacks(own, region, float(SIDE**2))
    own[4] = False
    assert lacks(own, region, float(SIDE**2))


def test_flow_leads_from_the_region_to_the_object_before_and_after() -> None:
    own = true_ids() == 1
    region = np.zeros_like(own)
    region[4], own[4] = own[4], False
    assert flow_votes(region, own, chain()) == 1
    assert flow_votes(np.roll(region, 30, axis=1), own, chain()) == 0
    assert len(own) == FRAMES
