"""Exact rays against boxes, ellipsoids and cylinders: what is hit, where, and which way the surface faces.

Every shape lives in its own frame, centred, and is a deformed cube: a surface point has a place on the cube [-1, 1]^3
(its `cube` coordinates), which is how textures are addressed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.rays import TensorFields

MANY_PARTS = 24  # from so many on, only rays near a part are tried against it


@dataclass(frozen=True)
class Interval(TensorFields):
    """Where rays enter and leave a convex body, as ray parameters; entry > leave where they miss it."""

    entry: Float[Tensor, "*batch"]
    leave: Float[Tensor, "*batch"]


@dataclass(frozen=True)
class Box:
    """A box; a room is a box seen from inside."""

    half_extent: tuple[float, float, float]
    inside: bool = False

    def interval(self, origins: Float[Tensor, "*batch xyz=3"], directions: Float[Tensor, "*batch xyz=3"]) -> Interval:
        return slabs(origins, directions, self.half_extent)

    def cube(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        return points / points.new_tensor(self.half_extent)

    def surface(self, cube: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        return cube * cube.new_tensor(self.half_extent)

    def normals(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        cube = self.cube(points)
        axis = cube.abs().argmax(-1, keepdim=True)
        sign = torch.gather(cube, -1, axis).sign() * (-1.0 if self.inside else 1.0)
        return torch.zeros_like(cube).scatter_(-1, axis, sign)


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with its axes along x, y and z."""

    half_extent: tuple[float, float, float]
    inside = False

    def interval(self, origins: Float[Tensor, "*batch xyz=3"], directions: Float[Tensor, "*batch xyz=3"]) -> Interval:
        half_extent = origins.new_tensor(self.half_extent)
        return unit_ball(origins / half_extent, directions / half_extent)

    def cube(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        unit = points / points.new_tensor(self.half_extent)
        return unit / unit.abs().amax(-1, keepdim=True)

    def surface(self, cube: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        return cube / cube.norm(dim=-1, keepdim=True) * cube.new_tensor(self.half_extent)

    def normals(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        return torch.nn.functional.normalize(points / points.new_tensor(self.half_extent) ** 2, dim=-1)


@dataclass(frozen=True)
class Cylinder:
    """A capped cylinder along y: radius, half height, radius."""

    half_extent: tuple[float, float, float]
    inside = False

    def interval(self, origins: Float[Tensor, "*batch xyz=3"], directions: Float[Tensor, "*batch xyz=3"]) -> Interval:
        radius, half_height, _ = self.half_extent
        round_part = unit_ball(origins[..., ::2] / radius, directions[..., ::2] / radius)
        between_caps = slabs(origins[..., 1:2], directions[..., 1:2], (half_height,))
        entry = torch.maximum(round_part.entry, between_caps.entry)
        return Interval(entry, torch.minimum(round_part.leave, between_caps.leave))

    def cube(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        unit = points / points.new_tensor(self.half_extent)
        around = unit[..., ::2] / unit[..., ::2].abs().amax(-1, keepdim=True).clamp(min=1e-6)
        side = torch.stack([around[..., 0], unit[..., 1], around[..., 1]], dim=-1)
        return torch.where(self.on_cap(unit)[..., None], unit, side)

    def surface(self, cube: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        around = cube[..., ::2] / cube[..., ::2].norm(dim=-1, keepdim=True).clamp(min=1e-6)
        side = torch.stack([around[..., 0], cube[..., 1], around[..., 1]], dim=-1)
        on_cap = cube[..., 1].abs() >= cube[..., ::2].abs().amax(-1)
        return torch.where(on_cap[..., None], cube, side) * cube.new_tensor(self.half_extent)

    def normals(self, points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
        unit = points / points.new_tensor(self.half_extent)
        cap = torch.nn.functional.normalize(unit * unit.new_tensor([0.0, 1.0, 0.0]), dim=-1)
        side = torch.nn.functional.normalize(unit * unit.new_tensor([1.0, 0.0, 1.0]), dim=-1)
        return torch.where(self.on_cap(unit)[..., None], cap, side)

    @staticmethod
    def on_cap(unit: Float[Tensor, "*batch xyz=3"]) -> Bool[Tensor, "*batch"]:
        """Points of the unit cylinder nearer to a cap than to the round side."""
        return unit[..., 1].abs() > unit[..., ::2].norm(dim=-1)


Shape = Box | Ellipsoid | Cylinder


@dataclass(frozen=True)
class Part:
    """A shape that belongs to an object, at a fixed place in the object's frame."""

    shape: Shape
    object_id: int
    object_from_part: Float[Tensor, "4 4"]


@dataclass(frozen=True)
class Hits(TensorFields):
    """The nearest surface along rays: its ray parameter (inf where there is none) and the index of its part."""

    depth: Float[Tensor, "*batch"]
    part: Int64[Tensor, "*batch"]


def slabs(
    origins: Float[Tensor, "*batch axis"], directions: Float[Tensor, "*batch axis"], half_extent: Sequence[float]
) -> Interval:
    """Rays between pairs of planes, one pair an axis (Kay and Kajiya, 1986)."""
    # A ray along a plane meets it far away; exactly along, 1 / 0 would make NaN of origins that are 0.
    inverse = 1 / torch.where(directions.abs() < 1e-9, 1e-9, directions)
    middle = -origins * inverse
    reach = inverse.abs() * origins.new_tensor(half_extent)
    entry, leave = (middle - reach).unbind(-1), (middle + reach).unbind(-1)
    nearest, farthest = entry[0], leave[0]
    for more_entry, more_leave in zip(entry[1:], leave[1:], strict=True):
        nearest, farthest = torch.maximum(nearest, more_entry), torch.minimum(farthest, more_leave)
    return Interval(nearest, farthest)


def unit_ball(origins: Float[Tensor, "*batch axis"], directions: Float[Tensor, "*batch axis"]) -> Interval:
    """Rays through the unit ball (or circle); by the point nearest to its centre, which float32 keeps exact."""
    squared = (directions * directions).sum(-1).clamp(min=1e-18)  # a ray along a cylinder has no direction across it
    middle = -(origins * directions).sum(-1) / squared
    nearest = origins + middle[..., None] * directions
    half_chord = ((1 - (nearest * nearest).sum(-1)) / squared).sqrt()  # NaN where the ray misses
    return Interval((middle - half_chord).nan_to_num(torch.inf), (middle + half_chord).nan_to_num(-torch.inf))


def move(a_from_b: Float[Tensor, "4 4"], points: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
    """Points of frame b in frame a."""
    return points @ a_from_b[:3, :3].T + a_from_b[:3, 3]


def turn(a_from_b: Float[Tensor, "4 4"], vectors: Float[Tensor, "*batch xyz=3"]) -> Float[Tensor, "*batch xyz=3"]:
    """Directions of frame b in frame a."""
    return vectors @ a_from_b[:3, :3].T


def size_of(a_from_b: Float[Tensor, "4 4"]) -> Float[Tensor, ""]:
    """How much larger than in frame b things are in frame a; 1 where the similarity is rigid."""
    return (a_from_b[:3, :3].square().sum() / 3).sqrt()


def similarity_inverse(a_from_b: Float[Tensor, "4 4"]) -> Float[Tensor, "4 4"]:
    """b_from_a of a rigid a_from_b, or of one that changes the size too."""
    b_from_a = torch.eye(4, dtype=a_from_b.dtype, device=a_from_b.device)
    b_from_a[:3, :3] = a_from_b[:3, :3].T / size_of(a_from_b) ** 2
    b_from_a[:3, 3] = -b_from_a[:3, :3] @ a_from_b[:3, 3]
    return b_from_a


def world_from_parts(
    parts: Sequence[Part], world_from_object: Float[Tensor, "object 4 4"]
) -> Float[Tensor, "part 4 4"]:
    """Where every part is when the objects are at their poses."""
    return torch.stack([world_from_object[part.object_id] @ part.object_from_part for part in parts])


def hit_depth(
    shape: Shape,
    part_from_world: Float[Tensor, "4 4"],
    origins: Float[Tensor, "*rays xyz=3"],
    directions: Float[Tensor, "*rays xyz=3"],
) -> Float[Tensor, "*rays"]:
    """Ray parameter of a shape's surface, inf where it is missed or behind."""
    crossing = shape.interval(move(part_from_world, origins), turn(part_from_world, directions))
    surface = crossing.leave if shape.inside else crossing.entry
    met = (crossing.leave > crossing.entry) & (surface > 0)
    return torch.where(met, surface, torch.inf)


def rays_near(
    parts: Sequence[Part],
    world_from_part: Float[Tensor, "part 4 4"],
    origins: Float[Tensor, "ray xyz=3"],
    directions: Float[Tensor, "ray xyz=3"],
) -> list[Int64[Tensor, "near"] | slice]:
    """The rays that may meet each part, by the ball that holds it; all rays where there are few parts."""
    if len(parts) < MANY_PARTS:
        return [slice(None)] * len(parts)
    centres = world_from_part[:, :3, 3]
    radii = torch.stack(
        [
            size_of(pose) * pose.new_tensor(part.shape.half_extent).norm()
            for part, pose in zip(parts, world_from_part, strict=True)
        ]
    )
    unit = torch.nn.functional.normalize(directions, dim=-1)
    along = unit @ centres.T - (unit * origins).sum(-1, keepdim=True)
    apart = (centres.square().sum(-1) - 2 * origins @ centres.T + origins.square().sum(-1, keepdim=True)) - along**2
    near = apart < (1.02 * radii + 0.02) ** 2
    return [slice(None) if part.shape.inside else near[:, number].nonzero()[:, 0] for number, part in enumerate(parts)]


def nearest_hits(
    parts: Sequence[Part],
    world_from_part: Float[Tensor, "part 4 4"],
    origins: Float[Tensor, "ray xyz=3"],
    directions: Float[Tensor, "ray xyz=3"],
) -> Hits:
    """The first surface that each ray meets."""
    depth = torch.full(origins.shape[:-1], torch.inf, device=origins.device)
    index = torch.zeros(origins.shape[:-1], dtype=torch.int64, device=origins.device)
    near = rays_near(parts, world_from_part, origins, directions)
    for number, (part, rays) in enumerate(zip(parts, near, strict=True)):
        distance = hit_depth(part.shape, similarity_inverse(world_from_part[number]), origins[rays], directions[rays])
        index[rays] = torch.where(distance < depth[rays], number, index[rays])
        depth[rays] = torch.minimum(depth[rays], distance)
    return Hits(depth, index)


def blocked(
    parts: Sequence[Part],
    world_from_part: Float[Tensor, "part 4 4"],
    origins: Float[Tensor, "ray xyz=3"],
    targets: Float[Tensor, "ray xyz=3"],
) -> Bool[Tensor, "ray"]:
    """Whether a part stands between two points; a room that encloses both does not."""
    hidden = torch.zeros(origins.shape[:-1], dtype=torch.bool, device=origins.device)
    near = rays_near(parts, world_from_part, origins, targets - origins)
    for number, (part, rays) in enumerate(zip(parts, near, strict=True)):
        if not part.shape.inside:
            inverse = similarity_inverse(world_from_part[number])
            hidden[rays] |= hit_depth(part.shape, inverse, origins[rays], (targets - origins)[rays]) < 1
    return hidden


def solo_depths(
    parts: Sequence[Part],
    world_from_object: Float[Tensor, "object 4 4"],
    origins: Float[Tensor, "ray xyz=3"],
    directions: Float[Tensor, "ray xyz=3"],
) -> Float[Tensor, "object ray"]:
    """Depth of every object as if it were alone, inf where a ray misses it."""
    depths = torch.full((len(world_from_object), len(origins)), torch.inf, device=origins.device)
    placed = world_from_parts(parts, world_from_object)
    near = rays_near(parts, placed, origins, directions)
    for part, world_from_part, rays in zip(parts, placed, near, strict=True):
        distance = hit_depth(part.shape, similarity_inverse(world_from_part), origins[rays], directions[rays])
        depths[part.object_id, rays] = torch.minimum(depths[part.object_id, rays], distance)
    return depths
