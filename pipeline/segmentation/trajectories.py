"""Points of what moves, followed along the flow for as long as it can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline.correspondence.flow_chain import FlowChain


@dataclass(frozen=True)
class TrackedPoints:
    """The points seen in one frame: whose trajectory each is on, ascending, and where it is (integers are pixel centres)."""

    trajectories: Int[np.ndarray, "point"]
    xy: Float[np.ndarray, "point xy=2"]

    def pixels(self) -> tuple[Int[np.ndarray, "point"], Int[np.ndarray, "point"]]:
        """Rows and columns."""
        columns, rows = np.moveaxis(np.round(self.xy).astype(int), -1, 0)
        return rows, columns

    def where(self, chosen: Bool[np.ndarray, "point"]) -> "TrackedPoints":
        return TrackedPoints(self.trajectories[chosen], self.xy[chosen])


def point_trajectories(
    moving: Sequence[Bool[np.ndarray, "height width"]], chain: FlowChain, spacing: int
) -> list[TrackedPoints]:
    """Trajectories through the moving pixels of all frames, about `spacing` pixels apart; new ones start where none is."""
    observations, here, known = [], TrackedPoints(np.zeros(0, int), np.zeros((0, 2), np.float32)), 0
    for t, mask in enumerate(moving):
        if t:
            here = moved_on(here, mask, chain, t - 1)
        new = free_places(here, mask, spacing)
        here = TrackedPoints(
            np.concatenate([here.trajectories, known + np.arange(len(new))]),
            np.concatenate([here.xy, new.astype(np.float32)]),
        )
        known += len(new)
        observations.append(here)
    return observations


def moved_on(
    here: TrackedPoints, mask: Bool[np.ndarray, "height width"], chain: FlowChain, frame: int
) -> TrackedPoints:
    """The points in the next frame, without those whose flow is not valid and those that leave what moves."""
    flow, valid = chain.step(frame, 1)
    rows, columns = here.pixels()
    there = TrackedPoints(here.trajectories, here.xy + flow[rows, columns])
    rows_there, columns_there = there.pixels()
    inside = (rows_there >= 0) & (rows_there < mask.shape[0]) & (columns_there >= 0) & (columns_there < mask.shape[1])
    inside[inside] &= mask[rows_there[inside], columns_there[inside]]
    return there.where(valid[rows, columns] & inside)


def free_places(
    here: TrackedPoints, mask: Bool[np.ndarray, "height width"], spacing: int
) -> Int[np.ndarray, "point xy=2"]:
    """Column and row of the places of a grid that move and have no point near."""
    rows, columns = (place.ravel() for place in np.mgrid[tuple(slice(spacing // 2, n, spacing) for n in mask.shape)])
    taken = np.zeros([n // spacing + 1 for n in mask.shape], bool)
    taken[tuple(index // spacing for index in here.pixels())] = True
    free = mask[rows, columns] & ~taken[rows // spacing, columns // spacing]
    return np.stack([columns[free], rows[free]], axis=-1)


def displacements(
    observations: Sequence[TrackedPoints], frame: int, stride: int
) -> tuple[TrackedPoints, Float[np.ndarray, "point xy=2"]]:
    """The points seen both in a frame and `stride` frames later, and how far they go."""
    first, second = observations[frame], observations[frame + stride]
    _, here, there = np.intersect1d(first.trajectories, second.trajectories, assume_unique=True, return_indices=True)
    return TrackedPoints(first.trajectories[here], first.xy[here]), second.xy[there] - first.xy[here]
