"""What baselines train on: views, each of one moment, and depths that are known in some of their pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from models.baselines.losses import Batch
from models.baselines.model import SceneExtent
from models.ops.space import Cameras
from models.rays import Rays, TensorFields
from pipeline.baselines.motion import KnownMotion, scene_motion
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.scene.region import scene_cameras, static_region


@dataclass(frozen=True)
class KnownDepths(TensorFields):
    """Depths in pixels of views, each with a confidence."""

    view: Int64[Tensor, "point"]
    xy: Float[Tensor, "point xy=2"]
    depth: Float[Tensor, "point"]
    confidence: Float[Tensor, "point"]


@dataclass(frozen=True)
class TrainingViews:
    """Training views: images with their cameras and times; `frames` is which moment each shows. A video has one a moment."""

    images: UInt8[Tensor, "view height width rgb=3"]
    cameras: Cameras
    frames: Int64[Tensor, "view"]
    used: Int64[Tensor, "used"]
    depths: KnownDepths | None
    extent: SceneExtent
    motion: KnownMotion | None = None

    def to(self, device: torch.device) -> "TrainingViews":
        return TrainingViews(
            self.images.to(device),
            self.cameras.to(device),
            self.frames.to(device),
            self.used.to(device),
            self.depths and self.depths.to(device),
            self.extent,
            self.motion and self.motion.to(device),
        )


def scene_views(scene: Scene, depths: KnownDepths | None, with_motion: bool = False) -> TrainingViews:
    """The frames of a packed scene whose camera is known; with its flow and masks where a method learns from them."""
    used = np.flatnonzero(scene.visible[0])
    if len(used) < 2:
        raise StageError("the scene has fewer than two frames with a known camera; see geometry.json for the reason")
    near, far = (float(value) for value in scene.depth_range)
    return TrainingViews(
        torch.from_numpy(scene.images),
        scene_cameras(scene),
        torch.arange(scene.frame_count),
        torch.from_numpy(used),
        depths,
        SceneExtent(static_region(scene), near, far, scene.frame_count),
        scene_motion(scene) if with_motion else None,
    )


def draw(views: TrainingViews, rays: int, depth_rays: int, generator: torch.Generator) -> Batch:
    """Random pixels of all views, then random pixels whose depth is known, in an order that shards share out fairly."""
    pixels = draw_pixels(views, rays, generator)
    if views.depths is None or not depth_rays or not len(views.depths.view):
        return pixels
    known = draw_depths(views, views.depths, depth_rays, generator)
    order = torch.randperm(rays + depth_rays, generator=generator, device=generator.device)
    return joined(pixels, known)[order]


def draw_pixels(views: TrainingViews, count: int, generator: torch.Generator) -> Batch:
    """Random pixels of the used views; their depth is not known."""
    height, width = views.images.shape[1:3]

    def random(below: int) -> Int64[Tensor, "ray"]:
        return torch.randint(below, (count,), generator=generator, device=generator.device)

    view, row, column = views.used[random(len(views.used))], random(height), random(width)
    xy = torch.stack([column, row], dim=1) + 0.5
    nothing = torch.zeros(count, device=generator.device)
    return Batch(rays_of(views, xy, view), views.images[view, row, column] / 255, nothing, nothing)


def draw_depths(views: TrainingViews, depths: KnownDepths, count: int, generator: torch.Generator) -> Batch:
    """Random pixels whose depth is known, with their colour."""
    chosen = depths[torch.randint(len(depths.view), (count,), generator=generator, device=generator.device)]
    column, row = chosen.xy.long().unbind(1)
    height, width = views.images.shape[1:3]
    colour = views.images[chosen.view, row.clamp(0, height - 1), column.clamp(0, width - 1)] / 255
    return Batch(rays_of(views, chosen.xy, chosen.view), colour, chosen.depth, chosen.confidence)


def rays_of(views: TrainingViews, xy: Float[Tensor, "ray xy=2"], view: Int64[Tensor, "ray"]) -> Rays:
    """Rays through pixels of views, at the views' moments."""
    rays = views.cameras.rays(xy, view)
    return Rays(rays.origins, rays.directions, views.frames[view])


def joined(first: Batch, second: Batch) -> Batch:
    """Both, one after the other."""
    names = ("origins", "directions", "frames")
    rays = Rays(*(torch.cat([getattr(first.rays, name), getattr(second.rays, name)]) for name in names))
    rest = (torch.cat([getattr(first, name), getattr(second, name)]) for name in ("colour", "depth", "confidence"))
    return Batch(rays, *rest)
