"""Truth at a smaller size: borders stay where they are."""

import numpy as np

from benchmarks.scene_from_truth import shrunk_ids


def test_block_shows_what_fills_most_of_it_at_its_mean_depth():
    ids = np.array([[[0, 0, 1, 1], [0, 2, 2, 1]]], np.uint8)
    depth = np.array([[[3.0, 5.0, 1.0, 2.0], [4.0, 9.0, 9.0, 3.0]]], np.float32)
    found, mean = shrunk_ids(ids, depth, 2)
    assert found.tolist() == [[[0, 1]]] and mean.tolist() == [[[4.0, 2.0]]]


def test_border_through_the_middle_of_blocks_is_moved_neither_way():
    ids = np.zeros((1, 16, 16), np.uint8)
    ids[:, :, 5:] = 1
    found, _ = shrunk_ids(ids, np.ones((1, 16, 16), np.float32), 2)
    assert found[0, :, 2].mean() == 0.5 and not found[0, :, :2].any() and found[0, :, 3:].all()


def test_whole_size_is_left_as_it_is():
    rng = np.random.default_rng(0)
    ids, depth = rng.integers(0, 3, (2, 5, 7)).astype(np.uint8), rng.random((2, 5, 7)).astype(np.float32)
    found, mean = shrunk_ids(ids, depth, 1)
    assert np.array_equal(found, ids) and np.allclose(mean, depth)
