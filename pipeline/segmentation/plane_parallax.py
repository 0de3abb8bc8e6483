"""A still world in several views without any calibration: x_v ~ H_v x + d e_v, with one d for each point of a frame.

H_v is what a reference plane does between the frame and view v, e_v the epipole, and d the point's depth relative to
that plane (Hartley and Zisserman, 13.3: plane and parallax). A point that moves fits no d in all views at once.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

ROUNDS = 6
FEWEST_POINTS = 30
DEPTH_MARGIN = 0.3  # beyond what still points have, as a share of their range
MOST_ERRORS = 3.0  # of noise: a worse view does not count more
LEAST_NOISE = 1e-3  # in the units of the points: about 0.15 px
TRIMMED_TO = 0.8  # share of the still-looking points that views are fitted to
TINY = 1e-9


@dataclass(frozen=True)
class PlaneParallax:
    """Views of a still world from one frame's point of view."""

    plane: Float[np.ndarray, "view 3 3"]
    epipole: Float[np.ndarray, "view 3"]
    noise: Float[np.ndarray, "view"]
    depth_range: tuple[float, float]

    def depths(
        self, xy: Float[np.ndarray, "point xy=2"], landed: Float[np.ndarray, "view point xy=2"], seen: np.ndarray
    ) -> Float[np.ndarray, "point"]:
        """The depth at which each point agrees best with where it lands."""
        return best_depth(self.mapped(xy).astype(landed.dtype), self, landed, seen)

    def landing(
        self, xy: Float[np.ndarray, "point xy=2"], depth: Float[np.ndarray, "point"]
    ) -> Float[np.ndarray, "view point xy=2"]:
        """Where points of a depth land."""
        return projected(self.mapped(xy).astype(depth.dtype), self.epipole.astype(depth.dtype), depth)

    def mapped(self, xy: Float[np.ndarray, "point xy=2"]) -> Float[np.ndarray, "view point 3"]:
        """Where the reference plane does put points."""
        return np.einsum("vij,pj->vpi", self.plane, homogeneous(xy))


def fitted_plane_parallax(
    xy: Float[np.ndarray, "point xy=2"],
    landed: Float[np.ndarray, "view point xy=2"],
    seen: Bool[np.ndarray, "view point"],
    still: Bool[np.ndarray, "point"],
    anchor: int,
    fundamental: Float[np.ndarray, "3 3"],
) -> PlaneParallax | None:
    """Views fitted to the points that look still; `fundamental` relates the frame to the view `anchor`.

    Depth and views are refined in turns, points that disagree lose their weight; None where too few points are seen.
    """
    plane, epipole = canonical(fundamental)
    first = PlaneParallax(plane[None], epipole[None], np.full(1, 4 * LEAST_NOISE), (-np.inf, np.inf))
    depth = best_depth((homogeneous(xy) @ plane.T)[None], first, landed[[anchor]], seen[[anchor]])
    known = still & seen[anchor]
    if known.sum() < FEWEST_POINTS or ((seen & known).sum(1) < FEWEST_POINTS).any():
        return None
    spread = np.std(np.clip(depth, *np.percentile(depth[known], [2, 98]))) + TINY
    depth = (depth - np.median(depth[known])) / spread
    views, noise = None, np.full(len(landed), 4 * LEAST_NOISE)
    for _ in range(ROUNDS):
        points = np.concatenate([homogeneous(xy), depth[:, None]], axis=1)
        used = [known & s if (known & s).sum() >= FEWEST_POINTS else still & s for s in seen]
        cameras = np.stack([resected(points, y, u, n) for y, u, n in zip(landed, used, noise, strict=True)])
        low, high = np.percentile(depth[still], [0.5, 99.5])
        margin = DEPTH_MARGIN * (high - low)
        views = PlaneParallax(cameras[..., :3], cameras[..., 3], noise, (float(low - margin), float(high + margin)))
        mapped = np.einsum("vij,pj->vpi", views.plane, homogeneous(xy))
        depth = best_depth(mapped, views, landed, seen)
        error = np.linalg.norm(projected(mapped, views.epipole, depth) - landed, axis=-1)
        known = still & agreeing(error / noise[:, None], seen, still)
        noise = np.array([max(LEAST_NOISE, 1.5 * np.median(e[s & still])) for e, s in zip(error, seen, strict=True)])
    return views


def agreeing(
    error: Float[np.ndarray, "view point"], seen: Bool[np.ndarray, "view point"], still: Bool[np.ndarray, "point"]
) -> Bool[np.ndarray, "point"]:
    """The points that fit best: those that move, and yet looked still, are among the rest."""
    worst = np.where(seen, error, 0).max(0)
    return worst <= np.quantile(worst[still], TRIMMED_TO)


