"""Which pixels move against the background: a still world's flow obeys one epipolar geometry, or one homography.

Neighbouring frames tell little, so every frame is compared with frames at several distances, and what is found is
added up along the flow over the whole video: a thing that stops for a while keeps what it has shown before.
"""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pipeline.flow_chain import FlowChain, carried
from pipeline.flow_geometry import landing
from pipeline.progress import progress

STRIDES = (3, 8)
GRID_PX = 7
WORKING_PX = 320  # longer side at which motion is judged
PLANE_SHARE = 0.97  # a homography that explains this share of what epipolar geometry explains is preferred
STILL_CAMERA_PX = 0.4  # most pixels move less: a tripod, before which any epipolar geometry would fit what moves
NEARLY_PLANE = 0.75
MOVING_SHARE = 0.2  # of a region that leaves the plane
TOLERANCE_PX = 0.45
STILL = -0.25  # evidence of a frame without motion: less than motion counts, because things stop
MEMORY = 0.96  # of evidence, a frame


def moving_evidence(chain: FlowChain) -> Float[np.ndarray, "frame height width"]:
    """Evidence of motion, added up along the flow: about 1 a frame where a pixel moves, negative where it is still."""
    height, width = chain.forward.shape[1:3]
    chain = chain.reduced(WORKING_PX)
    count = chain.frame_count
    with ThreadPoolExecutor() as pool:
        jobs = pool.map(lambda t: frame_evidence(chain, t), range(count))
        own = list(progress(jobs, "background", count, "frames"))
    ahead, behind = list(own), list(own)
    for t in range(1, count):
        ahead[t] = own[t] + remembered(ahead[t - 1], chain, t, -1)
    for t in range(count - 2, -1, -1):
        behind[t] = own[t] + remembered(behind[t + 1], chain, t, 1)
    total = (a + b - o for a, b, o in zip(ahead, behind, own, strict=True))
    return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR) for frame in total])


def remembered(
    evidence: Float[np.ndarray, "height width"], chain: FlowChain, frame: int, direction: int
) -> Float[np.ndarray, "height width"]:
    """Evidence of a neighbour, brought here and faded."""
    values, valid = carried(evidence, chain, frame, direction)
    return MEMORY * values * valid


def frame_evidence(chain: FlowChain, frame: int) -> Float[np.ndarray, "height width"]:
    """Evidence of one frame: the mean over the frames that it is compared with."""
    total = np.zeros(chain.forward.shape[1:3], np.float32)
    weight = np.full_like(total, 1e-3)
    for direction in (1, -1):
        reach = min(max(STRIDES), chain.frame_count - 1 - frame if direction > 0 else frame)
        for distance, (flow, valid) in enumerate(chain.walk(frame, direction, reach), start=1):
            if distance in STRIDES or distance == chain.frame_count - 1:
                residual = background_residual(flow, valid)
                total += valid * np.clip(residual - 1, STILL, 2)
                weight += valid
    return total / weight


def background_residual(
    flow: Float[np.ndarray, "height width xy=2"], valid: Bool[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """How far flow is from what a still world allows, in units of what noise explains."""
    source = np.stack(np.meshgrid(*(np.arange(GRID_PX // 2, n, GRID_PX) for n in flow.shape[1::-1])), -1).reshape(-1, 2)
    source = source[valid[source[:, 1], source[:, 0]]]
    if len(source) < 30:
        return np.zeros(flow.shape[:2], np.float32)
    length = np.linalg.norm(flow, axis=-1)
    if (length[valid] < STILL_CAMERA_PX).mean() > 0.5:
        return in_noise(length, valid)
    target = source + flow[source[:, 1], source[:, 0]]
    start = source.astype(np.float64)
    plane, _ = cv2.findHomography(start, target, cv2.USAC_MAGSAC, 1.0, maxIters=2000, confidence=0.999)
    epipolar = fundamental_matrix(start, target)
    by_plane = homography_residual(plane, flow) if plane is not None else np.full(flow.shape[:2], np.inf)
    if epipolar is None:
        return in_noise(by_plane, valid)
    by_line = sampson_residual(epipolar, flow)
    share = explained(by_plane, valid)
    if share >= PLANE_SHARE * explained(by_line, valid):
        return in_noise(by_plane, valid)
    residual = in_noise(by_line, valid)
    return filled(residual, in_noise(by_plane, valid), valid) if share > NEARLY_PLANE else residual


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
    moved = homogeneous(landing(np.zeros_like(flow))) @ matrix.T
    return np.linalg.norm(moved[..., :2] / moved[..., 2:] - landing(flow), axis=-1)


def sampson_residual(
    matrix: Float[np.ndarray, "3 3"], flow: Float[np.ndarray, "height width xy=2"]
) -> Float[np.ndarray, "height width"]:
    """First-order distance of a correspondence from the epipolar geometry (Hartley and Zisserman, 11.4.3)."""
    first, second = homogeneous(landing(np.zeros_like(flow))), homogeneous(landing(flow))
    line, line_back = first @ matrix.T, second @ matrix
    scale = np.sqrt((line[..., :2] ** 2).sum(-1) + (line_back[..., :2] ** 2).sum(-1))
    return np.abs((line * second).sum(-1)) / np.maximum(scale, 1e-12)


def homogeneous(xy: Float[np.ndarray, "height width xy=2"]) -> Float[np.ndarray, "height width 3"]:
    """(x, y, 1)."""
    return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)
