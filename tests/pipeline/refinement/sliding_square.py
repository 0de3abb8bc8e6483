"""A square that slides over a wall before a camera that moves sideways: images, ids and flow, all exact and by hand.

The wall stands at depth DEPTH; the camera moves so that the wall shifts by WALL_PX a frame, the square by SQUARE_PX.
"""

import cv2
import numpy as np

from pipeline.cameras import Intrinsics
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.formats.flow_file import FlowPair
from pipeline.refinement.still_world import KnownCamera

FRAMES, HEIGHT, WIDTH, SIDE = 10, 60, 100, 18
DEPTH, FOCAL = 10.0, 80.0
WALL_PX, SQUARE_PX, START, TOP = -2, 5, 14, 20
CAMERA = Intrinsics.centred(FOCAL, HEIGHT, WIDTH)


def pattern(seed: int, width: int, tint: tuple[int, int, int]) -> np.ndarray:
    """Smooth noise of one tint."""
    noise = np.random.default_rng(seed).uniform(-1, 1, (HEIGHT, width, 3))
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.clip(np.array(tint) + 90 * smooth / np.abs(smooth).max(), 0, 255).astype(np.uint8)


def place(frame: int) -> tuple[slice, slice]:
    """Rows and columns of the square."""
    left = START + SQUARE_PX * frame
    return slice(TOP, TOP + SIDE), slice(left, left + SIDE)


def true_ids() -> np.ndarray:
    """0 is the wall, 1 the square."""
    ids = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for t in range(FRAMES):
        ids[t][place(t)] = 1
    return ids


def images() -> np.ndarray:
    """What the camera sees."""
    wall, square = pattern(1, WIDTH - WALL_PX * FRAMES, (60, 150, 90)), pattern(2, SIDE, (190, 80, 120))[:SIDE]
    seen = np.stack([wall[:, -WALL_PX * t : -WALL_PX * t + WIDTH] for t in range(FRAMES)])
    for t in range(FRAMES):
        seen[t][place(t)] = square
    return seen


def flow_pairs() -> list[FlowPair]:
    """Exact flow; invalid where a pixel is hidden or leaves."""
    ids, pairs = true_ids(), []
    for t in range(FRAMES - 1):
        fields = []
        for here, there, sign in ((t, t + 1, 1), (t + 1, t, -1)):
            flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
            flow[..., 0] = sign * np.where(ids[here] == 1, SQUARE_PX, WALL_PX)
            column = np.arange(WIDTH) + flow[..., 0].astype(int)
            inside = (column >= 0) & (column < WIDTH)
            landed = np.take_along_axis(ids[there], column.clip(0, WIDTH - 1), 1)
            fields.append((flow, inside & (landed == ids[here])))
        (forward, forward_valid), (backward, backward_valid) = fields
        pairs.append(FlowPair(forward, backward, forward_valid, backward_valid))
    return pairs


def chain() -> FlowChain:
    return FlowChain.of_pairs(flow_pairs())


def world_from_camera() -> np.ndarray:
    """The camera moves by what shifts the wall."""
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, 0, 3] = -WALL_PX * DEPTH / FOCAL * np.arange(FRAMES)
    return poses


def known_camera() -> KnownCamera:
    return KnownCamera(CAMERA, world_from_camera(), DEPTH)
