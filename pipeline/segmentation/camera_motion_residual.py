"""Which pixels move against the background: a still world's flow obeys one geometry in all frames around.

Neighbouring frames tell little, so every frame is compared with several others at once: a pixel is still if one depth
explains where it lands in all of them. What is found is averaged along the flow over the whole video: a thing that
stops for a while keeps what it has shown before, and what flow smears over the background for a moment fades.
"""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Num, UInt8

from pipeline.correspondence.flow_chain import FlowChain, Step, steps_from, warped_from
from pipeline.correspondence.flow_warping import flow_endpoint
from pipeline.runtime.progress import progress
from pipeline.segmentation.impossible_things import impossible_things
from pipeline.segmentation.plane_parallax import fitted_plane_parallax, homogeneous
from pipeline.segmentation.possible_depth import possible

NEXT, DISTANCES, FAR_DISTANCES = 1, (2, 5, 8), (5, 8, 14)  # in frames; the last for what has no texture
GRID_PX = 5
FEWEST_POINTS = 30
WORKING_PX = 320  # longer side at which motion is judged
AXIS_STRIDE, AXIS_FRAMES = 5, 7  # in frames; how many of them tell where the camera goes
PLANE_SHARE = 0.97  # a homography that explains this share of what epipolar geometry explains is preferred
STILL_CAMERA_PX = 0.4  # most pixels move less: a tripod, before which any epipolar geometry would fit what moves
STILL_POINT = 0.7  # of the views in which a point is seen must find it still
NEARLY_PLANE = 0.75
MOVING_SHARE = 0.2  # of a region that leaves the plane
TOLERANCE_PX = 0.45
STILL, MOVING = -0.25, 2.0  # least and most that a frame counts: stillness counts less than motion, because things stop
FLAT = 6.0  # levels of Lab a pixel: less is no texture
SMALLEST_FLAT, LARGEST_FLAT = 0.002, 0.1  # of the image
DISK = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
MEMORY = 0.93  # of a neighbour, a frame
TEXTURE, LEAST_TRUST = 4.0, 0.1  # squared gradient at which flow along it is half trusted; trust where there is none


def camera_motion_residual(
    images: UInt8[np.ndarray, "frame height width rgb=3"], chain: FlowChain
) -> Float[np.ndarray, "frame height width"]:
    """What the camera's motion leaves unexplained, beyond noise, as a mean along the flow.

    Above 0.5 where a pixel moves most of the time, negative where it never does.
    """
    height, width = chain.forward.shape[1:3]
    chain = chain.reduced(WORKING_PX)
    with ThreadPoolExecutor() as pool:
        jobs = pool.map(lambda t: frame_residual(images[t], chain, t), range(chain.frame_count))
        own = list(progress(jobs, "background", chain.frame_count, "frames"))
    residual = [filled_in(mean, image) for mean, image in zip(mean_along_flow(own, chain), images, strict=True)]
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR) for frame in residual])


def filled_in(
    residual: Float[np.ndarray, "height width range=2"], image: UInt8[np.ndarray, "full_height full_width rgb=3"]
) -> Float[np.ndarray, "height width"]:
    """The near residual; in regions without texture what their borders say, seen from far if that says more.

    Flow inside of such a region is made up, but its border lies on the thing that is in front.
    """
    near, far = residual[..., 0], residual[..., 1]
    flat, filled = flat_regions(image, near.shape), near.copy()
    for k in (int(k) for k in np.unique(flat) if k):
        inside = flat == k
        whole = cv2.dilate(inside.astype(np.uint8), DISK) > 0
        said = max(float(np.median(far[whole & ~inside])), float(np.median(far[inside])))
        filled[whole] = np.maximum(filled[whole], said)
    return filled


def flat_regions(
    image: UInt8[np.ndarray, "full_height full_width rgb=3"], size: tuple[int, ...]
) -> Int[np.ndarray, "height width"]:
    """Numbers of the connected regions without texture that may be things, 0 elsewhere; of the reduced image."""
    reduced = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    flat = cv2.morphologyEx(without_texture(reduced), cv2.MORPH_OPEN, DISK)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat, connectivity=4)
    share = stats[:, cv2.CC_STAT_AREA] / flat.size
    thing = (share > SMALLEST_FLAT) & (share < LARGEST_FLAT)
    thing[0] = False
    return np.where(thing[labels], labels, 0)


def without_texture(image: UInt8[np.ndarray, "height width rgb=3"]) -> UInt8[np.ndarray, "height width"]:
    """1 where colours hardly change from pixel to pixel."""
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 1)
    slopes = [cv2.Sobel(lab, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1))]
    return (np.linalg.norm(np.concatenate(slopes, axis=-1), axis=-1) < FLAT).astype(np.uint8)


