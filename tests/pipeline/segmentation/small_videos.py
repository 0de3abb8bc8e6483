"""Videos small enough for tests of segmentation, with flow that is known."""

import cv2
import numpy as np

from pipeline.correspondence.flow_chain import FlowChain

SIZE = (60, 90)


def square_over_wall(speed: int) -> tuple[np.ndarray, np.ndarray, FlowChain]:
    """A textured square that slides over a textured wall; true ids; flow that is smeared 4 px beyond its border."""
    rng = np.random.default_rng(0)
    wall, skin = (
        cv2.GaussianBlur(rng.integers(0, 255, (*size, 3)).astype(np.uint8), (0, 0), 1.2) for size in (SIZE, (24, 24))
    )
    images, ids = np.stack([wall] * 7), np.zeros((7, *SIZE), np.uint8)
    smeared = np.zeros((7, *SIZE), bool)
    for t in range(7):
        left = 20 + speed * t
        images[t, 18:42, left : left + 24], ids[t, 18:42, left : left + 24] = skin, 1
        smeared[t, 14:46, left - 4 : left + 28] = True
    forward, backward = (np.zeros((6, *SIZE, 2), np.float16) for _ in "fb")
    forward[smeared[:-1], 0], backward[smeared[1:], 0] = speed, -speed
    valid = np.ones((6, *SIZE), bool)
    return images, ids, FlowChain(forward, backward, valid, valid)


def still_chain(count: int, size: tuple[int, int]) -> FlowChain:
    """A video in which nothing moves."""
    flow, valid = np.zeros((count - 1, *size, 2), np.float16), np.ones((count - 1, *size), bool)
    return FlowChain(flow, flow, valid, valid)
