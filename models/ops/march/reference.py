"""Marching by tensor operations, all bins of all objects at once."""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.compaction import places
from models.ops.constants import constant
from models.ops.contract_points.reference import contracted

SHELL_END = 0.97  # the last shell sample lies 1 / (1 - 0.97) = 33 boxes away; what is beyond is the far colour's
TINY = 1e-6


def shell_edges(bins: int, dtype: torch.dtype, device: torch.device | None = None) -> Float[Tensor, "edge"]:
    """Borders of the shell's bins, as multiples of the box: even in inverse distance."""
    return 1 / (1 - torch.linspace(0, SHELL_END, bins + 1, dtype=dtype, device=device))


@lru_cache(maxsize=64)
def bin_tables(
    inner: tuple[int, ...], outer: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> list[Float[Tensor, "object 1 bin"]]:
    """What makes depths and lengths of bins: start and length of bins in the box, start, length, optical length in the shell."""
    bins = max(i + o for i, o in zip(inner, outer, strict=True))
    tables = torch.zeros(5, len(inner), 1, bins, dtype=dtype)
    for k, (inside, beyond) in enumerate(zip(inner, outer, strict=True)):
        tables[0, k, 0] = torch.arange(bins, dtype=dtype).clamp(max=inside) / inside
        tables[1, k, 0, :inside] = 1 / inside
        edges = shell_edges(beyond, dtype) if beyond else torch.ones(1, dtype=dtype)
        part = slice(inside, inside + beyond)
        tables[2, k, 0, part] = edges[:-1] - 1
        tables[3, k, 0, part] = edges.diff()
        tables[4, k, 0, part] = edges.diff() / (edges[:-1] * edges[1:])
    return list(tables.to(device).unbind(0))


def box_intervals(
    boxes: Float[Tensor, "object number=8"],
    near: Float[Tensor, "object"],
    origins: Float[Tensor, "object ray xyz=3"],
    directions: Float[Tensor, "object ray xyz=3"],
) -> tuple[Float[Tensor, "object ray"], Float[Tensor, "object ray"]]:
    """Where rays enter and leave their objects' boxes; before they enter, where they miss."""
    along = torch.where(directions.abs() < TINY, TINY, directions)
    start, half = boxes[:, None, :3] - origins, boxes[:, None, 3:6]
    one, other = (start - half) / along, (start + half) / along
    enter = torch.maximum(torch.minimum(one, other).amax(-1), near[:, None])
    return enter, torch.maximum(one, other).amin(-1)


def densities(
    volumes: Float[Tensor, "object x y z"],
    last: Float[Tensor, "object xyz=3"],
    boxes: Float[Tensor, "object number=8"],
    points: Float[Tensor, "xyz=3 object ray bin"],
    bounded: bool,
) -> Float[Tensor, "object ray bin"]:
    """Density of each object at its own points; where it is `bounded`, only in its box or shell."""
    numbers = boxes.T[..., None, None]
    placed = (points - numbers[:3]) / numbers[3:6]
    cube = contracted(placed, numbers[6], numbers[7])[0].clamp(0, 1)
    whole = constant(tuple(size - 1 for size in volumes.shape[1:]), last)
    place = cube * (2 * last / whole).T[..., None, None] - 1
    nodes = volumes.transpose(1, 3)[:, None]  # grid_sample names the last axis first
    logits = F.grid_sample(nodes, place.permute(1, 2, 3, 0)[:, None], align_corners=True, padding_mode="border")
    density = F.softplus(logits.view(points.shape[1:]))
    return density * ((placed.abs().amax(0) <= 1) | (numbers[7] == 0)) if bounded else density


def march(
    volumes: Float[Tensor, "object x y z"],
    last: Float[Tensor, "object xyz=3"],
    boxes: Float[Tensor, "object number=8"],
    near: Float[Tensor, "object"],
    unit: Float[Tensor, "object"],
    origins: Float[Tensor, "object ray xyz=3"],
    directions: Float[Tensor, "object ray xyz=3"],
    present: Bool[Tensor, "object ray"],
    jitter: Float[Tensor, "object ray"],
    reach: Float[Tensor, "*reach"],
    inner: Sequence[int],
    outer: Sequence[int],
    scale: float,
    least: float,
    most: int,
) -> tuple[Int64[Tensor, "sample"], Int64[Tensor, "sample"], Float[Tensor, "sample"], Float[Tensor, "sample"]]:
    """The samples that matter: ray, object, depth, optical length, in order of ray, object and depth."""
    objects, rays = present.shape
    start, share, first, beyond, contracted_length = bin_tables(
        tuple(inner), tuple(outer), origins.dtype, origins.device
    )
    enter, leave = reach[..., :2].unbind(-1) if reach.numel() else box_intervals(boxes, near, origins, directions)
    hit = (leave > enter) & present
    span, offset = torch.where(hit, leave - enter, 0)[..., None], jitter[..., None]
    to_shell = 1 / (directions / boxes[:, None, 3:6]).abs().amax(-1, keepdim=True)
    depth = enter[..., None] + span * (start + share * offset) + to_shell * (first + beyond * offset)
    to_unit = directions.norm(dim=-1) / unit[:, None] * (reach[..., 2] if reach.numel() else 1)
    length = (span * share + to_shell * contracted_length) * to_unit[..., None]
    points = origins.permute(2, 0, 1)[..., None] + depth * directions.permute(2, 0, 1)[..., None]
    density = densities(volumes, last, boxes, points, bool(reach.numel()))
    kept = (solo_weights(density * (scale * length)) > least) & hit[..., None]
    place, filled = places(kept.transpose(0, 1).flatten(), most if most > 0 else None)
    bins = depth.shape[2]
    pair, bin_number = place // bins, place % bins
    ray, owner = pair // objects, pair % objects
    flat = (owner * rays + ray) * bins + bin_number
    return torch.where(filled, ray, rays), owner, depth.flatten()[flat] * filled, length.flatten()[flat] * filled


def solo_weights(optical_depth: Float[Tensor, "*ray bin"]) -> Float[Tensor, "*ray bin"]:
    """Weight of each sample in ordinary volume rendering (NeRF, eq. 3), samples in order of depth."""
    through = optical_depth.cumsum(dim=-1)
    return torch.exp(optical_depth - through) - torch.exp(-through)
