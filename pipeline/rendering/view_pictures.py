"""Planned views of a trained method as images, object ids and depth, written set by set."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.ops.parallel import side_by_side
from models.rays import Rays
from models.rendering import Rendering, joined, rays_at_once
from pipeline.cameras import Intrinsics, directions_at_unit_depth, pixel_centres
from pipeline.formats.renders_folder import write_set
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.view_plans import Plan
from pipeline.runtime.progress import progress

LEAST_CHUNK = 16384
Picture = tuple[
    UInt8[np.ndarray, "height width rgb=3"], UInt8[np.ndarray, "height width"], Float[np.ndarray, "height width"]
]


def write_views(folder: Path, work: list[tuple[Plan, TrainedMethod]], chunk: int | None) -> None:
    """Render all sets, each by its method, and write each as soon as it is done; views are rendered side by side."""
    views = [(method, plan, *view) for plan, method in work for view in plan.views(method.scene.camera)]

    def picture(view: tuple[TrainedMethod, Plan, int, np.ndarray, Intrinsics]) -> Picture:
        method, plan, frame, pose, camera = view
        scales = torch.tensor(plan.entry.scale, dtype=torch.float32, device=method.device)
        rays = view_rays(camera, pose, frame).to(method.device)
        return as_picture(render_chunks(method, rays, scales, chunk), camera, np.array(method.object_ids, np.uint8))

    with side_by_side(work[0][1].device) as ordered_map:
        pictures = progress(ordered_map(picture, views), "rendering", len(views), "views")
        for plan, _ in work:
            own = [next(pictures) for _ in plan.entry.frames]
            images, object_ids, depth = (np.stack(arrays) for arrays in zip(*own, strict=True))
            write_set(folder, plan.entry, images, object_ids, depth)


def view_rays(camera: Intrinsics, world_from_camera: Float[np.ndarray, "4 4"], frame: int) -> Rays:
    """The rays of all pixels of a view, row by row."""
    directions = directions_at_unit_depth(camera, pixel_centres(camera.height, camera.width)).reshape(-1, 3)
    turned = torch.from_numpy(directions @ world_from_camera[:3, :3].T).float()
    origin = torch.from_numpy(world_from_camera[:3, 3].astype(np.float32))
    return Rays(origin.expand_as(turned), turned, torch.full((len(turned),), frame, dtype=torch.int64))


def render_chunks(
    method: TrainedMethod, rays: Rays, scales: Float[Tensor, "object"], chunk: int | None = None
) -> Rendering:
    """Render rays in pieces that fit into memory, by default of as many rays as the device takes well."""
    chunk = chunk or max(LEAST_CHUNK, rays_at_once(method.device))
    with torch.no_grad():
        return joined(
            [method.render(rays[start : start + chunk], scales) for start in range(0, len(rays.frames), chunk)]
        )


def as_picture(rendering: Rendering, camera: Intrinsics, ids: UInt8[np.ndarray, "object"]) -> Picture:
    """Image, object ids and depth of one view; a pixel belongs to the object that most of its weight fell on."""
    size = (camera.height, camera.width)
    image = (255 * rendering.colour.clamp(0, 1)).round().to(torch.uint8).cpu().numpy().reshape(*size, 3)
    owner = rendering.object_weights.argmax(-1).cpu().numpy().reshape(size)
    return image, ids[owner], rendering.depth.float().cpu().numpy().reshape(size)
