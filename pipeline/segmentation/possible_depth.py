"""Where still things can be: not beyond infinity, and not under the ground that lies before them.

Flow along epipolar lines fits some depth, whatever moves. A car ahead that keeps its distance looks infinitely far, one that
drives away still farther; but the road below it is near, so that a still thing there would be seen through the road.

Nearness is 1 / depth up to one scale. Views that are fitted without any calibration tell it but for a plane, the one at
infinity, which is where a camera that only turns would put points. That turns are small is enough to find it, and any usual focal
length will do.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from pipeline.segmentation.plane_parallax import PlaneParallax, homogeneous, slopes

USUAL_FOCAL = 2.0  # in the units of the points, of which the longer side has 2: as long as the longer side
TRIALS = 400
SURE = 3.0  # standard deviations
MOST_SURE = 20.0  # by how many of its deviations a point is from infinity, beyond which it does not count more
FLAT_GROUND = 0.08  # share of its nearness by which ground may differ from a plane
SLACK = 0.2  # the same, before anything is under it
LEAST_UPRIGHT, MOST_ROLL = 0.5, 0.35  # of the ground's normal: the part that is vertical in the image, and horizontal
LEAST_GROUND = 0.1  # share of all that is told which lies on the ground
LEAST_SIDE = 0.2  # of what lies on it, in the left half of the image, and in the right
MOST_UNDER = 0.25  # of what lies on it
UNDER_COUNTS = 2.0  # against a ground, beside what is on it
LEAST_BEFORE = (
    0.85  # share of what is surely not infinitely far that must lie before the camera, or infinity is not known
)
MOST_DEVIATION = 0.3  # of infinity, as a share of the usual nearness, beyond which it is not known either
TELLING = 0.5  # trust in flow along the epipolar line
TINY = 1e-12


@dataclass(frozen=True)
class Infinity:
    """Nearness = sign * depth + plane (x, y, 1), of the depths of fitted views; `covariance` is the plane's."""

    sign: float
    plane: Float[np.ndarray, "3"]
    covariance: Float[np.ndarray, "3 3"]

    def nearness(
        self, xy: Float[np.ndarray, "point xy=2"], depth: Float[np.ndarray, "point"]
    ) -> Float[np.ndarray, "point"]:
        return self.sign * depth + homogeneous(xy) @ self.plane

    def depth(
        self, xy: Float[np.ndarray, "point xy=2"], nearness: Float[np.ndarray, "point"]
    ) -> Float[np.ndarray, "point"]:
        return self.sign * (nearness - homogeneous(xy) @ self.plane)

    def deviation(self, xy: Float[np.ndarray, "point xy=2"]) -> Float[np.ndarray, "point"]:
        """Standard deviation of the nearness of what is infinitely far."""
        points = homogeneous(xy)
        return np.sqrt(np.einsum("pi,ij,pj->p", points, self.covariance, points))


@dataclass(frozen=True)
class Told:
    """What flow tells of points: nearness, its standard deviation, and how far flow along the epipolar line is trusted."""

    xy: Float[np.ndarray, "point xy=2"]
    nearness: Float[np.ndarray, "point"]
    deviation: Float[np.ndarray, "point"]
    trust: Float[np.ndarray, "point"]

    def where(self, chosen: np.ndarray) -> "Told":
        return Told(self.xy[chosen], self.nearness[chosen], self.deviation[chosen], self.trust[chosen])


@dataclass(frozen=True)
class Possible:
    """What flow tells of points, and the least nearness that is possible for a still one; infinity may not be known."""

    infinity: Infinity | None
    told: Told
    least: Float[np.ndarray, "point"]

    @property
    def impossible(self) -> Bool[np.ndarray, "point"]:
        return (self.told.nearness < self.least) & (self.told.trust > TELLING)

    def depth(self, depth: Float[np.ndarray, "point"]) -> Float[np.ndarray, "point"]:
        """The nearest possible depth, given the best ones."""
        if self.infinity is None:
            return depth
        nearest = self.infinity.depth(self.told.xy, self.least)
        return np.where(self.impossible, nearest, depth).astype(depth.dtype)


def possible(
    views: PlaneParallax,
    xy: Float[np.ndarray, "point xy=2"],
    depth: Float[np.ndarray, "point"],
    seen: Bool[np.ndarray, "view point"],
    trusted: Float[np.ndarray, "point 2 2"],
    still: np.ndarray,
) -> Possible:
    """What is possible for points that have a best depth; `still`: which of them tell where the ground is."""
    directions = slopes(xy, depth, views)
    along = np.einsum("vpi,pij,vpj->vp", directions, trusted, directions) * seen
    deviation = 1 / np.sqrt((along / views.noise[:, None] ** 2).sum(0) + TINY)
    trust = along.sum(0) / ((directions**2).sum(-1) * seen + TINY).sum(0)
    infinity = plane_at_infinity(views, xy[still], depth[still], deviation[still])
    if infinity is None:
        return Possible(None, Told(xy, depth, deviation, trust), np.full(len(depth), -np.inf))
    told = Told(xy, infinity.nearness(xy, depth), deviation, trust)
    least = -SURE * infinity.deviation(xy)
    ground = ground_plane(told.where(still))
    if ground is not None:
        least = np.maximum(least, (1 - SLACK) * (homogeneous(xy) @ ground))
    return Possible(infinity, told, least)


