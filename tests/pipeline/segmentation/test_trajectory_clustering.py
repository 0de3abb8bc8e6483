"""Trajectories along flow that is known, and which of them belong together."""

import numpy as np

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.trajectories import TrackedPoints
from pipeline.segmentation.trajectory_clustering import (
    Motion,
    clustered_trajectories,
    joined_groups,
    motion_terms,
    summed,
)

FRAMES, SIZE = 14, (96, 128)


def chain_of(flow: np.ndarray) -> FlowChain:
    """A video in which every pair has the same flow, valid everywhere."""
    forward = np.broadcast_to(flow.astype(np.float16), (FRAMES - 1, *flow.shape))
    valid = np.ones(forward.shape[:3], bool)
    return FlowChain(forward, -forward, valid, valid)


def seen_everywhere(places: list[np.ndarray]) -> list[TrackedPoints]:
    """Points that are all seen in all frames."""
    return [TrackedPoints(np.arange(len(xy)), xy.astype(np.float32)) for xy in places]


def grid(left: int, right: int) -> np.ndarray:
    """Places 4 pixels apart in 24 rows, x from left to right."""
    return np.stack(np.meshgrid(np.arange(left, right, 4), np.arange(30, 54, 4)), -1).reshape(-1, 2).astype(float)


def test_two_things_that_touch_in_all_frames_are_two_clusters() -> None:
    left, right = grid(20, 44), grid(44, 68)
    places = [
        np.concatenate([left + np.array([0.3 * t, 0]), right + np.array([0.3 * t, 2.5 * np.sin(t)])])
        for t in range(FRAMES)
    ]
    clusters = clustered_trajectories(seen_everywhere(places), SIZE)
    assert len(np.unique(clusters)) == 2
    assert len(np.unique(clusters[: len(left)])) == 1


def test_one_thing_that_turns_and_grows_is_one_cluster() -> None:
    points, middle = grid(20, 68), np.array([44, 42])
    places = []
    for t in range(FRAMES):
        c, s = 1.02**t * np.cos(0.08 * t), 1.02**t * np.sin(0.08 * t)
        places.append((points - middle) @ np.array([[c, s], [-s, c]]) + middle + [t, 0.5 * t])
    clusters = clustered_trajectories(seen_everywhere(places), SIZE)
    assert clusters.max() == 0 and (clusters == 0).mean() > 0.75


def random_motion(seed: int) -> tuple[Motion, np.ndarray, np.ndarray]:
    """Sums of one frame, with the terms and the displacements behind them."""
    random = np.random.default_rng(seed)
    terms, moved = motion_terms(random.uniform(0, 96, (20, 2)), SIZE), random.normal(size=(20, 2))
    return summed([(3, terms, moved)]), terms, moved


def test_the_error_of_a_joint_motion_is_that_of_a_fit_to_all_points() -> None:
    (first, *a), (second, *b) = random_motion(0), random_motion(1)
    terms, moved = (np.concatenate(pair) for pair in zip(a, b, strict=True))
    fit = np.linalg.lstsq(terms, moved, rcond=None)[0]
    np.testing.assert_allclose((first + second).error(), [((terms @ fit - moved) ** 2).sum()], rtol=1e-3)


def test_sums_of_different_frames_stay_apart() -> None:
    first, second = random_motion(0)[0], random_motion(1)[0]
    later = Motion(5, second.count, second.gram, second.cross, second.square)
    both = first + later
    np.testing.assert_allclose(both.error(), [first.error()[0], 0, later.error()[0]])
    assert joined_groups([first, later], {(0, 1)}, 1e9) == [0, 1], (
        "without shared frames nothing says that they are one"
    )
