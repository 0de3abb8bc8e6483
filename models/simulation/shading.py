"""Pictures of textured shapes under one lamp: diffuse light, a soft sky, shadows, corners and contacts darkened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.rays import TensorFields
from models.simulation.lens_rays import PINHOLE, LensRays
from models.simulation.procedural_texture import Atlas, look_up
from models.simulation.ray_casting import (
    Hits,
    Part,
    Shape,
    blocked,
    move,
    nearest_hits,
    similarity_inverse,
    size_of,
    turn,
    world_from_parts,
)

RAYS_AT_ONCE = 1 << 16
FLOOR = 1e-3  # what is less above y = 0 is the floor
SUBPIXELS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))


@dataclass(frozen=True)
class Lighting(TensorFields):
    """A lamp (of some size, which softens its shadows), light from the side of the sky, and light from everywhere."""

    lamp: Float[Tensor, "xyz=3"]
    lamp_size: Float[Tensor, ""]
    lamp_colour: Float[Tensor, "rgb=3"]
    sky: Float[Tensor, "xyz=3"]
    sky_colour: Float[Tensor, "rgb=3"]
    ambient_colour: Float[Tensor, "rgb=3"]


@dataclass(frozen=True)
class Surfaces:
    """What rays hit: place, normal and colour in the world, and the ray parameter."""

    points: Float[Tensor, "ray xyz=3"]
    normals: Float[Tensor, "ray xyz=3"]
    albedo: Float[Tensor, "ray rgb=3"]


@dataclass(frozen=True)
class View:
    """A camera with square pixels and a centred principal point: one pose, or one a row where the shutter rolls.

    `rows` are those that are seen, all where it is left out; `lens` bends rays before the pinhole.
    """

    world_from_camera: Float[Tensor, "4 4"] | Float[Tensor, "row 4 4"]
    focal_px: float
    height: int
    width: int
    lens: LensRays = PINHOLE
    rows: range | None = None

    def rays(self, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[Tensor, Tensor]:
        """Origins and directions (z = 1 in the camera) through all pixels, `shift` pixels off their centres."""
        pose = self.world_from_camera
        rows = self.rows or range(self.height)
        y, x = torch.meshgrid(
            torch.arange(rows.start, rows.stop, device=pose.device) + 0.5 + shift[1] - self.height / 2,
            torch.arange(self.width, device=pose.device) + 0.5 + shift[0] - self.width / 2,
            indexing="ij",
        )
        image = self.lens.straightened(torch.stack([x / self.focal_px, y / self.focal_px], -1).reshape(-1, 2))
        camera = torch.cat([image, torch.ones_like(image[:, :1])], -1)
        if pose.ndim == 2:
            directions = turn(pose, camera)
            return pose[:3, 3].expand_as(directions), directions
        directions = torch.einsum("rij,rpj->rpi", pose[:, :3, :3], camera.reshape(len(rows), -1, 3)).reshape(-1, 3)
        return pose[:, :3, 3].repeat_interleave(self.width, dim=0), directions


@dataclass(frozen=True)
class LitScene:
    """All that is lit: the parts of all objects with their textures, and the lamp.

    Without `shadows` the lamp's light comes as from afar and passes through everything: how a surface looks then depends
    on which way it faces, and not on where it is. `mirror` is the share of light that the floor (y = 0) mirrors.
    """

    parts: Sequence[Part]
    atlas: Atlas
    lighting: Lighting
    shadows: bool = True
    mirror: float = 0.0

    def to(self, device: torch.device) -> "LitScene":
        parts = [replace(part, object_from_part=part.object_from_part.to(device)) for part in self.parts]
        return replace(self, parts=parts, atlas=self.atlas.to(device), lighting=self.lighting.to(device))


def render_image(
    scene: LitScene, world_from_object: Float[Tensor, "object 4 4"], view: View
) -> Float[Tensor, "height width rgb=3"]:
    """The sRGB image in [0, 1], four samples a pixel."""
    image = torch.zeros(view.height * view.width, 3, device=world_from_object.device)
    for number in range(len(SUBPIXELS)):
        image += render_sample(scene, world_from_object, view, number) / len(SUBPIXELS)
    return srgb(image).reshape(view.height, view.width, 3)


def render_sample(
    scene: LitScene, world_from_object: Float[Tensor, "object 4 4"], view: View, number: int
) -> Float[Tensor, "ray rgb=3"]:
    """Linear light along one ray a pixel, at one of the places of `SUBPIXELS`."""
    world_from_part = world_from_parts(scene.parts, world_from_object)
    lamp = scene.lighting.lamp + scene.lighting.lamp_size * lamp_offset(number, scene.lighting.lamp)
    origins, directions = view.rays(SUBPIXELS[number])
    light = torch.zeros_like(directions)
    for rays in torch.arange(len(origins), device=origins.device).split(RAYS_AT_ONCE):
        surfaces = hit_surfaces(scene, world_from_part, origins[rays], directions[rays], view.focal_px)
        light[rays] = shade(scene, world_from_part, world_from_object, surfaces, lamp)
        if scene.mirror:
            floor = (surfaces.points[:, 1] > -FLOOR).nonzero()[:, 0]
            start = surfaces.points[floor] + 2e-3 * surfaces.normals[floor]
            upward = directions[rays[floor]] * directions.new_tensor([1.0, -1.0, 1.0])
            seen = hit_surfaces(scene, world_from_part, start, upward, view.focal_px)
            shown = shade(scene, world_from_part, world_from_object, seen, lamp)
            light[rays[floor]] = light[rays[floor]].lerp(shown, scene.mirror)
    return light


def lamp_offset(number: int, like: Float[Tensor, "xyz=3"]) -> Float[Tensor, "xyz=3"]:
    """A corner of the lamp for each sample of a pixel: together they give a soft shadow."""
    x, y = SUBPIXELS[number]
    return like.new_tensor([4 * x, 2 * (x + y), 4 * y * (1 if x > 0 else -0.6)])


def hit_surfaces(
    scene: LitScene,
    world_from_part: Float[Tensor, "part 4 4"],
    origins: Float[Tensor, "ray xyz=3"],
    directions: Float[Tensor, "ray xyz=3"],
    focal_px: float,
) -> Surfaces:
    """Place, normal and colour of the first surface along each ray."""
    hits = nearest_hits(scene.parts, world_from_part, origins, directions)
    points = origins + hits.depth[:, None] * directions
    normals, albedo = torch.zeros_like(points), torch.zeros_like(points)
    for number, part in enumerate(scene.parts):
        rays = (hits.part == number).nonzero()[:, 0]
        if len(rays):
            local = move(similarity_inverse(world_from_part[number]), points[rays])
            size = size_of(world_from_part[number])
            normals[rays] = turn(world_from_part[number], part.shape.normals(local)) / size
            footprint = ray_footprint(hits[rays], directions[rays], normals[rays], focal_px) / size
            albedo[rays] = look_up(scene.atlas, number, on_cube(part.shape, local), footprint)
    return Surfaces(points, normals, albedo)


def on_cube(shape: Shape, local: Float[Tensor, "ray xyz=3"]) -> Float[Tensor, "ray xyz=3"]:
    """Cube coordinates, kept on the cube against rounding."""
    return shape.cube(local).clamp(-1, 1)


def ray_footprint(
    hits: Hits, directions: Float[Tensor, "ray xyz=3"], normals: Float[Tensor, "ray xyz=3"], focal_px: float
) -> Float[Tensor, "ray"]:
    """Size of a sample on the surface; between its two axes where the surface is seen from the side."""
    length = directions.norm(dim=-1)
    facing = ((directions * normals).sum(-1).abs() / length).clamp(min=0.05)
    return 0.6 * hits.depth * length / focal_px / facing.sqrt()


def shade(
    scene: LitScene,
    world_from_part: Float[Tensor, "part 4 4"],
    world_from_object: Float[Tensor, "object 4 4"],
    surfaces: Surfaces,
    lamp: Float[Tensor, "xyz=3"],
) -> Float[Tensor, "ray rgb=3"]:
    """Linear light that leaves the surfaces."""
    light = scene.lighting
    sky = 0.5 + 0.5 * surfaces.normals @ light.sky
    soft = light.ambient_colour + sky[:, None] * light.sky_colour
    if not scene.shadows:
        key = (surfaces.normals @ (lamp / lamp.norm())).clamp(min=0)
        return surfaces.albedo * (key[:, None] * light.lamp_colour + soft)
    to_lamp = lamp - surfaces.points
    distance = to_lamp.norm(dim=-1)
    facing = ((to_lamp * surfaces.normals).sum(-1) / distance).clamp(min=0)
    lifted = surfaces.points + 2e-3 * surfaces.normals
    lit = (~blocked(scene.parts, world_from_part, lifted, lamp.expand_as(lifted))).float()
    key = facing * lit / (0.5 + 0.5 * (distance / light.lamp.norm()) ** 2)
    open_air = openness(scene.parts, world_from_part, world_from_object, surfaces)
    return surfaces.albedo * (key[:, None] * light.lamp_colour + open_air[:, None] * soft)


def openness(
    parts: Sequence[Part],
    world_from_part: Float[Tensor, "part 4 4"],
    world_from_object: Float[Tensor, "object 4 4"],
    surfaces: Surfaces,
) -> Float[Tensor, "ray"]:
    """Share of the soft light that reaches a point: less in the room's corners and where a part is near.

    A part counts as a ball of its mean radius, whose cover of the sky above a surface has a closed form.
    """
    share = torch.ones(len(surfaces.points), device=surfaces.points.device)
    for number, part in enumerate(parts):
        if part.shape.inside:
            local = move(similarity_inverse(world_from_part[number]), surfaces.points)
            gap = (local.new_tensor(part.shape.half_extent) - local.abs()).clamp(min=0).sort(-1).values
            share = share * (1 - 0.35 * torch.exp(-gap[:, 1] / 0.5))
        elif part.object_id > 0:
            radius = float(sum(part.shape.half_extent)) / 3
            towards = world_from_part[number, :3, 3] - surfaces.points
            distance = towards.norm(dim=-1).clamp(min=radius)
            above = ((towards * surfaces.normals).sum(-1) / distance).clamp(min=0)
            share = share * (1 - 0.8 * above * (radius / distance) ** 2)
    return share


def srgb(linear: Float[Tensor, "*batch rgb=3"]) -> Float[Tensor, "*batch rgb=3"]:
    """Linear light as sRGB values in [0, 1] (IEC 61966-2-1)."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055)
