"""Small things that move far: found by the full search, against slow references, and nothing else is touched."""

import cv2
import numpy as np
import torch

from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.backends import dis
from pipeline.correspondence.fast_motion import (
    FAR_PX,
    Matches,
    agreeing,
    best_places,
    far_matches,
    patches,
    shading_removed,
    spread,
)

SIZE = (160, 120)
FAR = np.array([24, -6])


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)


def disc(middle: np.ndarray) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.hypot(columns - middle[0], rows - middle[1]) < 13


def far_throw() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A disc that moves far before a background that moves a little; and where it is at first."""
    behind, thing, start = texture(0), texture(1), np.array([50, 60])
    first = np.where(disc(start)[..., None], thing, behind)
    moved = np.roll(thing, FAR[::-1], axis=(0, 1))
    second = np.where(disc(start + FAR)[..., None], moved, np.roll(behind, 2, axis=1))
    return first, second, disc(start)


def test_a_small_thing_that_moves_far_is_followed_and_the_background_stays_as_it_was() -> None:
    first, second, where = far_throw()
    model = dis.load(None, torch.device("cpu"))
    before = dis.dis_flow(model.found, first, second)
    (after,) = dis.find(model, [(first, second)], EstimateFlowConfig())
    assert (np.linalg.norm(before - FAR, axis=-1)[where] < 1).mean() < 0.1  # what the search is for
    assert (np.linalg.norm(after - FAR, axis=-1)[where] < 1).mean() > 0.85
    far_away = ~disc(np.array([50, 60])) & (cv2.dilate(where.astype(np.uint8), np.ones((41, 41))) == 0)
    np.testing.assert_array_equal(after[far_away], before[far_away])


def test_what_flow_explains_is_left_exactly_as_it_is() -> None:
    first, second = texture(0), np.roll(texture(0), 2, axis=1)
    model = dis.load(None, torch.device("cpu"))
    (found,) = dis.find(model, [(first, second)], EstimateFlowConfig())
    np.testing.assert_array_equal(found, dis.dis_flow(model.found, first, second))


def test_what_is_near_the_flow_is_left_to_it() -> None:
    """A flow that is off by less than a search can tell better, and one that is off by more."""
    first, second, where = far_throw()
    here, there = (shading_removed(image, SIZE) for image in (first, second))
    flow = np.zeros((SIZE[1], SIZE[0], 2), np.float32)
    flow[..., 0] = 2  # the background's
    off = flow.copy()
    off[where] = FAR + np.array([FAR_PX - 1, 0])
    assert len(far_matches(here, there, flow).xy) > 20
    assert not len(far_matches(here, there, off).xy)


def test_best_places_are_those_of_a_search_pixel_by_pixel() -> None:
    random = np.random.default_rng(3)
    here, there = random.normal(size=(2, 30, 40, 3)).astype(np.float32)
    xy = np.array([[3, 3], [20, 15], [36, 26], [9, 22]])
    found, error = best_places(here, there, xy)
    for point, place, least in zip(xy, found, error, strict=True):
        own = patches(here, point[None])[0]
        costs = {
            (column, row): float(((patches(there, np.array([[column, row]]))[0] - own) ** 2).mean())
            for column in range(max(point[0] - 7, 3), min(point[0] + 8, 37))  # 0.18 of 40 pixels are 7
            for row in range(max(point[1] - 7, 3), min(point[1] + 8, 27))
        }
        best = min(costs, key=lambda key: costs[key])
        assert tuple(place) == best
        np.testing.assert_allclose(least, costs[best], rtol=1e-3)


def test_points_count_only_with_neighbours_that_go_the_same_way() -> None:
    block = np.stack(np.meshgrid(np.arange(0, 10, 2), np.arange(0, 10, 2)), axis=-1).reshape(-1, 2)
    moved = np.tile(np.float32([12, 3]), (26, 1))
    moved[12] = (-20, 5)  # the middle one goes another way
    kept = agreeing(Matches(np.concatenate([block, [[60, 60]]]), moved))
    places = {tuple(place) for place in kept.xy.tolist()}
    assert not {(4, 4), (60, 60)} & places
    assert {(2, 2), (4, 2), (6, 2), (2, 4), (6, 4)} <= places
    np.testing.assert_allclose(kept.moved, np.tile([12, 3], (len(places), 1)))
    nothing = Matches(np.zeros((0, 2), int), np.zeros((0, 2), np.float32))
    assert not len(agreeing(nothing).xy)


def test_a_match_goes_as_its_neighbours_do_in_the_mean() -> None:
    block = np.stack(np.meshgrid(np.arange(0, 6, 2), np.arange(0, 6, 2)), axis=-1).reshape(-1, 2)
    moved = np.tile(np.float32([12, 3]), (9, 1))
    moved[::2, 0] = 13  # half of a pixel more is found as one or none
    kept = agreeing(Matches(block, moved))
    middle = kept.moved[np.flatnonzero((kept.xy == 2).all(1))[0]]
    np.testing.assert_allclose(middle, [12 + 5 / 9, 3], rtol=1e-6)


def test_a_match_reaches_six_pixels_around_it() -> None:
    far = spread(Matches(np.array([[20, 10]]), np.float32([[9, 4]])), (40, 30))
    rows, columns = np.nonzero(far.near)
    assert np.hypot(columns - 20, rows - 10).max() < 6
    np.testing.assert_array_equal(far.flow[10, 25], [9, 4])
    np.testing.assert_array_equal(far.flow[10, 27], [0, 0])


def test_a_slow_change_of_light_hardly_counts() -> None:
    image = texture(4)
    light = np.linspace(0, 40, SIZE[0])[None, :, None]
    lit = np.clip(image * 0.7 + light, 0, 255).astype(np.uint8)
    dark = np.clip(image * 0.7, 0, 255).astype(np.uint8)
    plain = [cv2.cvtColor(one, cv2.COLOR_RGB2LAB).astype(float)[..., 0] for one in (lit, dark)]
    removed = [shading_removed(one, SIZE)[..., 0] for one in (lit, dark)]
    assert np.abs(removed[0] - removed[1]).mean() < 0.4 * np.abs(plain[0] - plain[1]).mean()
