"""Procedural textures: patterns with detail at every scale, painted on the six faces of a cube.

Patterns are functions of the surface point itself (and bricks and planks of its place on the face), so that a ball's
pattern has no seams. They are painted once, with coarser copies, and looked up at the size that a ray's footprint asks
for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from models.rays import TensorFields
from models.simulation.ray_casting import Shape

Pattern = Callable[["Canvas", "Paint"], Float[Tensor, "point rgb=3"]]
LATTICE = 32


@dataclass(frozen=True)
class Paint:
    """How to paint a face: pattern, colours, sizes of its features and of the finest detail, and contrast."""

    pattern: str
    palette: Float[Tensor, "colour rgb=3"]
    feature: float
    finest: float
    contrast: float
    noise: Float[Tensor, "channel lattice lattice lattice"]


@dataclass(frozen=True)
class Canvas:
    """Surface points of one face, in the shape's frame, and their place on the face (metric)."""

    points: Float[Tensor, "point xyz=3"]
    uv: Float[Tensor, "point uv=2"]


@dataclass(frozen=True)
class Atlas(TensorFields):
    """All faces of all shapes at all levels of coarseness, in one list of texels.

    Face f of shape s has row 6 s + f. Level 0 is the finest; each next one has half the width and height.
    """

    texels: Float[Tensor, "texel rgb=3"]
    starts: Int64[Tensor, "face level"]
    heights: Int64[Tensor, "face level"]
    widths: Int64[Tensor, "face level"]
    texel_size: Float[Tensor, ""]


def random_lattice(generator: torch.Generator) -> Float[Tensor, "channel lattice lattice lattice"]:
    """Random values on a periodic lattice, from which all noise is interpolated."""
    return torch.rand((4, LATTICE, LATTICE, LATTICE), generator=generator)


def smooth_noise(
    lattice: Float[Tensor, "channel lattice lattice lattice"], points: Float[Tensor, "point xyz=3"]
) -> Float[Tensor, "point channel"]:
    """Noise in [0, 1] that varies over distances of about 1."""
    padded = torch.nn.functional.pad(lattice[None], (0, 1, 0, 1, 0, 1), mode="circular")
    grid = (points % LATTICE) * (2 / LATTICE) - 1
    return grid_sample(padded, grid[None, None, None], align_corners=True)[0, :, 0, 0].T


def detail(paint: Paint, points: Float[Tensor, "point xyz=3"]) -> Float[Tensor, "point channel"]:
    """Noise about 0 with octaves from the coarse to fine, each with 0.8 of the last one's strength."""
    size, strength, total = paint.feature * 2, 1.0, 0.0
    result = torch.zeros(len(points), 4, device=points.device)
    octave = 0
    while size >= paint.finest:
        result += strength * (smooth_noise(paint.noise, points / size + 7.3 * octave) - 0.5)
        total += strength**2
        size, strength, octave = size / 2, strength * 0.8, octave + 1
    return result / max(total, 1e-9) ** 0.5


def blend(palette: Float[Tensor, "colour rgb=3"], amount: Float[Tensor, "point"]) -> Float[Tensor, "point rgb=3"]:
    """Colours along the palette, amount in [0, 1]."""
    place = amount.clamp(0, 1) * (len(palette) - 1)
    low = place.floor().clamp(max=len(palette) - 2)
    share = (place - low)[:, None]
    return palette[low.long()] * (1 - share) + palette[low.long() + 1] * share


def scramble(cells: Float[Tensor, "point axis"], channels: int) -> Float[Tensor, "point channel"]:
    """Values in [0, 1) that look random, the same for the same integer cell."""
    primes = cells.new_tensor([127.1, 311.7, 74.7])[: cells.shape[1]]
    seeds = (cells * primes).sum(-1, keepdim=True).double()
    turns = torch.arange(1, channels + 1, device=cells.device, dtype=torch.float64)
    return ((torch.sin(seeds + turns * 12.9898) * 43758.5453) % 1).float()


def camouflage(canvas: Canvas, paint: Paint) -> Float[Tensor, "point rgb=3"]:
    """Patches with sharp borders."""
    warped = canvas.points + paint.feature * (smooth_noise(paint.noise, canvas.points / paint.feature) - 0.5)[:, :3]
    height = smooth_noise(paint.noise, warped / paint.feature)[:, 3]
    band = ((height - 0.2) / 0.6 * len(paint.palette)).floor()
    return blend(paint.palette, (band * 0.618) % 1)