def mean_along_flow(
    own: Sequence[Float[np.ndarray, "height width range=2"]], chain: FlowChain
) -> list[Float[np.ndarray, "height width range=2"]]:
    """The mean of what a pixel shows before and after, near frames counting more."""
    single = [np.concatenate([frame, np.ones_like(frame[..., :1])], axis=-1) for frame in own]
    ahead, behind = list(single), list(single)
    for t in range(1, len(own)):
        ahead[t] = single[t] + remembered(ahead[t - 1], chain, t, -1)
    for t in range(len(own) - 2, -1, -1):
        behind[t] = single[t] + remembered(behind[t + 1], chain, t, 1)
    sums = [a + b - s for a, b, s in zip(ahead, behind, single, strict=True)]
    return [total[..., :2] / total[..., 2:] for total in sums]


def remembered(
    totals: Float[np.ndarray, "height width 3"], chain: FlowChain, frame: int, direction: int
) -> Float[np.ndarray, "height width 3"]:
    """Residual and its weight of a neighbour, brought here and faded."""
    values, valid = warped_from(totals, chain, frame, direction)
    return MEMORY * values * valid[..., None]


def frame_residual(
    image: UInt8[np.ndarray, "full_height full_width rgb=3"], chain: FlowChain, frame: int
) -> Float[np.ndarray, "height width range=2"]:
    """Residual of one frame: the means over the near and over the far frames that it is compared with.

    What moves so fast that flow loses it within two frames is told by the next one; that a thing is still is not.
    """
    size = chain.forward.shape[1:3]
    trusted, flat = trust(image, size), flat_regions(image, size)
    distances = {d for d in (*DISTANCES, *FAR_DISTANCES) if d < chain.frame_count} or {NEXT}
    compared = compared_frames(chain, frame, distances, trusted, flat)
    near = mean_residual([pair for pair in compared if pair[0].stride in (NEXT, *DISTANCES)], size)
    far = mean_residual([pair for pair in compared if pair[0].stride in (NEXT, *FAR_DISTANCES)], size)
    untold = ~np.any([step.valid for step, _ in compared if step.stride in DISTANCES], axis=0)
    if untold.any() and NEXT not in distances:
        fast = mean_residual(compared_frames(chain, frame, {NEXT}, trusted, flat), size)
        near = np.where(untold, np.maximum(fast, 0), near)
    return np.stack([near, far], axis=-1)


def compared_frames(
    chain: FlowChain,
    frame: int,
    distances: Collection[int],
    trusted: Float[np.ndarray, "height width 2 2"],
    flat: Int[np.ndarray, "height width"],
) -> list[tuple[Step, Float[np.ndarray, "height width"]]]:
    """The frames at such distances that flow reaches, with what a still world leaves unexplained of each."""
    steps = [step for step in steps_from(chain, frame, distances) if step.valid.any()]
    return list(zip(steps, background_residuals(steps, trusted, flat), strict=True))


def mean_residual(
    compared: Sequence[tuple[Step, Float[np.ndarray, "height width"]]], size: tuple[int, ...]
) -> Float[np.ndarray, "height width"]:
    """The mean over frames in which flow finds a pixel; 0 where it does in none."""
    total, weight = np.zeros(size, np.float32), np.full(size, 1e-3, np.float32)
    for step, residual in compared:
        total += step.valid * np.clip(residual - 1, STILL, MOVING)
        weight += step.valid
    return total / weight


