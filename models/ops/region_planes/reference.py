"""Products of planes in a region by tensor operations: one read of all planes, one of what they are multiplied with."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from models.ops.constants import constant
from models.ops.grid import LINE_AXES, PLANE_AXES
from models.ops.ordered_sums import read_gradients

BILINEAR, BORDER = 0, 1  # of grid_sample
TIME = 3  # the axis after those of space: of lines, whose only column it is, always 0


def contraction(
    points: Float[Tensor, "point xyz=3"], box: Float[Tensor, "number=7"]
) -> tuple[Float[Tensor, "point xyz=3"], Float[Tensor, "point 1"], Float[Tensor, "point 1"]]:
    """Points from the box's centre in its half extents; 1 / distance; and what brings them into [-1, 1].

    That of `models.ops.contract` in other words: with r = 1 / distance and the shell's share s of the grid it is r (1 - s r).
    """
    placed = (points - box[:3]) / box[3:6]
    inverse = torch.linalg.vector_norm(placed, torch.inf, dim=1, keepdim=True).clamp(min=1).reciprocal()
    return placed, inverse, torch.addcmul(inverse, inverse, inverse * box[6], value=-1)


def contraction_gradient(
    gradient: Float[Tensor, "point xyz=3"], points: Float[Tensor, "point xyz=3"], box: Float[Tensor, "number=7"]
) -> Float[Tensor, "point xyz=3"]:
    """Gradients of points from those of their places: the factor's own, and its change along the farthest coordinate."""
    placed, inverse, factor = contraction(points, box)
    slope = inverse * inverse * (2 * box[6] * inverse - 1)
    along = (gradient * placed).sum(1, keepdim=True) * slope * (inverse < 1)
    widest = placed.abs() == torch.linalg.vector_norm(placed, torch.inf, dim=1, keepdim=True)
    return (gradient * factor + along * widest * placed.sign()) / box[3:6]


def axes(times: Tensor, like: Tensor) -> Int64[Tensor, "row=12"]:
    """The rows of places that columns and rows of the three planes are read at, then those of their partners."""
    in_space = [axis for pair in PLANE_AXES for axis in pair]
    partners = [(along, TIME) if len(times) else (TIME, along) for along in LINE_AXES]
    return constant((*in_space, *(axis for pair in partners for axis in pair)), like)


def grids(
    points: Float[Tensor, "point xyz=3"],
    times: Float[Tensor, "time"],
    box: Float[Tensor, "number=7"],
    rate: float,
    start: float,
) -> Float[Tensor, "partner=2 pair=3 point 1 xy=2"]:
    """Where the planes, and their partners, are read, in [-1, 1]."""
    placed, _, factor = contraction(points, box)
    last = start + rate * times if len(times) else torch.zeros_like(points[:, 0])
    places = torch.cat([placed * factor, last[:, None]], dim=1)
    rows = axes(times, torch.empty(0, dtype=torch.int64, device=points.device))
    return places.T.index_select(0, rows).view(2, 3, 2, 1, -1).permute(0, 1, 4, 3, 2)


def bilinear(planes: Tensor, grid: Float[Tensor, "pair=3 point 1 xy=2"]) -> Float[Tensor, "pair=3 channel point 1"]:
    return F.grid_sample(planes, grid, align_corners=True, padding_mode="border")


def bilinear_gradients(
    wanted: Float[Tensor, "pair=3 channel point 1"],
    planes: Tensor,
    grid: Float[Tensor, "pair=3 point 1 xy=2"],
    by_grid: bool,
) -> tuple[Tensor, Float[Tensor, "pair=3 point 1 xy=2"]]:
    """Gradients of planes, and of the places if asked for."""
    if torch.are_deterministic_algorithms_enabled():
        by_planes, by_place = read_gradients(wanted[..., 0], planes, grid[:, :, 0], by_grid)
        return by_planes, by_place[:, :, None]
    backward = torch.ops.aten.grid_sampler_2d_backward
    return backward(wanted, planes, grid, BILINEAR, BORDER, True, [True, by_grid])


def region_planes(
    space: Float[Tensor, "pair=3 channel row column"],
    others: Float[Tensor, "pair=3 channel other_row other_column"],
    points: Float[Tensor, "point xyz=3"],
    times: Float[Tensor, "time"],
    box: Float[Tensor, "number=7"],
    rate: float,
    start: float,
) -> Float[Tensor, "point channels"]:
    """Products at points."""
    in_space, beside = grids(points, times, box, rate, start)
    return (bilinear(space, in_space) * bilinear(others, beside)).permute(2, 0, 1, 3).flatten(1)


def region_planes_backward(
    gradient: Float[Tensor, "point channels"],
    space: Tensor,
    others: Tensor,
    points: Tensor,
    times: Tensor,
    box: Tensor,
    rate: float,
    start: float,
    by_place: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the tables, and of the points where they are asked for."""
    in_space, beside = grids(points, times, box, rate, start)
    given = gradient.view(len(points), 3, -1).permute(1, 2, 0)[..., None]
    wanted = given * bilinear(others, beside), given * bilinear(space, in_space)
    (by_space, to_space), (by_other, to_other) = (
        bilinear_gradients(one, table, grid, by_place)
        for one, table, grid in zip(wanted, (space, others), (in_space, beside), strict=True)
    )
    if not by_place:
        return by_space, by_other, points.new_empty(0)
    slopes = torch.stack([to_space, to_other])[:, :, :, 0].permute(0, 1, 3, 2).reshape(12, len(points))
    rows = axes(times, torch.empty(0, dtype=torch.int64, device=points.device))
    by_axis = slopes.new_zeros(4, len(points)).index_add_(0, rows, slopes)
    return by_space, by_other, contraction_gradient(by_axis[:3].T, points, box)
