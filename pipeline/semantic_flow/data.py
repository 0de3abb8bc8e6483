"""What Semantic Flow trains on, as tensors on the device, and random batches of it."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int16, Int64, UInt8
from torch import Tensor

from models.rays import Rays, TensorFields
from models.semantic_flow.objectives import Batch
from models.semantic_flow.space import Cameras
from pipeline.cameras import inverse, transform, unproject
from pipeline.formats.scene_file import Scene
from pipeline.semantic_flow.labels import UNLABELLED, Labels
from pipeline.semantic_flow.moving_pixels import moving_pixels

UNKNOWN = -1.0
BORDER_PX = 3  # around what moves: the static field does not learn from pixels that masks may have missed


@dataclass(frozen=True)
class Pixels(TensorFields):
    """All pixels of all frames, and where to draw them from: anywhere, where nothing moves, where something moves."""

    images: UInt8[Tensor, "pixel rgb=3"]
    label: Int16[Tensor, "pixel"]
    moving: Float[Tensor, "pixel"]
    flow: Float[Tensor, "direction=2 pixel xy=2"]  # to the next frame, and to the previous one
    flow_valid: Bool[Tensor, "direction=2 pixel"]
    anywhere: Int64[Tensor, "usable"]
    still: Int64[Tensor, "usable_still"]
    active: Int64[Tensor, "usable_active"]


@dataclass(frozen=True)
class Points(TensorFields):
    """Observations of sparse points: depth in world units, and the world motion to the next and previous frame."""

    frame: Int64[Tensor, "observation"]
    xy: Float[Tensor, "observation xy=2"]
    depth: Float[Tensor, "observation"]
    confidence: Float[Tensor, "observation"]
    moving: Float[Tensor, "observation"]
    motion: Float[Tensor, "observation direction=2 xyz=3"]
    motion_known: Bool[Tensor, "observation direction=2"]


def scene_cameras(scene: Scene) -> Cameras:
    """The cameras of all frames; a frame without a pose repeats its predecessor's and is never drawn from."""
    known = np.flatnonzero(scene.visible[0])
    nearest = known[np.abs(np.arange(scene.frame_count)[:, None] - known).argmin(1)]
    poses = torch.from_numpy(scene.object_from_camera[0, nearest].astype(np.float32))
    intrinsics = torch.from_numpy(scene.intrinsics.astype(np.float32))
    return Cameras(poses, intrinsics, scene.camera.height, scene.camera.width)


def training_pixels(scene: Scene, labels: Labels, colour_everywhere: bool) -> Pixels:
    """The pixels that training may see. In frames without labels, flow alone says what may be moving."""
    labelled, size = labels.labelled, scene.object_ids.shape
    moving = np.where(labels.ids == UNLABELLED, UNKNOWN, labels.moving).astype(np.float32)
    active = np.where(labelled[:, None, None], labels.moving, labels.moving | moving_pixels(scene))
    usable = scene.visible[0] & (labelled | colour_everywhere)
    drawn = np.broadcast_to(usable[:, None, None], size)
    both_known = (scene.visible[0][:-1] & scene.visible[0][1:])[:, None, None]
    flow = np.zeros((2, *size, 2), np.float32)
    flow[0, :-1], flow[1, 1:] = scene.flow_forward, scene.flow_backward
    flow_valid = np.zeros((2, *size), bool)
    flow_valid[0, :-1], flow_valid[1, 1:] = (
        scene.flow_forward_valid & both_known,
        scene.flow_backward_valid & both_known,
    )
    return Pixels(
        torch.from_numpy(scene.images).flatten(0, 2),
        torch.from_numpy(labels.ids).flatten(),
        torch.from_numpy(moving).flatten(),
        torch.from_numpy(flow).flatten(1, 3),
        torch.from_numpy(flow_valid).flatten(1),
        flat_indices(drawn),
        flat_indices(drawn & ~widened(active, BORDER_PX)),
        flat_indices(drawn & active),
    )


def widened(mask: Bool[np.ndarray, "frame height width"], by_px: int) -> Bool[np.ndarray, "frame height width"]:
    """The mask and all within some pixels of it."""
    square = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return np.stack([cv2.dilate(image, square) > 0 for image in mask.astype(np.uint8)])


def flat_indices(mask: Bool[np.ndarray, "frame height width"]) -> Int64[Tensor, "pixel"]:
    return torch.from_numpy(np.flatnonzero(mask))


def training_points(scene: Scene, labels: Labels, scales: Float[np.ndarray, "object"]) -> Points:
    """Sparse points in world units. Those of moving objects in frames without labels are left out: masks made them."""
    owner, frame = scene.observation_object.astype(int), scene.observation_frame.astype(int)
    kept = scene.visible[0, frame] & ((owner == 0) | labels.labelled[frame])
    owner, frame = owner[kept], frame[kept]
    depth = scene.observation_depth[kept] * scales[owner]
    xy = scene.observation_xy[kept]
    in_camera = unproject(scene.camera, xy, depth)
    motions, known = zip(
        *(world_motion(scene, labels, owner, frame, in_camera, scales, by) for by in (1, -1)), strict=True
    )
    return Points(
        torch.from_numpy(frame),
        torch.from_numpy(xy),
        torch.from_numpy(depth.astype(np.float32)),
        torch.from_numpy(np.minimum(scene.observation_weight[kept], 2.0)),
        torch.from_numpy(np.where(labels.labelled[frame], owner > 0, UNKNOWN).astype(np.float32)),
        torch.from_numpy(np.stack(motions, axis=1).astype(np.float32)),
        torch.from_numpy(np.stack(known, axis=1)),
    )