def trust(
    image: UInt8[np.ndarray, "full_height full_width rgb=3"], size: tuple[int, ...]
) -> Float[np.ndarray, "height width 2 2"]:
    """How far errors of flow count in each direction: little along edges and where there is no texture."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size[::-1], interpolation=cv2.INTER_AREA)
    x, y = (cv2.Sobel(grey, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1)))
    tensor = cv2.GaussianBlur(np.stack([x * x, x * y, x * y, y * y], axis=-1), (0, 0), 3).reshape(*size, 2, 2)
    strength, axes = np.linalg.eigh(tensor)
    weight = np.maximum(strength / (strength + TEXTURE), LEAST_TRUST)
    return (axes * weight[..., None, :]) @ np.swapaxes(axes, -1, -2)


def background_residuals(
    steps: Sequence[Step], trusted: Float[np.ndarray, "height width 2 2"], flat: Int[np.ndarray, "height width"]
) -> list[Float[np.ndarray, "height width"]]:
    """How far flow is from what a still world allows, for every step, in units of what noise explains."""
    lengths = [np.linalg.norm(step.flow, axis=-1) for step in steps]
    moves = [(length[step.valid] > STILL_CAMERA_PX).mean() > 0.5 for length, step in zip(lengths, steps, strict=True)]
    if not any(moves):
        return [in_noise(length, step.valid) for length, step in zip(lengths, steps, strict=True)]
    source = grid_points(steps[0].flow.shape[:2])
    pairs = [PairGeometry.of(step, source) for step in steps]
    if np.mean([pair.flat for pair in pairs]) > 0.5:
        return [in_noise(pair.by_plane, step.valid) for pair, step in zip(pairs, steps, strict=True)]
    together = by_all_views(steps, pairs, source, trusted, flat)
    return [
        filled(in_noise(residual, step.valid), in_noise(pair.by_plane, step.valid), step.valid)
        if pair.plane_share > NEARLY_PLANE
        else in_noise(residual, step.valid)
        for residual, pair, step in zip(together, pairs, steps, strict=True)
    ]


@dataclass(frozen=True)
class PairGeometry:
    """How well a plane, and how well epipolar geometry, explain a step."""

    fundamental: Float[np.ndarray, "3 3"] | None
    by_plane: Float[np.ndarray, "height width"]
    by_line: Float[np.ndarray, "height width"]
    plane_share: float
    line_share: float

    @property
    def flat(self) -> bool:
        return self.fundamental is None or self.plane_share >= PLANE_SHARE * self.line_share

    @classmethod
    def of(cls, step: Step, source: Int[np.ndarray, "point xy=2"]) -> "PairGeometry":
        """Both models, fitted to the points of a grid."""
        source = source[step.valid[source[:, 1], source[:, 0]]]
        if len(source) < FEWEST_POINTS:
            still = np.zeros(step.valid.shape, np.float32)
            return cls(None, still, still, 1.0, 1.0)
        target = source + step.flow[source[:, 1], source[:, 0]]
        start = source.astype(np.float64)
        plane, _ = cv2.findHomography(start, target, cv2.USAC_MAGSAC, 1.0, maxIters=2000, confidence=0.999)
        fundamental = fundamental_matrix(start, target)
        worst = np.full(step.valid.shape, 1e3, np.float32)
        by_plane = worst if plane is None else homography_residual(plane, step.flow)
        by_line = worst if fundamental is None else sampson_residual(fundamental, step.flow)
        return cls(fundamental, by_plane, by_line, explained(by_plane, step.valid), explained(by_line, step.valid))


def by_all_views(
    steps: Sequence[Step],
    pairs: Sequence[PairGeometry],
    source: Int[np.ndarray, "point xy=2"],
    trusted: Float[np.ndarray, "height width 2 2"],
    flat: Int[np.ndarray, "height width"],
) -> list[Float[np.ndarray, "height width"]]:
    """Distance from where a still pixel would land, at the possible depth that fits all steps best."""
    size = steps[0].valid.shape
    rows, columns = source[:, 1], source[:, 0]
    seen = np.stack([step.valid[rows, columns] for step in steps])
    agree = np.stack([pair.by_line[rows, columns] < 2 * TOLERANCE_PX for pair in pairs]) & seen
    still = (agree.sum(0) >= STILL_POINT * seen.sum(0)) & seen.any(0)
    parallax = [
        0 if pair.flat else float(np.median(pair.by_plane[step.valid])) for pair, step in zip(pairs, steps, strict=True)
    ]
    anchor = int(np.argmax(np.array(parallax) * agree.sum(1)))
    unit = units(size)
    landed = np.stack([source + step.flow[rows, columns] for step in steps])
    back = np.linalg.inv(unit)
    views = fitted_plane_parallax(
        in_units(source, unit), in_units(landed, unit), seen, still, anchor, back.T @ pairs[anchor].fundamental @ back
    )
    if views is None:
        return [pair.by_line for pair in pairs]
    everywhere = flow_endpoint(np.zeros((*size, 2), np.float32)).reshape(-1, 2)
    landed = np.stack([in_units(flow_endpoint(step.flow).reshape(-1, 2), unit) for step in steps]).astype(np.float32)
    valid = np.stack([step.valid.ravel() for step in steps])
    everywhere, trusted = in_units(everywhere, unit).astype(np.float32), trusted.reshape(-1, 2, 2)
    telling = np.zeros(size, bool)
    telling[rows[still], columns[still]] = True
    depth = views.depths(everywhere, landed, valid)
    found = possible(views, everywhere, depth, valid, trusted, telling.ravel())
    error = (views.landing(everywhere, found.depth(depth)) - landed) / unit[0, 0]
    counted = np.einsum("vpi,pij,vpj->vp", error, trusted, error)
    residuals = np.sqrt(np.maximum(counted, 0)).reshape(-1, *size)
    for thing in impossible_things(found, flat):
        own = np.median(residuals[:, thing.impossible], axis=1)[:, None]
        residuals[:, thing.whole] = np.maximum(residuals[:, thing.whole], own)
    return list(residuals)


def moves_along_its_axis(chain: FlowChain) -> bool:
    """Whether the camera drives ahead, or back: the epipole is in the image, in most of the steps that have parallax."""
    chain = chain.reduced(WORKING_PX)
    height, width = chain.forward.shape[1:3]
    stride = min(AXIS_STRIDE, chain.frame_count - 1)
    starts = np.linspace(0, chain.frame_count - 1 - stride, AXIS_FRAMES).round().astype(int)
    inside = []
    for frame in np.unique(starts).tolist():
        for step in steps_from(chain, frame, {stride})[:1]:
            pair = PairGeometry.of(step, grid_points((height, width)))
            if pair.fundamental is not None and not pair.flat:
                x, y, scale = np.linalg.svd(pair.fundamental)[2][-1]
                inside.append(0 < x * scale < width * scale**2 and 0 < y * scale < height * scale**2)
    return len(inside) > len(np.unique(starts)) / 2 and float(np.mean(inside)) > 0.5


def units(size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """The matrix that brings pixels to about -1 to 1, for numbers of like size."""
    height, width = size
    scale = 2 / max(size)
    return np.array([[scale, 0, -scale * width / 2], [0, scale, -scale * height / 2], [0, 0, 1]])


def in_units(xy: Num[np.ndarray, "*place xy=2"], unit: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "*place xy=2"]:
    """Points in those units."""
    return xy * unit[0, 0] + unit[:2, 2]


def grid_points(size: tuple[int, int]) -> Int[np.ndarray, "point xy=2"]:
    """Column and row of pixels spread evenly."""
    return np.stack(np.meshgrid(*(np.arange(GRID_PX // 2, n, GRID_PX) for n in size[::-1])), -1).reshape(-1, 2)


def in_noise(
    residual: Float[np.ndarray, "height width"], valid: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """A residual in units of what noise explains."""
    return (residual / (TOLERANCE_PX + 3 * float(np.median(residual[valid])))).astype(np.float32)


def filled(
    by_line: Float[np.ndarray, "height width"],
    by_plane: Float[np.ndarray, "height width"],
    valid: Bool[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width"]:
    """Before a background that is nearly a plane, a region off the plane moves as a whole, if enough of it does.

    Epipolar geometry alone misses the parts of an animal that happen to move along epipolar lines.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(((by_plane > 1) & valid).astype(np.uint8))
    residual = by_line.copy()
    for k in range(1, count):
        if stats[k, cv2.CC_STAT_AREA] > 30:
            inside = labels == k
            if (by_line[inside] > 1).mean() > MOVING_SHARE:
                residual[inside] = np.maximum(residual[inside], by_plane[inside])
    return residual


