"""What Semantic Flow trains on, as tensors on the device, and random batches of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8, Int16, Int64, UInt8
from torch import Tensor

from models.ops.space import Cameras
from models.rays import TensorFields
from models.semantic_flow.batch import Batch
from pipeline.cameras import inverse, transform, unproject
from pipeline.formats.scene_file import Scene, SceneFlow
from pipeline.semantic_flow.labels import UNLABELLED, Labels

UNKNOWN = -1
BORDER_PX = 3  # around what moves: the static field does not learn from pixels that masks may have missed


@dataclass(frozen=True)
class Pixels(TensorFields):
    """All pixels of some frames, and where to draw them from: anywhere, where nothing moves, where something moves.

    `numbers` are those of the frames in the video, `place` the inverse: -1 for frames that are not here.
    """

    images: UInt8[Tensor, "pixel rgb=3"]
    label: Int16[Tensor, "pixel"]
    moving: Int8[Tensor, "pixel"]
    flow: Float[Tensor, "direction=2 pixel xy=2"]  # to the next frame, and to the previous one
    flow_valid: Bool[Tensor, "direction=2 pixel"]
    anywhere: Int[Tensor, "usable"]
    still: Int[Tensor, "usable_still"]
    active: Int[Tensor, "usable_active"]
    numbers: Int64[Tensor, "frame"]
    place: Int64[Tensor, "video_frame"]


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


def training_pixels(
    scene: Scene,
    flow: SceneFlow,
    labels: Labels,
    frames: list[int],
    moves_by_flow: Callable[[int], Bool[np.ndarray, "height width"]],
    colour_everywhere: bool,
) -> Pixels:
    """The pixels of some frames that training may see. In frames without labels, flow alone says what may be moving."""
    own = replace(labels, ids=labels.ids[frames], labelled=labels.labelled[frames])
    active = own.moving
    for row, frame in enumerate(frames):
        if not labels.labelled[frame]:
            active[row] |= moves_by_flow(frame)
    drawn = scene.visible[0, frames] & (own.labelled | colour_everywhere)
    usable = np.broadcast_to(drawn[:, None, None], active.shape)
    place = np.full(scene.frame_count, -1)
    place[frames] = np.arange(len(frames))
    there, valid = flow_of_frames(scene, flow, frames)
    return Pixels(
        torch.from_numpy(scene.images[frames]).flatten(0, 2),
        torch.from_numpy(own.ids).flatten(),
        torch.from_numpy(known_motion(own)).flatten(),
        torch.from_numpy(there).flatten(1, 3),
        torch.from_numpy(valid).flatten(1),
        flat_indices(usable),
        flat_indices(usable & ~widened(active, BORDER_PX)),
        flat_indices(usable & active),
        torch.tensor(frames),
        torch.from_numpy(place),
    )


def known_motion(labels: Labels) -> Int8[np.ndarray, "frame height width"]:
    """1 where labels say that something moves, 0 where they say that nothing does, UNKNOWN where there is none."""
    return np.where(labels.ids == UNLABELLED, np.int8(UNKNOWN), labels.moving.astype(np.int8))


def flow_of_frames(
    scene: Scene, flow: SceneFlow, frames: list[int]
) -> tuple[
    Float[np.ndarray, "direction=2 frame height width xy=2"], Bool[np.ndarray, "direction=2 frame height width"]
]:
    """Flow to the next and to the previous frame; valid where it is confirmed and both cameras are known."""
    there = np.zeros((2, len(frames), *scene.size, 2), np.float32)
    valid = np.zeros(there.shape[:-1], bool)
    known = scene.visible[0]
    for place, frame in enumerate(frames):
        for direction, (other, read) in enumerate(((frame + 1, flow.to_next), (frame - 1, flow.to_previous))):
            if 0 <= other < scene.frame_count:
                there[direction, place], confirmed = read(frame)
                valid[direction, place] = confirmed & (known[frame] & known[other])
    return there, valid


def widened(mask: Bool[np.ndarray, "frame height width"], by_px: int) -> Bool[np.ndarray, "frame height width"]:
    """The mask and all within some pixels of it."""
    square = np.ones((2 * by_px + 1, 2 * by_px + 1), np.uint8)
    return np.stack([cv2.dilate(image, square) > 0 for image in mask.astype(np.uint8)])


def flat_indices(mask: Bool[np.ndarray, "frame height width"]) -> Int[Tensor, "pixel"]:
    """Where a mask is true; half as wide as numpy's own where the pixels can be counted so."""
    kind = np.int32 if mask.size < 2**31 else np.int64
    area = mask[0].size if len(mask) else 0
    parts = [(np.flatnonzero(frame) + number * area).astype(kind) for number, frame in enumerate(mask)]
    return torch.from_numpy(np.concatenate(parts) if parts else np.zeros(0, kind))


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


