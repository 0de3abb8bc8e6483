"""Two explanations of what is near an object's border: it moves with the object, or with the background beside it.

Flow is smeared over borders by several pixels, so it cannot say where a border is. But the motion inside of an object
and the motion beside it can be continued over the border, and only one of them brings a pixel to where the other
frames show the same colour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pipeline.correspondence.flow_chain import Step

STRIDES = (1, 3)
FEWEST_PX, FEWEST_FOR_CURVES_PX, MOST_FITTED_PX = 20, 150, 1500
INLIER_PX = 0.5
TYPICAL_ERROR = 8.0  # of a wrong match, in levels of Lab
MOST_ERROR = 3.0  # of them
Window = tuple[slice, slice]
Pictures = Mapping[int, np.ndarray]  # (height, width, channel) by frame


def motion_margin(
    pictures: Pictures,
    frame: int,
    steps: Sequence[Step],
    inside: Bool[np.ndarray, "height width"],
    beside: Bool[np.ndarray, "height width"],
    window: Window,
) -> Float[np.ndarray, "window_height window_width"]:
    """How much worse the object's motion explains each pixel than the background's; negative on the object.

    `inside` are pixels that surely are the object's, `beside` the background's around it. What is hidden in one
    direction of time is seen in the other, so the better direction counts.
    """
    total = np.zeros(pictures[frame][window].shape[:2], np.float32)
    for stride in STRIDES:
        chosen = [step for step in steps if step.stride == stride]
        own = [
            matching_error(pictures, frame, step, motion, window) for step in chosen for motion in inner(step, inside)
        ]
        other = [
            matching_error(pictures, frame, step, motion, window) for step in chosen for motion in outer(step, beside)
        ]
        if own and other:
            total += np.minimum.reduce(own) - np.minimum.reduce(other)
    return total


def inner(step: Step, inside: Bool[np.ndarray, "height width"]) -> list["Motion"]:
    """The object's motion, if enough of it is seen."""
    motion = fitted_motion(step, inside, curved=True)
    return [] if motion is None else [motion]


def outer(step: Step, beside: Bool[np.ndarray, "height width"]) -> list["Motion"]:
    """The background's motion as seen on each side: the floor below moves otherwise than the wall above."""
    rows, columns = np.nonzero(beside)
    if not len(rows):
        return []
    sides = [beside]
    for axis, middle in ((0, rows.mean()), (1, columns.mean())):
        place = np.arange(beside.shape[axis])
        place = place[:, None] if axis == 0 else place[None]
        sides += [beside & (place < middle), beside & (place >= middle)]
    motions = [fitted_motion(step, side, curved=False) for side in sides]
    return [motion for motion in motions if motion is not None]


@dataclass(frozen=True)
class Motion:
    """Flow as a polynomial of the place, by which it is continued over a border."""

    middle: tuple[float, float]
    scale: float
    coefficients: Float[np.ndarray, "term xy=2"]

    def at(self, columns: np.ndarray, rows: np.ndarray) -> Float[np.ndarray, "*place xy=2"]:
        terms = polynomial(columns, rows, self.middle, self.scale, len(self.coefficients) > 3)
        return (terms @ self.coefficients).astype(np.float32)


def polynomial(
    columns: np.ndarray, rows: np.ndarray, middle: tuple[float, float], scale: float, curved: bool
) -> Float[np.ndarray, "*place term"]:
    """1, x, y and, for curved motion, their products."""
    x, y = (columns - middle[0]) / scale, (rows - middle[1]) / scale
    terms = [np.ones_like(x), x, y]
    return np.stack([*terms, x * x, x * y, y * y] if curved else terms, axis=-1)


def fitted_motion(step: Step, where: Bool[np.ndarray, "height width"], curved: bool) -> Motion | None:
    """Robust fit to the flow in a region; None where hardly any is seen."""
    rows, columns = np.nonzero(where & step.valid)
    if len(rows) < FEWEST_PX:
        rows, columns = np.nonzero(where)
    if len(rows) < FEWEST_PX:
        return None
    rows, columns = (index[:: 1 + len(rows) // MOST_FITTED_PX] for index in (rows, columns))
    middle, scale = (float(columns.mean()), float(rows.mean())), float(np.sqrt(len(rows)))
    terms = polynomial(
        columns.astype(float), rows.astype(float), middle, scale, curved and len(rows) > FEWEST_FOR_CURVES_PX
    )
    flow, weights = step.flow[rows, columns].astype(float), np.ones(len(rows))
    ridge = 1e-5 * len(rows) * np.eye(terms.shape[1])
    for _ in range(5):
        weighted = terms * weights[:, None]
        coefficients = np.linalg.solve(terms.T @ weighted + ridge, weighted.T @ flow)
        weights = 1 / (1 + ((terms @ coefficients - flow) ** 2).sum(1) / INLIER_PX**2)
    return Motion(middle, scale, coefficients)


def matching_error(
    pictures: Pictures,
    frame: int,
    step: Step,
    motion: Motion,
    window: Window,
) -> Float[np.ndarray, "window_height window_width"]:
    """Difference between pixels and what the other frame shows where a motion puts them, in typical errors."""
    height, width = pictures[frame].shape[:2]
    rows, columns = np.meshgrid(np.arange(height)[window[0]], np.arange(width)[window[1]], indexing="ij")
    landed = motion.at(columns.astype(float), rows.astype(float)) + np.stack([columns, rows], -1).astype(np.float32)
    warped = cv2.remap(pictures[step.target], landed[..., 0], landed[..., 1], cv2.INTER_LINEAR)
    error = np.abs(pictures[frame][window] - warped).sum(-1) / TYPICAL_ERROR
    x, y = landed[..., 0], landed[..., 1]
    error[(x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)] = 1
    return np.minimum(cv2.blur(error, (3, 3)), MOST_ERROR)