def cells(canvas: Canvas, paint: Paint) -> Float[Tensor, "point rgb=3"]:
    """Stones: cells of a jittered grid, with dark joints."""
    place = canvas.points / paint.feature
    first = torch.full((len(place),), torch.inf, device=place.device)
    second, owner = first.clone(), torch.zeros_like(place)
    for shift in torch.cartesian_prod(*[torch.arange(-1.0, 2.0, device=place.device)] * 3):
        cell = place.floor() + shift
        distance = (cell + scramble(cell, 3) - place).norm(dim=-1)
        nearer = distance < first
        second = torch.where(nearer, first, torch.minimum(second, distance))
        owner = torch.where(nearer[:, None], cell, owner)
        first = torch.minimum(first, distance)
    joint = ((second - first) / 0.12).clamp(0, 1)
    return blend(paint.palette, scramble(owner, 1)[:, 0]) * (0.45 + 0.55 * joint)[:, None]


def bricks(canvas: Canvas, paint: Paint) -> Float[Tensor, "point rgb=3"]:
    """Rows of bricks, each in its own colour, with joints."""
    row = (canvas.uv[:, 1] / paint.feature).floor()
    along = canvas.uv[:, 0] / (2.2 * paint.feature) + 0.5 * (row % 2)
    column = along.floor()
    edge = torch.stack([(along - column) * 2.2, (column + 1 - along) * 2.2], -1).amin(-1)
    across = canvas.uv[:, 1] / paint.feature - row
    joint = (torch.stack([edge, across, 1 - across], -1).amin(-1) / 0.07).clamp(0, 1)[:, None]
    colour = blend(paint.palette, scramble(torch.stack([row, column], -1), 1)[:, 0])
    return colour * joint + 0.35 * paint.palette.mean(0) * (1 - joint)


def planks(canvas: Canvas, paint: Paint) -> Float[Tensor, "point rgb=3"]:
    """Boards of different lengths with a grain along them."""
    row = (canvas.uv[:, 1] / paint.feature).floor()
    along = canvas.uv[:, 0] / (5 * paint.feature) + scramble(row[:, None], 1)[:, 0]
    board = torch.stack([row, along.floor()], -1)
    across = canvas.uv[:, 1] / paint.feature - row
    joint = (torch.stack([across, 1 - across], -1).amin(-1) / 0.06).clamp(0, 1)
    stretched = torch.stack([canvas.uv[:, 0] / 4, canvas.uv[:, 1], board.sum(-1)], -1) * (3 / paint.feature)
    grain = smooth_noise(paint.noise, stretched)[:, 0]
    amount = 0.7 * scramble(board, 1)[:, 0] + 0.3 * grain
    return blend(paint.palette, amount) * (0.5 + 0.5 * joint)[:, None]


def veins(canvas: Canvas, paint: Paint) -> Float[Tensor, "point rgb=3"]:
    """Marble: bands bent by noise."""
    bent = smooth_noise(paint.noise, canvas.points / paint.feature)[:, :2] * 2.5
    slope = canvas.points.new_tensor([0.8, 1.1, 0.6])
    phase = (canvas.points * slope).sum(-1) / paint.feature * 0.7 + bent[:, 0] + bent[:, 1]
    return blend(paint.palette, 0.5 + 0.5 * torch.sin(2 * torch.pi * phase / 1.6))


def plain(canvas: Canvas, paint: Paint) -> Float[Tensor, "point rgb=3"]:
    """One colour."""
    return paint.palette[:1].expand(len(canvas.points), 3)


PATTERNS: dict[str, Pattern] = {
    "camouflage": camouflage,
    "cells": cells,
    "bricks": bricks,
    "planks": planks,
    "veins": veins,
    "plain": plain,
}


def paint_face(canvas: Canvas, paint: Paint) -> Float[Tensor, "point rgb=3"]:
    """Linear colours of a face: the pattern, made lighter and darker (and a little tinted) at every scale."""
    if paint.contrast == 0:
        return PATTERNS[paint.pattern](canvas, paint)
    noise = detail(paint, canvas.points)
    tint = 1 + paint.contrast * (noise[:, :1] + 0.35 * noise[:, 1:])
    return (PATTERNS[paint.pattern](canvas, paint) * tint).clamp(0.02, 0.95)