def points_in(points: Points, pixels: Pixels) -> Points:
    """The observations in the frames that are here; all of them where all frames are."""
    if len(pixels.numbers) == len(pixels.place):
        return points
    return points[pixels.place[points.frame] >= 0]


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
    signs = random_signs(count, generator)
    if not observations or not len(points.frame):
        return pixel_batch(pixels, cameras, index, signs)
    chosen = torch.randint(len(points.frame), (observations,), generator=generator, device=index.device)
    if still_only and index.device.type == "cpu":  # on GPUs all of the points rest
        chosen = chosen[points.moving[chosen] <= 0]
    signs = torch.cat([signs, random_signs(len(chosen), generator)])
    return pixel_batch(pixels, cameras, index, signs, points[chosen])


def pick(flat_indices: Int[Tensor, "pixel"], count: int, generator: torch.Generator) -> Int64[Tensor, "chosen"]:
    if not count or not len(flat_indices):
        return flat_indices[:0].long()
    chosen = torch.randint(len(flat_indices), (count,), generator=generator, device=flat_indices.device)
    return flat_indices[chosen].long()


def random_signs(count: int, generator: torch.Generator) -> Int64[Tensor, "draw"]:
    """+1 or -1 by chance."""
    return 2 * torch.randint(2, (count,), generator=generator, device=generator.device) - 1


def neighbours(frame: Int64[Tensor, "ray"], frames: int, signs: Int64[Tensor, "ray"]) -> Int64[Tensor, "ray"]:
    """+1 or -1 as the signs say; the only one there is at the clip's ends."""
    inward = torch.where(frame == 0, torch.ones_like(signs), signs)
    return torch.where(frame == frames - 1, -torch.ones_like(signs), inward)


def pixel_batch(
    pixels: Pixels,
    cameras: Cameras,
    index: Int64[Tensor, "pixel"],
    signs: Int64[Tensor, "ray"],
    points: Points | None = None,
) -> Batch:
    """Everything known of pixels, by their flat index; behind them observations, of the pixels under these and more."""
    area, count = cameras.height * cameras.width, len(index)
    frame, inside = pixels.numbers[torch.div(index, area, rounding_mode="floor")], index % area
    row = torch.div(inside, cameras.width, rounding_mode="floor")
    xy = torch.stack([inside % cameras.width, row], dim=-1).float() + 0.5
    if points is not None:
        index = torch.cat([index, pixels_under(points, pixels, cameras)])
        frame, xy = torch.cat([frame, points.frame]), torch.cat([xy, points.xy])
    neighbour = neighbours(frame, cameras.frame_count, signs)
    direction = (neighbour < 0).long()
    label, moving = pixels.label[index].long(), pixels.moving[index].float()
    depth, confidence = torch.zeros_like(moving), torch.zeros_like(moving)
    motion = torch.zeros_like(xy[:, :1]).expand(-1, 3)
    motion_known = torch.zeros_like(label, dtype=torch.bool)
    if points is not None:
        label[count:] = UNLABELLED
        each, ways = torch.arange(len(points.frame), device=index.device), direction[count:]
        told = (
            points.moving,
            points.depth,
            points.confidence,
            points.motion[each, ways],
            points.motion_known[each, ways],
        )
        moving, depth, confidence, motion, motion_known = (
            torch.cat([own[:count], known])
            for own, known in zip((moving, depth, confidence, motion, motion_known), told, strict=True)
        )
    return Batch(
        cameras.rays(xy, frame),
        xy,
        pixels.images[index].float() / 255,
        label,
        moving,
        neighbour,
        pixels.flow[direction, index],
        pixels.flow_valid[direction, index],
        depth,
        confidence,
        motion,
        motion_known,
    )


def pixels_under(points: Points, pixels: Pixels, cameras: Cameras) -> Int64[Tensor, "observation"]:
    """Flat indices of the pixels that observations lie in."""
    column, row = points.xy.long().unbind(-1)
    row, column = row.clamp(0, cameras.height - 1), column.clamp(0, cameras.width - 1)
    return (pixels.place[points.frame] * cameras.height + row) * cameras.width + column
