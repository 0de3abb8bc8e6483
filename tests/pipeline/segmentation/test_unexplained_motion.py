"""What moves and is no object is ignored; smeared flow and what stands still are not."""

import numpy as np

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.unexplained_motion import followed_regions, given_back, unexplained_regions, with_ignored
from tests.pipeline.segmentation.small_videos import square_over_wall

SHARE, REACH = 0.004, 0.2


def ignored(
    ids: np.ndarray, images: np.ndarray, residual: np.ndarray, chain: FlowChain
) -> tuple[np.ndarray, list[str]]:
    return with_ignored(ids, unexplained_regions(ids, images, residual, chain, SHARE, REACH))


def test_a_mover_that_is_no_object_becomes_ignore_and_is_warned_of() -> None:
    images, truth, chain = square_over_wall(speed=3)
    residual = np.where(truth > 0, 1.5, -0.2).astype(np.float32)
    found, warnings = ignored(np.zeros_like(truth), images, residual, chain)
    assert (found[truth > 0] == 255).mean() > 0.95 and not found[truth == 0].any()
    assert len(warnings) == 1 and "px around (32, 30) in frame 0" in warnings[0] and "frames 0 to 6" in warnings[0]


def test_flow_smeared_over_the_border_of_an_object_stays_background() -> None:
    images, truth, chain = square_over_wall(speed=3)
    smeared = np.abs(chain.forward[..., 0]).astype(np.float32) > 0
    residual = np.where(np.concatenate([smeared, smeared[-1:]]), 1.5, -0.2).astype(np.float32)
    found, warnings = ignored(truth, images, residual, chain)
    np.testing.assert_array_equal(found, truth)
    assert warnings == []


def test_a_mover_of_two_frames_is_in_doubt() -> None:
    images, truth, chain = square_over_wall(speed=3)
    residual = np.where(truth > 0, 1.5, -0.2).astype(np.float32)
    residual[2:] = -0.2
    found, warnings = ignored(np.zeros_like(truth), images, residual, chain)
    assert not found.any() and warnings == []


def test_a_region_keeps_its_number_where_the_flow_brings_it() -> None:
    _, truth, chain = square_over_wall(speed=6)
    regions = followed_regions(list(truth > 0), chain)
    np.testing.assert_array_equal(regions, truth)


def test_an_object_gets_back_what_moves_before_it_is_found_and_looks_like_it() -> None:
    images, truth, chain = square_over_wall(speed=3)
    residual = np.where(truth > 0, 1.5, -0.2).astype(np.float32)
    late = np.where(np.arange(7)[:, None, None] < 4, 0, 3 * truth).astype(np.uint8)
    regions = unexplained_regions(late, images, residual, chain, SHARE, REACH)
    assert (regions[:4] > 0).any((1, 2)).all() and not regions[4:].any()
    found, left = given_back(late, regions, images, chain, REACH)
    np.testing.assert_array_equal(found[4:], late[4:])
    overlap = [((found[t] == 3) & (truth[t] > 0)).sum() / ((found[t] == 3) | (truth[t] > 0)).sum() for t in range(4)]
    assert min(overlap) > 0.8
    assert not left.any() and with_ignored(found, left)[1] == []


def test_what_looks_like_no_object_stays_ignored() -> None:
    images, truth, chain = square_over_wall(speed=3)
    residual = np.where(truth > 0, 1.5, -0.2).astype(np.float32)
    late = np.where(np.arange(7)[:, None, None] < 4, 0, truth).astype(np.uint8)
    images[4:][truth[4:] > 0] = (10, 20, 250)
    regions = unexplained_regions(late, images, residual, chain, SHARE, REACH)
    found, left = given_back(late, regions, images, chain, REACH)
    np.testing.assert_array_equal(found, late)
    np.testing.assert_array_equal(left, regions)