def face_canvas(shape: Shape, face: int, height: int, width: int) -> Canvas:
    """Texel centres of face 0..5 (+x, -x, +y, -y, +z, -z) of a shape."""
    axis, sign = face // 2, 1.0 - 2.0 * (face % 2)
    v, u = torch.meshgrid(
        (torch.arange(height) + 0.5) / height * 2 - 1,
        (torch.arange(width) + 0.5) / width * 2 - 1,
        indexing="ij",
    )
    u, v = u.flatten(), v.flatten()
    cube = [u, v]
    cube.insert(axis, torch.full_like(u, sign))
    across, down = (shape.half_extent[other] for other in range(3) if other != axis)
    # The last coordinates that follow an axis: bricks lie along the longer way round only where y is the second one.
    uv = torch.stack([u * across, v * down], -1) if axis != 0 else torch.stack([v * down, u * across], -1)
    return Canvas(shape.surface(torch.stack(cube, -1)), uv)


def face_size(shape: Shape, face: int, texel_size: float) -> tuple[int, int]:
    """(height, width) of a face in texels."""
    across, down = (shape.half_extent[other] for other in range(3) if other != face // 2)
    height, width = (min(max(round(2 * half / texel_size), 4), 2048) for half in (down, across))
    return height, width


def paint_atlas(shapes: Sequence[Shape], paints: Sequence[Sequence[Paint]], texel_size: float) -> Atlas:
    """Paint every face of every shape, and its coarser copies; a shape has one paint, or one a face."""
    levels: list[list[Tensor]] = []
    for shape, own in zip(shapes, paints, strict=True):
        for face in range(6):
            height, width = face_size(shape, face, texel_size)
            colours = paint_face(face_canvas(shape, face, height, width), own[face % len(own)])
            levels.append(coarser_copies(colours.T.reshape(3, height, width)))
    deepest = max(len(copies) for copies in levels)
    padded = [copies + [copies[-1]] * (deepest - len(copies)) for copies in levels]
    sizes = torch.tensor([[copy.shape[1:] for copy in copies] for copies in padded])
    counts = (sizes[..., 0] * sizes[..., 1]).flatten()
    starts = (counts.cumsum(0) - counts).reshape(sizes.shape[:2])
    texels = torch.cat([copy.reshape(3, -1).T for copies in padded for copy in copies])
    return Atlas(texels, starts, sizes[..., 0], sizes[..., 1], torch.tensor(texel_size))


def coarser_copies(image: Float[Tensor, "rgb=3 height width"]) -> list[Tensor]:
    """The image and its halvings, until a side is 4 or less."""
    copies = [image]
    while min(copies[-1].shape[1:]) > 4:
        copies.append(avg_pool2d(copies[-1][None], 2, ceil_mode=True, count_include_pad=False)[0])
    return copies


def look_up(
    atlas: Atlas,
    shape_index: int,
    cube: Float[Tensor, "ray xyz=3"],
    footprint: Float[Tensor, "ray"],
) -> Float[Tensor, "ray rgb=3"]:
    """Linear colour at cube coordinates of one shape, averaged over a footprint (metric)."""
    axis = cube.abs().argmax(-1)
    sign = torch.gather(cube, 1, axis[:, None])[:, 0] < 0
    face = 6 * shape_index + 2 * axis + sign
    u = torch.where(axis == 0, cube[:, 1], cube[:, 0])
    v = torch.where(axis == 2, cube[:, 1], cube[:, 2])
    level = (footprint / atlas.texel_size).clamp(min=1).log2().clamp(max=atlas.starts.shape[1] - 1.001)
    fine, share = level.long(), (level % 1)[:, None]
    return bilinear(atlas, face, fine, u, v) * (1 - share) + bilinear(atlas, face, fine + 1, u, v) * share


def bilinear(
    atlas: Atlas,
    face: Int64[Tensor, "ray"],
    level: Int64[Tensor, "ray"],
    u: Float[Tensor, "ray"],
    v: Float[Tensor, "ray"],
) -> Float[Tensor, "ray rgb=3"]:
    """Colour between the four nearest texels of a face at one level; u and v in [-1, 1]."""
    start, height, width = (table[face, level] for table in (atlas.starts, atlas.heights, atlas.widths))
    x = ((u + 1) / 2 * width - 0.5).clamp(min=0).minimum(width - 1)
    y = ((v + 1) / 2 * height - 0.5).clamp(min=0).minimum(height - 1)
    left, top = x.long(), y.long()
    right, bottom = (left + 1).minimum(width - 1), (top + 1).minimum(height - 1)
    across, down = (x - left)[:, None], (y - top)[:, None]
    upper = atlas.texels[start + top * width + left].lerp(atlas.texels[start + top * width + right], across)
    lower = atlas.texels[start + bottom * width + left].lerp(atlas.texels[start + bottom * width + right], across)
    return upper.lerp(lower, down)
