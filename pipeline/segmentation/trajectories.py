"""Points of what moves, followed along the flow for as long as it can be trusted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline.correspondence.flow_chain import FlowChain


@dataclass(frozen=True)
class Sight:
    """The points seen in one frame: whose path each is on, ascending, and where it is (integers are pixel centres)."""

    paths: Int[np.ndarray, "point"]
    xy: Float[np.ndarray, "point xy=2"]

    def pixels(self) -> tuple[Int[np.ndarray, "point"], Int[np.ndarray, "point"]]:
        """Rows and columns."""
        columns, rows = np.moveaxis(np.round(self.xy).astype(int), -1, 0)
        return rows, columns

    def where(self, chosen: Bool[np.ndarray, "point"]) -> "Sight":
        return Sight(self.paths[chosen], self.xy[chosen])


def moving_paths(moving: Sequence[Bool[np.ndarray, "height width"]], chain: FlowChain, spacing: int) -> list[Sight]:
    """Paths through the moving pixels of all frames, about `spacing` pixels apart; new ones start where none is."""
    sights, here, known = [], Sight(np.zeros(0, int), np.zeros((0, 2), np.float32)), 0
    for t, mask in enumerate(moving):
        if t:
            here = moved_on(here, mask, chain, t - 1)
        new = free_places(here, mask, spacing)
        here = Sight(
            np.concatenate([here.paths, known + np.arange(len(new))]), np.concatenate([here.xy, new.astype(np.float32)])
        )
        known += len(new)
        sights.append(here)
    return sights


def moved_on(here: Sight, mask: Bool[np.ndarray, "height width"], chain: FlowChain, frame: int) -> Sight:
    """The points in the next frame, without those whose flow is not valid and those that leave what moves."""
    flow, valid = chain.step(frame, 1)
    rows, columns = here.pixels()
    there = Sight(here.paths, here.xy + flow[rows, columns])
    rows_there, columns_there = there.pixels()
    inside = (rows_there >= 0) & (rows_there < mask.shape[0]) & (columns_there >= 0) & (columns_there < mask.shape[1])
    inside[inside] &= mask[rows_there[inside], columns_there[inside]]
    return there.where(valid[rows, columns] & inside)


def free_places(here: Sight, mask: Bool[np.ndarray, "height width"], spacing: int) -> Int[np.ndarray, "point xy=2"]:
    """Column and row of the places of a grid that move and have no point near."""
    rows, columns = (place.ravel() for place in np.mgrid[tuple(slice(spacing // 2, n, spacing) for n in mask.shape)])
    taken = np.zeros([n // spacing + 1 for n in mask.shape], bool)
    taken[tuple(index // spacing for index in here.pixels())] = True
    free = mask[rows, columns] & ~taken[rows // spacing, columns // spacing]
    return np.stack([columns[free], rows[free]], axis=-1)


def displacements(sights: Sequence[Sight], frame: int, stride: int) -> tuple[Sight, Float[np.ndarray, "point xy=2"]]:
    """The points seen both in a frame and `stride` frames later, and how far they go."""
    first, second = sights[frame], sights[frame + stride]
    _, here, there = np.intersect1d(first.paths, second.paths, assume_unique=True, return_indices=True)
    return Sight(first.paths[here], first.xy[here]), second.xy[there] - first.xy[here]