def fundamental_matrix(
    source: Float[np.ndarray, "point xy=2"], target: Float[np.ndarray, "point xy=2"]
) -> Float[np.ndarray, "3 3"] | None:
    """Robust epipolar geometry; None where OpenCV finds none, which it may say by an error."""
    try:
        matrix, _ = cv2.findFundamentalMat(source, target, cv2.USAC_MAGSAC, 0.5, 0.999, 3000)
    except cv2.error:
        return None
    return matrix if matrix is not None and matrix.shape == (3, 3) else None


def explained(residual: Float[np.ndarray, "height width"], valid: Bool[np.ndarray, "height width"]) -> float:
    """Share of the valid pixels that a model explains."""
    return float((residual[valid] < TOLERANCE_PX).mean())


def homography_residual(
    matrix: Float[np.ndarray, "3 3"], flow: Float[np.ndarray, "height width xy=2"]
) -> Float[np.ndarray, "height width"]:
    """Distance of where pixels land from where the homography puts them."""
    moved = homogeneous(flow_endpoint(np.zeros_like(flow))) @ matrix.T
    return np.linalg.norm(moved[..., :2] / moved[..., 2:] - flow_endpoint(flow), axis=-1)


def sampson_residual(
    matrix: Float[np.ndarray, "3 3"], flow: Float[np.ndarray, "height width xy=2"]
) -> Float[np.ndarray, "height width"]:
    """First-order distance of a correspondence from the epipolar geometry (Hartley and Zisserman, 11.4.3)."""
    first, second = homogeneous(flow_endpoint(np.zeros_like(flow))), homogeneous(flow_endpoint(flow))
    line, line_back = first @ matrix.T, second @ matrix
    scale = np.sqrt((line[..., :2] ** 2).sum(-1) + (line_back[..., :2] ** 2).sum(-1))
    return np.abs((line * second).sum(-1)) / np.maximum(scale, 1e-12)