def world_motion(
    scene: Scene,
    labels: Labels,
    owner: np.ndarray,
    frame: np.ndarray,
    in_camera: Float[np.ndarray, "observation xyz=3"],
    scales: Float[np.ndarray, "object"],
    by: int,
) -> tuple[Float[np.ndarray, "observation xyz=3"], Bool[np.ndarray, "observation"]]:
    """How far points of rigid objects move in the world until the frame `by` later, and for which that is known."""
    other = np.clip(frame + by, 0, scene.frame_count - 1)
    known = (owner > 0) & (other == frame + by) & scene.visible[owner, frame] & scene.visible[owner, other]
    known &= scene.visible[0, other] & labels.labelled[other]
    scale, poses = scales[owner][:, None], scene.object_from_camera.astype(np.float64)
    on_object = transform(poses[owner, frame], in_camera / scale)
    later = scale * transform(inverse(poses[owner, other]), on_object)
    moved = transform(poses[0, other], later) - transform(poses[0, frame], in_camera)
    return np.where(known[:, None], moved, 0.0), known


def draw(
    pixels: Pixels,
    points: Points,
    cameras: Cameras,
    count: int,
    active_share: float,
    observations: int,
    generator: torch.Generator,
    still_only: bool = False,
) -> Batch:
    """A random batch: pixels (a share of them where something moves), then observations of sparse points."""
    active = round(count * active_share) if len(pixels.active) and not still_only else 0
    rest = pixels.still if still_only else pixels.anywhere
    index = torch.cat([pick(rest, count - active, generator), pick(pixels.active, active, generator)])
    index = index[torch.randperm(count, generator=generator, device=index.device)]
    parts = [pixel_batch(pixels, cameras, index, generator)]
    if observations and len(points.frame):
        chosen = torch.randint(len(points.frame), (observations,), generator=generator, device=index.device)
        chosen = chosen[points.moving[chosen] <= 0] if still_only else chosen
        parts.append(point_batch(points[chosen], pixels, cameras, generator))
    return joined(parts)


def pick(flat_indices: Int64[Tensor, "pixel"], count: int, generator: torch.Generator) -> Int64[Tensor, "chosen"]:
    if not count or not len(flat_indices):
        return flat_indices[:0]
    return flat_indices[torch.randint(len(flat_indices), (count,), generator=generator, device=flat_indices.device)]


def random_neighbours(frame: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """+1 or -1 by chance; the only one there is at the clip's ends."""
    coin = 2 * torch.randint(2, frame.shape, generator=generator, device=frame.device) - 1
    coin = torch.where(frame == 0, torch.ones_like(coin), coin)
    return torch.where(frame == frames - 1, -torch.ones_like(coin), coin)


def pixel_batch(pixels: Pixels, cameras: Cameras, index: Tensor, generator: torch.Generator) -> Batch:
    """Everything known of pixels, by their flat index."""
    area = cameras.height * cameras.width
    frame, inside = torch.div(index, area, rounding_mode="floor"), index % area
    row = torch.div(inside, cameras.width, rounding_mode="floor")
    xy = torch.stack([inside % cameras.width, row], dim=-1).float() + 0.5
    neighbour = random_neighbours(frame, cameras.frame_count, generator)
    direction = (neighbour < 0).long()
    nothing = torch.zeros_like(index, dtype=torch.float32)
    return Batch(
        camera_rays(cameras, xy, frame),
        xy,
        pixels.images[index].float() / 255,
        pixels.label[index].long(),
        pixels.moving[index],
        neighbour,
        pixels.flow[direction, index],
        pixels.flow_valid[direction, index],
        nothing,
        nothing,
        torch.zeros_like(xy[:, :1]).expand(-1, 3),
        torch.zeros_like(index, dtype=torch.bool),
    )


def point_batch(points: Points, pixels: Pixels, cameras: Cameras, generator: torch.Generator) -> Batch:
    """Observations as rays: the pixel under them, with the known depth and motion in addition."""
    column, row = points.xy.long().unbind(-1)
    row, column = row.clamp(0, cameras.height - 1), column.clamp(0, cameras.width - 1)
    index = (points.frame * cameras.height + row) * cameras.width + column
    under = pixel_batch(pixels, cameras, index, generator)
    direction = (under.neighbour < 0).long()
    each = torch.arange(len(index), device=index.device)
    return Batch(
        camera_rays(cameras, points.xy, points.frame),
        points.xy,
        under.colour,
        torch.full_like(under.label, UNLABELLED),
        points.moving,
        under.neighbour,
        under.flow,
        under.flow_valid,
        points.depth,
        points.confidence,
        points.motion[each, direction],
        points.motion_known[each, direction],
    )


def camera_rays(cameras: Cameras, xy: Float[Tensor, "ray xy=2"], frame: Int64[Tensor, "ray"]) -> Rays:
    return Rays(cameras.world_from_camera[frame, :3, 3], cameras.directions(xy, frame), frame)


def joined(parts: list[Batch]) -> Batch:
    """Batches one after the other."""
    rays = [part.rays for part in parts]
    together = Rays(*(torch.cat([getattr(ray, name) for ray in rays]) for name in ("origins", "directions", "frames")))
    names = [name for name in Batch.__dataclass_fields__ if name != "rays"]
    return Batch(together, *(torch.cat([getattr(part, name) for part in parts]) for name in names))
