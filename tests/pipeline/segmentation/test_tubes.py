"""Moving regions of which some are one thing."""

import numpy as np

from pipeline.segmentation.tubes import alike, attached, lasting, near, taken_over, without_smear
from tests.pipeline.segmentation.small_videos import still_chain


def test_an_id_that_goes_on_where_another_ends_is_the_same_thing() -> None:
    labels = np.zeros((10, 20, 40), np.uint8)
    labels[:5, 5:15, 5:15], labels[5:, 5:15, 5:15] = 1, 2
    labels[:, 5:15, 15:25] = 3
    joined = taken_over(labels, still_chain(10, (20, 40)))
    assert len(np.unique(joined[:, 5:15, 5:15])) == 1
    assert joined[0, 10, 10] != joined[0, 10, 20], "what only touches stays another thing"


def test_a_small_part_that_always_touches_is_a_limb_and_a_passer_by_is_not() -> None:
    body, leg, away = np.zeros((3, 60, 80), bool)
    body[10:30, 20:60], leg[31:42, 24:30], away[45:56, 70:76] = True, True, True
    assert attached([(t, body, leg) for t in range(6)])
    assert not attached([(t, body, leg if t < 3 else away) for t in range(6)])
    assert not attached([(t, body, np.roll(body, 21, axis=0)) for t in range(6)]), "as large as the other"


def test_what_is_seen_in_a_few_frames_only_is_no_tube() -> None:
    tubes = np.zeros((9, 4, 4), np.uint8)
    tubes[:, 0], tubes[:3, 2] = 1, 2
    assert np.unique(lasting(tubes)).tolist() == [0, 1]
    assert np.unique(lasting(tubes[:3])).tolist() == [0, 1, 2], "a short video has no more frames"


def test_tubes_of_one_velocity_are_alike_and_of_another_are_not() -> None:
    own = np.full((6, 4), np.nan)
    own[1:] = [3.0, 1.0, 3.0, 1.0]
    assert alike(own, own + np.array([0.2, 0, 0, 0]))
    assert not alike(own, own + np.array([-3.0, 0, 0, 0]))
    assert not alike(own, np.full((6, 4), np.nan)), "never seen together"


def test_tubes_are_near_if_they_are_so_in_most_frames() -> None:
    first, close, far = np.zeros((3, 60, 80), bool)
    first[10:20, 10:20], close[10:20, 24:30], far[10:20, 60:70] = True, True, True
    assert near([(0, first, close), (1, first, close), (2, first, far)])
    assert not near([(0, first, close), (1, first, far), (2, first, far)])


def test_weak_residual_around_a_region_is_smear() -> None:
    labels, residual = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.float32)
    labels[5:35, 5:35], residual[5:35, 5:35], residual[10:30, 10:30] = 3, 0.4, 1.5
    clear = without_smear(labels, residual, 20)
    assert clear[20, 20] == 3 and not clear[7, 20] and 350 < (clear > 0).sum() <= 400
