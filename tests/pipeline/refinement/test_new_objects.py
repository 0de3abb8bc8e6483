"""A thing that no object knows is one if it is coherent and moves; what stands still is none, wherever it is."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.cameras import project
from pipeline.refinement.masks import corrected
from pipeline.refinement.new_objects import (
    is_object,
    longest_stretch,
    new_objects,
    numbered,
    off_still,
    with_new_ids,
)
from pipeline.refinement.still_world import Pixels, StillWorld
from tests.pipeline.refinement.sliding_square import (
    CAMERA,
    FRAMES,
    HEIGHT,
    WIDTH,
    chain,
    images,
    known_camera,
    true_ids,
    world_from_camera,
)

PIXELS = Pixels((HEIGHT, WIDTH), 1.0, known_camera())
QUIET = StillWorld(*np.zeros((2, FRAMES, HEIGHT, WIDTH), np.float32))


def test_a_square_that_was_never_found_becomes_an_object() -> None:
    nothing, truth = np.zeros_like(true_ids()), true_ids()
    found = corrected(nothing, images(), nothing > 0, chain(), known_camera(), 0.0007, 0.2, 3, 4)
    assert list(found.new) == [3] and found.regained == {}
    square = truth == 1
    assert ((found.object_ids == 3) & square).sum() > 0.8 * square.sum()
    assert (found.object_ids[~square] == 3).mean() < 0.02
    assert found.new[3].steadiness > 0.8 and found.new[3].off_still_px > 5


def test_a_still_point_is_nowhere_else_and_a_moving_one_is_off() -> None:
    frames = list(range(FRAMES))
    point = np.array([0.5, 0.2, 7.0])
    seen = np.array([project(CAMERA, (point - pose[:3, 3])[None])[0] for pose in world_from_camera()])
    assert off_still(PIXELS.index(seen), frames, PIXELS) == pytest.approx(0, abs=1e-6)
    upwards = seen + [0, 4] * np.arange(FRAMES)[:, None]  # no still point leaves its row: 2 to 18 px from the middle
    assert off_still(PIXELS.index(upwards), frames, PIXELS) > 8
    ahead = np.full((FRAMES, 2), 40.0)  # goes with the camera: as far as the sky
    assert off_still(ahead, frames, PIXELS) == pytest.approx(0, abs=1e-6)


def test_what_stands_still_or_jumps_is_no_object() -> None:
    regions = np.where(true_ids() == 1, 1, 0).astype(np.int32)
    (thing,) = new_objects(regions, set(), images(), QUIET, PIXELS, 4)
    mask = regions == 1
    assert not is_object(replace(thing, off_still_px=2.0), mask)
    assert is_object(replace(thing, off_still_px=2.0, residual=1.0), mask), "its flow agrees with no depth"
    assert not is_object(replace(thing, steadiness=0.3), mask)
    regions[::2] = 0
    assert new_objects(regions, set(), images(), QUIET, PIXELS, 4) == [], "flicker"
    assert longest_stretch(np.array([1, 1, 0, 1, 1, 1, 0], bool)) == 3 and longest_stretch(np.zeros(3, bool)) == 0


def test_regions_of_objects_are_left_alone_and_new_ids_are_free_ones() -> None:
    regions = np.zeros((1, 2, 4), np.int32)
    regions[0, 0], regions[0, 1] = [1, 1, 1, 0], [2, 2, 3, 0]
    ids, numbers = numbered(regions, {1})
    assert numbers == {1: 2, 2: 3} and ids[0].tolist() == [[0, 0, 0, 0], [1, 1, 2, 0]]
    (thing,) = new_objects(np.where(true_ids() == 1, 2, 0).astype(np.int32), set(), images(), QUIET, PIXELS, 4)
    table = np.array([0, 1, 255, 255], np.uint8)
    assert with_new_ids(table, [thing], 5) == {5: thing} and table.tolist() == [0, 1, 5, 255]
