"""Pixels and sparse depths of a video, kept small in memory, from which each step draws its rays."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Int64, UInt8
from torch import Tensor

from models.rays import TensorFields, directions_at_unit_depth

LEAST_CERTAIN = 0.3  # of an object's pixels; where fewer lie away from borders, all are taken as they are
DEPTH_SHARE = 0.2  # of a batch's rays go through pixels whose depth is known


@dataclass(frozen=True)
class PixelBatch(TensorFields):
    """Rays of the video's cameras and what was seen along them; depth in the object's units, weight 0 if unknown.

    `certain`: the border of the object's mask is not near. `trust`: how much its id counts, 1 where it is certain.
    """

    frames: Int64[Tensor, "ray"]
    directions: Float[Tensor, "ray xyz=3"]
    colours: Float[Tensor, "ray rgb=3"]
    objects: Int64[Tensor, "ray"]
    certain: Bool[Tensor, "ray"]
    trust: Float[Tensor, "ray"]
    depth: Float[Tensor, "ray"]
    depth_weight: Float[Tensor, "ray"]


@dataclass(frozen=True)
class SparseDepths(TensorFields):
    """Observed points: their pixel's flat index, how deep in their object's own units, and how far to trust them."""

    pixel: Int64[Tensor, "observation"]
    depth: Float[Tensor, "observation"]
    weight: Float[Tensor, "observation"]


@dataclass(frozen=True)
class TrainingPixels:
    """The video, and for each object the flat indices of its usable pixels and the share of rays it gets."""

    images: UInt8[Tensor, "frame height width rgb=3"]
    object_ids: UInt8[Tensor, "frame height width"]
    certain: Bool[Tensor, "frame height width"]
    intrinsics: Float[Tensor, "value=4"]
    depths: SparseDepths
    usable: list[Int[Tensor, "..."]]
    shares: list[float]
    border_trust: float
    numbers: Int64[Tensor, "frame"]  # of the frames, in the video

    @staticmethod
    def build(
        images: UInt8[Tensor, "frame height width rgb=3"],
        object_ids: UInt8[Tensor, "frame height width"],
        intrinsics: Float[Tensor, "value=4"],
        visible: Bool[Tensor, "object frame"],
        depths: SparseDepths,
        border_px: int = 0,
        border_trust: float = 0.0,
        numbers: Int64[Tensor, "frame"] | None = None,
    ) -> "TrainingPixels":
        """Pixels of an object in a frame in which it is not registered are ignored."""
        usable = []
        for k, frames in enumerate(visible):
            usable.append(pixels_of(object_ids, k, frames))
        # Between equal shares and shares by area: small objects are seen often enough to become sharp.
        roots = [len(pixels) ** 0.5 for pixels in usable]
        total = max(sum(roots), 1.0)
        shares = [root / total for root in roots]
        certain = certain_pixels(object_ids, border_px, len(visible))
        numbers = torch.arange(len(images), device=images.device) if numbers is None else numbers
        return TrainingPixels(images, object_ids, certain, intrinsics, depths, usable, shares, border_trust, numbers)

    def draw(self, count: int, generator: torch.Generator) -> PixelBatch:
        """Random pixels of all frames, objects by their shares; some of them with known depth."""
        known = round(DEPTH_SHARE * count) if len(self.depths.pixel) else 0
        parts = []
        for pixels, share in zip(self.usable, self.shares, strict=True):
            parts.append(pixels[randint(len(pixels), round((count - known) * share), generator)].long())
        depths = self.depths[randint(len(self.depths.pixel), known, generator)]
        batch = self.at(torch.cat([*parts, depths.pixel]))
        unknown = batch.depth[: len(batch.depth) - known]
        return replace(
            batch,
            depth=torch.cat([unknown, depths.depth]),
            depth_weight=torch.cat([torch.zeros_like(unknown), depths.weight]),
        )

    def draw_evenly(self, count: int, generator: torch.Generator) -> PixelBatch:
        """Usable pixels, each as likely as any other, one at random from each of `count` equal stretches of their list.

        The list goes object by object, frame by frame and row by row, so all are drawn from alike.
        """
        usable = torch.cat(self.usable)
        count = min(count, len(usable))
        offset = torch.rand(count, generator=generator, device=usable.device, dtype=torch.float64)
        chosen = (torch.arange(count, device=usable.device) + offset) * (len(usable) / count)
        return self.at(usable[chosen.long().clamp(max=len(usable) - 1)].long())

    def draw_by_frame(self, most: int) -> PixelBatch:
        """Pixels of moving objects, at most so many of each in each frame, evenly from the list of its pixels there."""
        chosen = []
        for pixels in self.usable[1:]:
            _, counts = torch.unique_consecutive(pixels // self.object_ids[0].numel(), return_counts=True)
            for own in pixels.split(counts.tolist()):
                count = min(len(own), most)
                chosen.append(own[torch.arange(count, device=own.device) * len(own) // max(1, count)].long())
        return self.at(torch.cat(chosen))

    def at(self, pixels: Int64[Tensor, "ray"]) -> PixelBatch:
        """The rays of pixels given by their flat index, of unknown depth."""
        height, width = self.object_ids.shape[1:]
        frames, inside = pixels // (height * width), pixels % (height * width)
        xy = torch.stack([inside % width, torch.div(inside, width, rounding_mode="floor")], dim=1) + 0.5
        colours = self.images.view(-1, 3)[pixels].float() / 255
        directions = directions_at_unit_depth(self.intrinsics, xy)
        objects = self.object_ids.flatten()[pixels].long()
        certain, unknown = self.certain.flatten()[pixels], torch.zeros_like(xy[:, 0])
        trust = torch.where(certain, 1.0, self.border_trust)
        return PixelBatch(
            self.numbers[frames], directions, colours, objects, certain, trust, torch.ones_like(unknown), unknown
        )


def pixels_of(
    object_ids: UInt8[Tensor, "frame height width"], index: int, visible: Bool[Tensor, "frame"]
) -> Int[Tensor, "..."]:
    """Flat indices of an object's pixels in the frames where its pose is known; half as wide as torch's own."""
    parts = [
        ((ids == index).flatten().nonzero()[:, 0] + frame * ids.numel()).int()
        for frame, ids in enumerate(object_ids)
        if visible[frame]
    ]
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int32, device=object_ids.device)


def certain_pixels(
    object_ids: UInt8[Tensor, "frame height width"], border_px: int, objects: int
) -> Bool[Tensor, "frame height width"]:
    """Pixels around which nothing but their own object is seen; all pixels of objects that are all border."""
    certain = torch.empty_like(object_ids, dtype=torch.bool)
    side = 2 * border_px + 1
    for ids, inside in zip(object_ids.float(), certain, strict=True):
        highest = F.max_pool2d(ids[None], side, 1, border_px)[0]
        inside.copy_((highest == ids) & (-F.max_pool2d(-ids[None], side, 1, border_px)[0] == ids))
    for k in range(objects):
        own = object_ids == k
        if certain[own].float().mean() < LEAST_CERTAIN:
            certain |= own
    return certain


def randint(below: int, count: int, generator: torch.Generator) -> Int64[Tensor, "ray"]:
    return torch.randint(max(1, below), (count,), generator=generator, device=generator.device)
