"""How far away each pixel is if the world stands still, once cameras are known, and how far its flow is from that.

With the camera's path known, a pixel has one unknown, its depth, which all frames around must share and which lies before the
camera. The first pass had to fit the views together with what moved in them; here nothing that moves has a say.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.cameras import Intrinsics, inverse
from pipeline.correspondence.flow_chain import FlowChain, steps_from
from pipeline.correspondence.flow_warping import flow_endpoint
from pipeline.runtime.progress import progress
from pipeline.segmentation.camera_motion_residual import MOVING, STILL, TOLERANCE_PX, trust
from pipeline.segmentation.plane_parallax import PlaneParallax, best_depth, homogeneous, projected

WORKING_PX = 320  # longer side at which depth is told
DISTANCES = (1, 3, 7)  # in frames: what is fast is followed for one only
NEAREST = 0.3  # of the nearest points of the background: nothing still is nearer
NOISE_PX = 0.3


@dataclass(frozen=True)
class KnownCamera:
    """The camera of every frame, a pinhole, and how near the background comes to it."""

    camera: Intrinsics
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    nearest: float

    def moved(self, frame: int, targets: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (target, 3, 3) and translations (target, 3) from the camera of a frame to others."""
        there = inverse(self.world_from_camera[targets]) @ self.world_from_camera[frame]
        return there[:, :3, :3], there[:, :3, 3]

    def views(self, frame: int, targets: list[int]) -> PlaneParallax:
        """Where points of the frame land in others, by 1 / depth: beside the plane at infinity, towards the epipole."""
        turned, shifted = self.moved(frame, targets)
        k = self.camera.matrix
        noise = np.full(len(targets), NOISE_PX)
        return PlaneParallax(k @ turned @ np.linalg.inv(k), shifted @ k.T, noise, (0.0, 1 / (NEAREST * self.nearest)))


@dataclass(frozen=True)
class Pixels:
    """The pixels of frames that were reduced to a size, and how much smaller they are."""

    size: tuple[int, int]
    scale: float
    known: KnownCamera

    def places(self, index: Float[np.ndarray, "*place xy=2"]) -> Float[np.ndarray, "*place xy=2"]:
        """Places in the frames of (column, row), of which whole numbers are centres of the reduced pixels."""
        return (index.astype(np.float64) + 0.5) / self.scale

    def index(self, xy: Float[np.ndarray, "*place xy=2"]) -> Float[np.ndarray, "*place xy=2"]:
        """The reverse."""
        return xy * self.scale - 0.5

    @property
    def grid(self) -> Float[np.ndarray, "pixel xy=2"]:
        """Places of all pixels, row by row."""
        return self.places(flow_endpoint(np.zeros((*self.size, 2), np.float32)).reshape(-1, 2))


@dataclass(frozen=True)
class StillWorld:
    """Of every reduced frame: 1 / depth of each pixel as a still one, 0 where it is not told, and what stillness leaves."""

    inverse_depth: Float[np.ndarray, "frame height width"]
    residual: Float[np.ndarray, "frame height width"]  # beyond noise, negative where it is still


def still_world(
    images: UInt8[np.ndarray, "frame full_height full_width rgb=3"],
    chain: FlowChain,
    known: KnownCamera,
    background: Bool[np.ndarray, "frame height width"],
) -> StillWorld:
    """Depths and residuals of all frames of a reduced chain; noise is that of what the first pass took for background."""
    size = chain.forward.shape[1:3]
    pixels = Pixels(size, size[1] / images.shape[2], known)

    def of_frame(t: int) -> tuple[np.ndarray, np.ndarray]:
        return still_frame(trust(images[t], size), chain, t, pixels, background[t])

    with ThreadPoolExecutor() as pool:
        own = list(progress(pool.map(of_frame, range(chain.frame_count)), "still world", chain.frame_count, "frames"))
    return StillWorld(np.stack([depth for depth, _ in own]), np.stack([residual for _, residual in own]))


def still_frame(
    trusted: Float[np.ndarray, "height width 2 2"],
    chain: FlowChain,
    frame: int,
    pixels: Pixels,
    background: Bool[np.ndarray, "height width"],
) -> tuple[Float[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """1 / depth that agrees best with the flow to all frames around, and how far flow is from where it leads."""
    distances = {d for d in DISTANCES if d < chain.frame_count} or {1}
    steps = [step for step in steps_from(chain, frame, distances) if step.valid.any()]
    if not steps:
        return np.zeros(pixels.size, np.float32), np.zeros(pixels.size, np.float32)
    views = pixels.known.views(frame, [step.target for step in steps])
    landed = np.stack([pixels.places(flow_endpoint(step.flow).reshape(-1, 2)) for step in steps]).astype(np.float32)
    seen = np.stack([step.valid.ravel() for step in steps])
    mapped = np.einsum("vij,pj->vpi", views.plane, homogeneous(pixels.grid)).astype(np.float32)
    depth = best_depth(mapped, views, landed, seen)
    off = (projected(mapped, views.epipole.astype(np.float32), depth) - landed) * pixels.scale
    weighted = np.einsum("vpi,pij,vpj->vp", off, trusted.reshape(-1, 2, 2), off)
    errors = np.sqrt(np.maximum(weighted, 0)).reshape(-1, *pixels.size)
    total, weight = np.zeros(pixels.size, np.float32), np.full(pixels.size, 1e-3, np.float32)
    for step, error in zip(steps, errors, strict=True):
        quiet = error[step.valid & background]
        typical = float(np.median(quiet)) if len(quiet) else 0.0
        total += step.valid * np.clip(error / (TOLERANCE_PX + 3 * typical) - 1, STILL, MOVING)
        weight += step.valid
    told = seen.any(0).reshape(pixels.size)
    return np.where(told, depth.reshape(pixels.size), 0).astype(np.float32), (total / weight).astype(np.float32)
