"""Flow over several frames, from flow between neighbours that is known."""

import numpy as np
import pytest

from pipeline.correspondence.flow_chain import FlowChain, steps_from, warped_from
from pipeline.segmentation.layered_motion import STRIDES
from tests.pipeline.segmentation.small_videos import square_over_wall


def growing_chain() -> FlowChain:
    """From frame t to t + 1 all move by t + 1 columns; in one place of each of the first two pairs flow is not valid."""
    forward, backward = np.zeros((2, 3, 12, 20, 2), np.float16)
    valid = np.ones((3, 12, 20), bool)
    for t in range(3):
        forward[t, ..., 0], backward[t, ..., 0] = t + 1, -(t + 1)
    forward_valid = valid.copy()
    forward_valid[0, 5, 2] = forward_valid[1, 5, 8] = False
    return FlowChain(forward, backward, forward_valid, valid)


@pytest.mark.parametrize(("frame", "targets"), [(0, [1, 3]), (3, [4, 6, 2, 0]), (6, [5, 3])])
def test_steps_go_both_ways_as_far_as_the_video_does(frame: int, targets: list[int]) -> None:
    _, _, chain = square_over_wall(1)
    assert [step.target for step in steps_from(chain, frame, STRIDES)] == targets


def test_flow_over_frames_is_the_sum_along_the_way_and_valid_if_every_step_is() -> None:
    first, second, third = growing_chain().walk(0, 1, 3)
    assert [flow[5, 3, 0] for flow, _ in (first, second, third)] == [1, 3, 6]
    assert first[1][5, 7] and not second[1][5, 7] and second[1][5, 8]
    assert not first[1][5, 2] and not second[1][5, 2], "what is lost stays lost"
    assert [flow[5, 15, 0] for flow, _ in growing_chain().walk(3, -1, 2)] == [-3, -5]
    assert list(growing_chain().walk(0, 1, 0)) == []


def test_a_neighbours_values_are_brought_along_the_flow() -> None:
    values = np.arange(20, dtype=np.float32)[None].repeat(12, 0)
    brought, valid = warped_from(values, growing_chain(), 1, 1)
    assert brought[5, 3] == 5 and not valid[5, 8] and valid[5, 7]
    assert warped_from(values, growing_chain(), 1, -1)[0][5, 3] == 2


def test_reduced_flow_is_in_pixels_of_the_reduced_frames() -> None:
    small = growing_chain().reduced(10)
    assert small.forward.shape == (3, 6, 10, 2)
    np.testing.assert_allclose(small.forward[1, ..., 0], 1.0)
    assert growing_chain().reduced(20).forward.shape == (3, 12, 20, 2)


def test_strides_that_are_not_asked_for_are_left_out() -> None:
    assert [(step.target, step.stride) for step in steps_from(growing_chain(), 1, {2})] == [(3, 2)]
