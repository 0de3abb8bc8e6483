"""Points followed along flow that is known."""

import numpy as np

from pipeline.segmentation.trajectories import displacements, point_trajectories
from tests.pipeline.segmentation.test_trajectory_clustering import FRAMES, SIZE, chain_of


def test_a_trajectory_follows_the_flow_and_ends_where_it_is_not_valid() -> None:
    flow = np.zeros((*SIZE, 2))
    flow[..., 0] = 2
    chain = chain_of(flow)
    chain.forward_valid[5:] = False
    mask = np.zeros(SIZE, bool)
    mask[40:44, 20:100] = True
    observations = point_trajectories([mask] * FRAMES, chain, 4)
    first = observations[0].trajectories
    started = first[observations[0].xy[:, 0] < 80]
    assert set(started) <= set(observations[5].trajectories) and not set(first) & set(observations[6].trajectories)
    seen, moved = displacements(observations, 0, 3)
    np.testing.assert_allclose(moved, [[6, 0]] * len(seen.trajectories))


def test_new_trajectories_start_only_where_none_is() -> None:
    mask = np.ones(SIZE, bool)
    observations = point_trajectories([mask] * FRAMES, chain_of(np.zeros((*SIZE, 2))), 4)
    assert all(len(points.trajectories) == SIZE[0] * SIZE[1] / 16 for points in observations)
    assert observations[-1].trajectories.max() == len(observations[0].trajectories) - 1
