"""What belongs to a region that is where nothing still can be."""

import numpy as np

from pipeline.segmentation.impossible_things import bordered, impossible_things, without_holes
from pipeline.segmentation.possible_depth import Infinity, Possible, Told

SIZE = (60, 80)


def found(nearness: np.ndarray, trust: np.ndarray) -> Possible:
    """Points that are told to 0.05, over a ground that is 1 near from row 40 on."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    xy = np.stack([columns, rows], -1).reshape(-1, 2).astype(float)
    told = Told(xy, nearness.ravel(), np.full(nearness.size, 0.05), trust.ravel())
    infinity = Infinity(1.0, np.zeros(3), np.zeros((3, 3)))
    return Possible(infinity, told, np.where(rows >= 40, 1.0, 0.0).ravel())


def test_the_upper_part_of_a_thing_that_is_as_near_belongs_to_it_and_what_is_beside_it_does_not() -> None:
    nearness, trust = np.full(SIZE, 1.2), np.ones(SIZE)
    nearness[30:50, 30:50] = 0.3
    nearness[30:36, 50:78] = 0.3  # joins it, but stands over nothing of it
    (thing,) = impossible_things(found(nearness, trust), np.zeros(SIZE, int))
    assert thing.impossible[42:48, 32:48].all() and not thing.impossible[:40].any()
    assert thing.whole[31:49, 31:49].all()
    assert not thing.whole[:, 55:].any()


def test_flow_that_is_not_trusted_tells_of_nothing_impossible() -> None:
    nearness = np.full(SIZE, 1.2)
    nearness[30:50, 30:50] = 0.3
    assert not impossible_things(found(nearness, np.zeros(SIZE)), np.zeros(SIZE, int))


def test_a_region_without_texture_belongs_to_what_most_of_its_border_is_in() -> None:
    flat, inside = np.zeros(SIZE, int), np.zeros(SIZE, bool)
    flat[20:30, 20:40], flat[20:30, 50:70] = 1, 2
    inside[16:34, 16:44] = True
    inside[16:34, 46:52] = True
    assert bordered(flat, inside & (flat == 0)) == [1]


def test_what_an_outline_with_a_gap_surrounds_is_filled() -> None:
    mask = np.zeros(SIZE, bool)
    mask[10:40, 20:60] = True
    mask[14:36, 24:56] = False
    mask[10:14, 38:42] = False
    assert without_holes(mask)[10:40, 20:60].mean() > 0.98
