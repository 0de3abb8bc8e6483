"""What moves and is no object is ignored; smeared flow and what stands still are not."""

import numpy as np

from pipeline.segmentation.unexplained_motion import followed_regions, with_ignored
from tests.pipeline.segmentation.small_videos import square_over_wall

SHARE, REACH = 0.004, 0.2


def test_a_mover_that_is_no_object_becomes_ignore_and_is_warned_of() -> None:
    images, truth, chain = square_over_wall(speed=3)
    residual = np.where(truth > 0, 1.5, -0.2).astype(np.float32)
    found, warnings = with_ignored(np.zeros_like(truth), images, residual, chain, SHARE, REACH)
    assert (found[truth > 0] == 255).mean() > 0.95 and not found[truth == 0].any()
    assert len(warnings) == 1 and "px around (32, 30) in frame 0" in warnings[0] and "frames 0 to 6" in warnings[0]


def test_flow_smeared_over_the_border_of_an_object_stays_background() -> None:
    images, truth, chain = square_over_wall(speed=3)
    smeared = np.abs(chain.forward[..., 0]).astype(np.float32) > 0
    residual = np.where(np.concatenate([smeared, smeared[-1:]]), 1.5, -0.2).astype(np.float32)
    found, warnings = with_ignored(truth, images, residual, chain, SHARE, REACH)
    np.testing.assert_array_equal(found, truth)
    assert warnings == []


def test_a_mover_of_two_frames_is_in_doubt() -> None:
    images, truth, chain = square_over_wall(speed=3)
    residual = np.where(truth > 0, 1.5, -0.2).astype(np.float32)
    residual[2:] = -0.2
    found, warnings = with_ignored(np.zeros_like(truth), images, residual, chain, SHARE, REACH)
    assert not found.any() and warnings == []


def test_a_region_keeps_its_number_where_the_flow_brings_it() -> None:
    _, truth, chain = square_over_wall(speed=6)
    regions = followed_regions(list(truth > 0), chain)
    np.testing.assert_array_equal(regions, truth)