def plane_at_infinity(
    views: PlaneParallax,
    xy: Float[np.ndarray, "point xy=2"],
    depth: Float[np.ndarray, "point"],
    deviation: Float[np.ndarray, "point"],
) -> Infinity | None:
    """The plane beside which all views only turn a little; None where it is not known, or points lie on both of its sides.

    plane_v - epipole_v q is a multiple of I + K [w] K^-1 for the one q that all views share, linear in all unknowns.
    """
    count = len(views.plane)
    if count < 2:
        return None
    f = USUAL_FOCAL
    turns = np.array(
        [np.eye(3), [[0, 0, 0], [0, 0, -f], [0, 1 / f, 0]], [[0, 0, f], [0, 0, 0], [-1 / f, 0, 0]],
         [[0, -1, 0], [1, 0, 0], [0, 0, 0]]]
    )  # fmt: skip
    rows = np.zeros((count, 3, 3, 3 + 4 * count))
    for v, epipole in enumerate(views.epipole):
        rows[v, :, :, :3] = epipole[:, None, None] * np.eye(3)
        rows[v, :, :, 3 + 4 * v : 7 + 4 * v] = np.moveaxis(turns, 0, -1)
    system, wanted = rows.reshape(9 * count, -1), views.plane.reshape(-1)
    solution = np.linalg.lstsq(system, wanted, rcond=None)[0]
    error = ((system @ solution - wanted) ** 2).sum() / (len(wanted) - len(solution))
    found = Infinity(1.0, solution[:3], error * np.linalg.pinv(system.T @ system)[:3, :3])
    nearness = found.nearness(xy, depth)
    sure = np.clip(np.abs(nearness) / deviation, 0, MOST_SURE) * (np.abs(nearness) > SURE * deviation)
    before = float((sure * (nearness > 0)).sum() / max(sure.sum(), TINY))
    known = np.median(found.deviation(xy)) < MOST_DEVIATION * np.median(np.abs(nearness))
    if not known or max(before, 1 - before) < LEAST_BEFORE:
        return None
    return found if before > 0.5 else Infinity(-1.0, -found.plane, found.covariance)


def ground_plane(told: Told) -> Float[np.ndarray, "3"] | None:
    """The nearness of the ground is this times (x, y, 1); None where there is none that nearly everything lies on or above.

    The ground is nearer the lower in the image. Points count by how surely they are not infinitely far.
    """
    weight = np.clip(told.nearness / told.deviation, 0, MOST_SURE)
    if (weight > 0).sum() < 3:
        return None
    points, random = homogeneous(told.xy), np.random.default_rng(0)
    chosen = random.choice(len(weight), (TRIALS, 3), p=weight / weight.sum())
    chosen = chosen[np.abs(np.linalg.det(points[chosen])) > TINY]
    planes = np.linalg.solve(points[chosen], told.nearness[chosen][..., None])[..., 0]
    planes = planes[is_ground(planes)]
    if not len(planes):
        return None
    found = Support.of(told, planes)
    on = found.on.sum(0)
    fits = (on > LEAST_GROUND * weight.sum()) & (found.under < MOST_UNDER * on) & (found.on.min(0) > LEAST_SIDE * on)
    return planes[np.argmax(np.where(fits, on - UNDER_COUNTS * found.under, -np.inf))] if fits.any() else None


def is_ground(planes: Float[np.ndarray, "plane 3"]) -> Bool[np.ndarray, "plane"]:
    """Whether planes are upright: one may look down on them, but the camera is hardly rolled."""
    normals = planes * [USUAL_FOCAL, USUAL_FOCAL, 1.0]
    normals = normals / (np.linalg.norm(normals, axis=1, keepdims=True) + TINY)
    return (normals[:, 1] > LEAST_UPRIGHT) & (np.abs(normals[:, 0]) < MOST_ROLL)


@dataclass(frozen=True)
class Support:
    """How much lies on planes, in the left half of the image and in the right, and how much under them."""

    on: Float[np.ndarray, "side=2 plane"]
    under: Float[np.ndarray, "plane"]

    @classmethod
    def of(cls, told: Told, planes: Float[np.ndarray, "plane 3"]) -> "Support":
        expected = planes @ homogeneous(told.xy).T
        weight = np.clip(expected / told.deviation, 0, MOST_SURE)
        weight = np.where(weight > 2 * SURE, weight, 0)
        on = np.abs(told.nearness - expected) < np.maximum(SURE * told.deviation, FLAT_GROUND * expected)
        deep = told.nearness < expected - np.maximum(SURE * told.deviation, SLACK * expected)
        left = told.xy[:, 0] < 0
        sides = [(weight * (on & side)).sum(1) for side in (left, ~left)]
        return cls(np.stack(sides), (weight * (deep & (told.trust > TELLING))).sum(1))
