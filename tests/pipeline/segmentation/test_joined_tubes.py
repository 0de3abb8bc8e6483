"""Moving regions that are parts of one thing, and such that are two."""

import numpy as np

from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.joined_tubes import attached, grouped, joined_tubes, near, share_an_edge, tube_motion

RED, GREEN = (200, 30, 30), (30, 200, 30)


def test_a_small_part_that_always_touches_is_a_limb_and_a_passer_by_is_not() -> None:
    body, leg, away = np.zeros((3, 60, 80), bool)
    body[10:30, 20:60], leg[31:42, 24:30], away[45:56, 70:76] = True, True, True
    assert attached([(t, body, leg) for t in range(6)])
    assert not attached([(t, body, leg if t < 3 else away) for t in range(6)])
    assert not attached([(t, body, np.roll(body, 21, axis=0)) for t in range(6)]), "as large as the other"


def test_tubes_are_near_if_they_are_so_in_most_frames() -> None:
    first, close, far = np.zeros((3, 60, 80), bool)
    first[10:20, 10:20], close[10:20, 24:30], far[10:20, 60:70] = True, True, True
    assert near([(0, first, close), (1, first, close), (2, first, far)])
    assert not near([(0, first, close), (1, first, far), (2, first, far)])


def halves(turn: float, apart: float, colour: tuple[int, int, int], again: bool = False) -> list[int]:
    """Ids left of a disk's two halves that go 3 px a frame; it turns by `turn` radians a frame, the right one goes by itself."""
    frames, size = 8, (90, 130)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    tubes, images = np.zeros((frames, *size), np.uint8), np.full((frames, *size, 3), 120, np.uint8)
    flow = np.zeros((frames - 1, *size, 2), np.float16)
    for t in range(frames):
        x, y = columns - 35 - 3 * t, rows - 45
        inside = np.hypot(x, y) < 24
        side = np.where(x * np.cos(turn * t) + y * np.sin(turn * t) < 0, 1, 2)
        tubes[t] = np.where(inside, side, 0)
        images[t][tubes[t] == 1], images[t][tubes[t] == 2] = RED, colour
        if t < frames - 1:
            flow[t, ..., 0] = inside * (3 - turn * y + apart * (side == 2))
            flow[t, ..., 1] = inside * turn * x
    sure = np.ones(flow.shape[:3], bool)
    joined = joined_tubes(images, tubes, [np.ones(size, bool)] * frames, FlowChain(flow, -flow, sure, sure), again)
    return np.unique(joined).tolist()


def test_halves_of_a_disk_that_turns_are_one_thing_and_of_two_that_part_are_not() -> None:
    assert halves(turn=0.0, apart=0.0, colour=RED) == [0, 1]
    assert halves(turn=0.1, apart=0.0, colour=RED) == [0, 1], "the rims go 5 px a frame against each other"
    assert halves(turn=0.0, apart=2.5, colour=RED) == [0, 1, 2]


def test_things_that_move_a_little_otherwise_are_one_if_they_look_the_same() -> None:
    assert halves(turn=0.0, apart=0.9, colour=RED) == [0, 1]
    assert halves(turn=0.0, apart=0.9, colour=GREEN) == [0, 1, 2]


def test_what_was_told_apart_all_the_time_is_not_joined_on_its_edges() -> None:
    assert halves(turn=0.0, apart=0.0, colour=RED, again=True) == [0, 1, 2]


def faces(slide: float, parting: int) -> bool:
    """Whether two faces share an edge; the upper one folds away, the lower one unfolds, slides along it, and parts from it."""
    frames, size = 8, (80, 60)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    tubes, flow = np.zeros((frames, *size), np.uint8), np.zeros((frames - 1, *size, 2), np.float16)
    for t in range(frames):
        inside = (columns > 15) & (columns < 45)
        upper, lower = (
            inside & (rows >= 20) & (rows < 40),
            inside & (rows >= 40 + parting * t) & (rows < 60 + parting * t),
        )
        tubes[t] = upper + 2 * lower
        if t < frames - 1:
            flow[t, ..., 1] = (rows - 40) * np.where(upper, -0.15, 0.15) * (upper | lower)
            flow[t, ..., 0] = slide * lower
    sure = np.ones(flow.shape[:3], bool)
    chain, shown = FlowChain(flow, -flow, sure, sure), np.arange(frames)
    first, second = (tube_motion(tubes, k, shown, [np.ones(size, bool)] * frames, chain) for k in (1, 2))
    return share_an_edge(tubes, (1, 2), shown, (first, second))


def test_faces_that_move_alike_at_their_edge_are_of_one_solid_and_what_slides_along_or_parts_is_not() -> None:
    assert faces(slide=0.0, parting=0)
    assert not faces(slide=3.0, parting=0)
    assert not faces(slide=0.0, parting=3)


def test_what_is_apart_is_not_joined_through_a_third_nor_after_it_is_known_again() -> None:
    alone = {k: k for k in (1, 2, 3)}
    assert grouped([(1, 2), (2, 3)], [], alone)[1:4].tolist() == [1, 1, 1]
    assert grouped([(1, 2), (2, 3)], [(1, 3)], alone)[1:4].tolist() == [1, 1, 3], "the first pair is the surest"
    again = {1: 1, 2: 2, 3: 1, 4: 2}
    assert grouped([(3, 4)], [(1, 2)], again)[1:5].tolist() == [1, 2, 3, 4], "3 is 1, and 4 is 2"
    assert grouped([(3, 4)], [(1, 2)], {k: k for k in again})[1:5].tolist() == [1, 2, 3, 3]
