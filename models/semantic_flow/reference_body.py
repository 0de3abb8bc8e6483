"""The reference body: pixel-aligned networks of the paper's sizes, in place of grids.

Every point is read from its encoded place (and time) together with what a frame shows where the point projects. As in
the paper: frequencies, widths, numbers of blocks, where features and the clip's code enter. Unlike the released code the
velocity has a trunk of its own, features are fetched where points project in the world, and they are the project's own
reduced ones. Sampling of rays, losses and the semantic head are those of grids, so that bodies alone are compared.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.ops.networks import encoded, encoded_size, perceptron
from models.ops.seen_features.reference import sample_maps
from models.ops.space import Region
from models.rays import Rays
from models.semantic_flow.fields import BLEND_SHIFT, DYNAMIC_SHIFT, STATIC_SHIFT
from models.semantic_flow.flow_features import FrameMaps
from models.semantic_flow.model import SemanticFlow, Traced
from models.semantic_flow.velocity import INITIAL_SPEED

OCTAVES, VIEW_OCTAVES = 10, 4
STATIC_WIDTH, STATIC_BLOCKS, STATIC_FUSED = 256, 5, 3  # features enter before the first `fused` blocks
DYNAMIC_WIDTH, TRUNK_BLOCKS, DYNAMIC_BLOCKS = 128, 2, 3
CODE_WIDTH, CODE = 4096, 256
POINTS_AT_ONCE = 32768  # where no gradient is wanted


class ResidualBlock(nn.Module):
    """Two layers beside a shortcut."""

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first, self.second = perceptron([width, width], generator), perceptron([width, width], generator)

    def forward(self, x: Float[Tensor, "point width"]) -> Float[Tensor, "point width"]:
        return x + self.second(F.relu(self.first(F.relu(x))))


class ReferenceStatic(nn.Module):
    """What never moves, from encoded place and a frame's feature; colour also from the direction of view."""

    def __init__(self, features: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        width = STATIC_WIDTH
        self.begin = perceptron([encoded_size(3, OCTAVES), width], generator)
        self.blocks = nn.ModuleList([ResidualBlock(width, generator) for _ in range(STATIC_BLOCKS)])
        self.fuse = nn.ModuleList([perceptron([features, width], generator) for _ in range(STATIC_FUSED)])
        self.shape = perceptron([width, 1], generator)
        self.before_view = perceptron([width, width], generator)
        self.after_view = perceptron([width + encoded_size(3, VIEW_OCTAVES), 128, 3], generator)
        self.meaning = perceptron([width, 128, classes], generator)

    def nodes(self) -> Float[Tensor, "x y z"]:
        """Networks have none."""
        return torch.zeros(0, 0, 0, device=next(self.parameters()).device)

    def forward(
        self, coordinates: Float[Tensor, "point xyz=3"], shown: Float[Tensor, "point channel"]
    ) -> Float[Tensor, "point width"]:
        """What everything is decoded from, at coordinates in [-1, 1] with the features shown there."""
        hidden = F.relu(self.begin(encoded(coordinates, OCTAVES)))
        for number, block in enumerate(self.blocks):
            hidden = block(hidden + self.fuse[number](shown) if number < STATIC_FUSED else hidden)
        return hidden

    def density(self, hidden: Float[Tensor, "point width"]) -> Float[Tensor, "point"]:
        return F.softplus(self.shape(hidden)[:, 0] + STATIC_SHIFT)

    def colour(self, features: Float[Tensor, "point feature"]) -> Float[Tensor, "point rgb=3"]:
        """Colour before its activation, of what the trunk gave and the encoded direction behind it."""
        hidden, view = features.split([STATIC_WIDTH, features.shape[1] - STATIC_WIDTH], dim=1)
        return self.after_view(torch.cat([self.before_view(hidden), view], dim=1))

    def semantics(self, features: Float[Tensor, "point feature"]) -> Float[Tensor, "point classes"]:
        return self.meaning(features[:, :STATIC_WIDTH])

    def take(self, other: "ReferenceStatic") -> None:
        """Become another one's function."""
        self.load_state_dict(other.state_dict())


class Trunk(nn.Module):
    """Encoded place and time, mixed with one code of the whole clip."""

    def __init__(self, clip: Float[Tensor, "channel"], generator: torch.Generator) -> None:
        super().__init__()
        width = DYNAMIC_WIDTH
        self.register_buffer("clip", clip)
        self.code = perceptron([len(clip), CODE_WIDTH, CODE], generator)
        self.begin = perceptron([encoded_size(4, OCTAVES), width], generator)
        self.mix = nn.ModuleList([perceptron([width + CODE, width], generator) for _ in range(TRUNK_BLOCKS)])
        self.blocks = nn.ModuleList([ResidualBlock(width, generator) for _ in range(TRUNK_BLOCKS)])

    def forward(
        self, coordinates: Float[Tensor, "point xyz=3"], time: Float[Tensor, "point"]
    ) -> Float[Tensor, "point width"]:
        place = encoded(torch.cat([coordinates, time[:, None]], dim=1), OCTAVES)
        hidden = F.relu(self.begin(F.normalize(place, dim=1)))
        code = self.code(self.get_buffer("clip")).expand(len(hidden), -1)
        for mix, block in zip(self.mix, self.blocks, strict=True):
            hidden = block(mix(torch.cat([hidden, code], dim=1)))
        return hidden


class ReferenceDynamic(nn.Module):
    """What moves, from place and time, the feature of its own frame, and those where it is one frame before and after."""

    channels = DYNAMIC_WIDTH

    def __init__(self, clip: Float[Tensor, "channel"], generator: torch.Generator) -> None:
        super().__init__()
        width, features = DYNAMIC_WIDTH, len(clip)
        self.trunk = Trunk(clip, generator)
        self.fuse = nn.ModuleList([perceptron([features, width], generator) for _ in range(DYNAMIC_BLOCKS)])
        self.beside = perceptron([features, width], generator)
        self.merge = perceptron([2 * width, width], generator)
        self.blocks = nn.ModuleList([ResidualBlock(width, generator) for _ in range(DYNAMIC_BLOCKS)])
        self.paint_and_shape, self.share = perceptron([width, 4], generator), perceptron([width, 1], generator)

    def forward(
        self,
        coordinates: Float[Tensor, "point xyz=3"],
        time: Float[Tensor, "point"],
        shown: Float[Tensor, "point before_now_after=3 channel"],
    ) -> Float[Tensor, "point width"]:
        """What everything is decoded from, at coordinates and times in [-1, 1]."""
        before, now, after = shown.unbind(1)
        neighbours = (self.beside(before) + self.beside(after)) / 2
        first = self.merge(torch.cat([self.fuse[0](now), neighbours], dim=1))
        added = [first, *(fuse(now) for fuse in list(self.fuse)[1:])]
        hidden = self.trunk(coordinates, time)
        for block, extra in zip(self.blocks, added, strict=True):
            hidden = block(hidden + extra)
        return hidden

    def density_and_blend(
        self, hidden: Float[Tensor, "point width"]
    ) -> tuple[Float[Tensor, "point"], Float[Tensor, "point"]]:
        density = F.softplus(self.paint_and_shape(hidden)[:, 3] + DYNAMIC_SHIFT)
        return density, torch.sigmoid(self.share(hidden)[:, 0] + BLEND_SHIFT)

    def colour(self, hidden: Float[Tensor, "point width"]) -> Float[Tensor, "point rgb=3"]:
        """Colour before its activation."""
        return self.paint_and_shape(hidden)[:, :3]


class ReferenceVelocity(nn.Module):
    """World velocity, along each axis at most one unit of the region a frame."""

    def __init__(self, region: Region, frames: int, clip: Float[Tensor, "channel"], generator: torch.Generator) -> None:
        super().__init__()
        self.region, self.frames = region, frames
        self.trunk, self.decode = Trunk(clip, generator), perceptron([DYNAMIC_WIDTH, 3], generator)
        with torch.no_grad():
            next(self.decode.parameters()).mul_(INITIAL_SPEED)

    def forward(
        self, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"]
    ) -> Float[Tensor, "point xyz=3"]:
        """Velocity at world points and frame times."""
        time = 2 * times / max(self.frames - 1, 1) - 1
        return torch.tanh(self.decode(self.trunk(self.region.coordinates(points), time))) * self.region.unit


class ReferenceFlow(SemanticFlow):
    """Semantic Flow with the reference body."""

    static: ReferenceStatic  # type: ignore[assignment]
    dynamic: ReferenceDynamic  # type: ignore[assignment]
    velocity: ReferenceVelocity  # type: ignore[assignment]
    reads_grids = False

    def make_fields(self, maps: FrameMaps, generator: torch.Generator) -> None:
        """The static, the dynamic and the velocity field: here networks."""
        clip = maps.features.float().mean((0, 1, 2))
        self.static = ReferenceStatic(len(clip), self.sizes.classes, generator)
        self.dynamic = ReferenceDynamic(clip, generator)
        self.velocity = ReferenceVelocity(
            self.bounds.dynamic_region, self.bounds.cameras.frame_count, clip.clone(), generator
        )

    def trace(
        self, nodes: Float[Tensor, "x y z"], rays: Rays, generator: torch.Generator | None, moving: bool = True
    ) -> Traced:
        """As with grids; in training, the static scene alone is looked up in a random frame of the batch's."""
        if generator is not None and not moving:
            count, device = len(rays.frames), rays.frames.device
            other = rays.frames[torch.randint(count, (count,), generator=generator, device=device)]
            rays = replace(rays, frames=other)
        return super().trace(nodes, rays, generator, moving)

    def shown(
        self, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
    ) -> Float[Tensor, "point channel"]:
        """Features of frames where points project; they pass no gradient to the places they are read at."""
        with torch.no_grad():
            xy, _ = self.bounds.cameras.project(points, frames)
            return sample_maps(self.maps.features, self.bounds.cameras, xy[:, None], frames[:, None])[:, 0]

    def shown_around(
        self, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
    ) -> Float[Tensor, "point before_now_after=3 channel"]:
        """The features before, now and after, along the flow; at the clip's ends the missing one is that of now."""
        last, parts = self.bounds.cameras.frame_count - 1, []
        for by in (-1, 0, 1):
            there = (frames + by).clamp(0, last)
            with torch.no_grad():
                span = (there - frames).to(points.dtype)
                place = self.moved(points, frames.to(points.dtype), span) if by else points
            parts.append(self.shown(place, there))
        return torch.stack(parts, dim=1)

    def static_hidden(
        self, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
    ) -> Float[Tensor, "point width"]:
        return self.static(self.bounds.static_region.coordinates(points), self.shown(points, frames))

    def static_optics(
        self, nodes: Float[Tensor, "x y z"], points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"]
    ) -> Float[Tensor, "point"]:
        return torch.cat(
            in_pieces(lambda where, frame: self.static.density(self.static_hidden(where, frame)), points, frames)
        )

    def static_features(
        self,
        points: Float[Tensor, "point xyz=3"],
        frames: Int64[Tensor, "point"],
        directions: Float[Tensor, "point xyz=3"] | None = None,
    ) -> Float[Tensor, "point channel"]:
        """What colour and classes are decoded from; where no directions are given, points are seen by their frames."""
        seen = points - self.bounds.cameras.world_from_camera[frames, :3, 3] if directions is None else directions
        view = encoded(F.normalize(seen, dim=1), VIEW_OCTAVES)
        return torch.cat([self.static_hidden(points, frames), view], dim=1)

    def dynamic_features(
        self, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"]
    ) -> Float[Tensor, "point channel"]:
        frames = times.round().long().clamp(0, self.bounds.cameras.frame_count - 1)
        coordinates = self.bounds.dynamic_region.coordinates(points)
        return self.dynamic(coordinates, self.normalised_time(times), self.shown_around(points, frames))

    def dynamic_optics(
        self, points: Float[Tensor, "point xyz=3"], times: Float[Tensor, "point"]
    ) -> tuple[Float[Tensor, "point"], Float[Tensor, "point"]]:
        parts = in_pieces(
            lambda where, time: torch.stack(self.dynamic.density_and_blend(self.dynamic_features(where, time))),
            points,
            times,
        )
        density, blending = torch.cat(parts, dim=1)
        return density, blending


def in_pieces(function: Callable[..., Tensor], *values: Tensor) -> list[Tensor]:
    """A function of points, in pieces where no gradient is wanted: wide networks on many points fill the memory."""
    size = max(len(values[0]), 1) if torch.is_grad_enabled() else POINTS_AT_ONCE
    return [function(*piece) for piece in zip(*(value.split(size) for value in values), strict=True)]