def canonical(fundamental: Float[np.ndarray, "3 3"]) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """A plane's homography and the epipole that a fundamental matrix allows (Hartley and Zisserman, 9.5.3)."""
    epipole = np.linalg.svd(fundamental.T)[2][-1]
    x, y, z = epipole
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ fundamental, epipole


def resected(
    points: Float[np.ndarray, "point 4"],
    landed: Float[np.ndarray, "point xy=2"],
    used: Bool[np.ndarray, "point"],
    noise: float,
) -> Float[np.ndarray, "3 4"]:
    """The camera that sees points where they landed: direct linear transform, outliers weighted down."""
    points, landed, weight = points[used], landed[used], np.ones(int(used.sum()))
    for _ in range(3):
        zero, root = np.zeros_like(points), np.sqrt(weight)[:, None]
        rows = [
            np.concatenate([points, zero, -points * landed[:, :1]], axis=1) * root,
            np.concatenate([zero, points, -points * landed[:, 1:]], axis=1) * root,
        ]
        camera = np.linalg.eigh(sum(row.T @ row for row in rows))[1][:, 0].reshape(3, 4)
        seen = points @ camera.T
        seen[:, 2] = away_from_zero(seen[:, 2])
        error = np.linalg.norm(seen[:, :2] / seen[:, 2:] - landed, axis=1)
        weight = 1 / (1 + (error / noise) ** 2) * (np.median(seen[:, 2]) / seen[:, 2]) ** 2
    return camera / np.median(seen[:, 2])


def best_depth(
    mapped: Float[np.ndarray, "view point 3"],
    views: PlaneParallax,
    landed: Float[np.ndarray, "view point xy=2"],
    seen: Bool[np.ndarray, "view point"],
) -> Float[np.ndarray, "point"]:
    """The depth of each point that agrees with most views: the best of what single views and all say, then refined."""
    epipole, noise = views.epipole.astype(landed.dtype), views.noise.astype(landed.dtype)[:, None]
    factor = landed * epipole[:, None, 2:] - epipole[:, None, :2]
    wanted = mapped[..., :2] - landed * mapped[..., 2:]
    up, down = (factor * wanted).sum(-1), (factor**2).sum(-1)
    weight = seen / (noise * away_from_zero(mapped[..., 2])) ** 2
    guesses = [*(up / np.maximum(down, TINY)), (weight * up).sum(0) / np.maximum((weight * down).sum(0), TINY)]
    best, least = np.zeros_like(up[0]), np.full_like(up[0], np.inf)
    for guess in guesses:
        guess = np.clip(guess, *views.depth_range)
        error = squared_error(mapped, epipole, guess, landed) / noise**2
        cost = (seen * np.minimum(error, MOST_ERRORS**2)).sum(0)
        best, least = np.where(cost < least, guess, best), np.minimum(cost, least)
    for _ in range(2):
        error = squared_error(mapped, epipole, best, landed) / noise**2
        weight = seen / (1 + error) / (noise * away_from_zero(mapped[..., 2] + best * epipole[:, None, 2])) ** 2
        best = np.clip((weight * up).sum(0) / np.maximum((weight * down).sum(0), TINY), *views.depth_range)
    return best.astype(landed.dtype)


def projected(
    mapped: Float[np.ndarray, "view point 3"], epipole: Float[np.ndarray, "view 3"], depth: Float[np.ndarray, "point"]
) -> Float[np.ndarray, "view point xy=2"]:
    """Where points of a depth land."""
    there = mapped + depth[None, :, None] * epipole[:, None]
    return there[..., :2] / away_from_zero(there[..., 2:])


def slopes(
    xy: Float[np.ndarray, "point xy=2"], depth: Float[np.ndarray, "point"], views: PlaneParallax
) -> Float[np.ndarray, "view point xy=2"]:
    """How fast the place changes at which points land, with their depth."""
    there = views.mapped(xy) + depth[None, :, None] * views.epipole[:, None]
    scale = away_from_zero(there[..., 2:])
    return (views.epipole[:, None, :2] - there[..., :2] / scale * views.epipole[:, None, 2:]) / scale


def squared_error(mapped: np.ndarray, epipole: np.ndarray, depth: np.ndarray, landed: np.ndarray) -> np.ndarray:
    """Squared distance between where points of a depth should land and where they do."""
    return ((projected(mapped, epipole, depth) - landed) ** 2).sum(-1)


def away_from_zero(values: np.ndarray) -> np.ndarray:
    """Values that can be divided by."""
    return np.where(np.abs(values) < 1e-6, np.asarray(1e-6, values.dtype), values)


def homogeneous(xy: Float[np.ndarray, "*place xy=2"]) -> Float[np.ndarray, "*place 3"]:
    """(x, y, 1)."""
    return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)
