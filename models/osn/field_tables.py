"""The factors of all objects' fields in a few tensors, so that one operation serves all objects: the way of GPUs.

The fields keep their own parameters, of sizes that differ. Here they are copied side by side (one copy for all objects),
and gradients are cut apart again without one. Factors of density are padded to the largest grid, where their product is
one matrix product for all objects; padded nodes are never read, and get no gradient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.ops.grid import LINE_AXES, PLANE_AXES
from models.ops.interpolate_vm import vm_table
from models.osn.field import VmField

Resolution = tuple[int, ...]
PADDED = "object pair=3 channel a b"


@dataclass(frozen=True)
class TableLayout:
    """Where things lie in the tables of objects with grids of given sizes; made once a device."""

    last: Float[Tensor, "object xyz=3"]  # last node of each axis
    table: Int64[Tensor, "object pair=3 entry=7"]  # of `interpolate_vm`
    plane_source: Int64[Tensor, "object pair=3 channel a b"]  # of each padded entry among all factors of density
    line_source: Int64[Tensor, "object pair=3 channel node"]
    padded_place: Int64[Tensor, "factor"]  # of each factor among the padded planes, followed by the padded lines
    along_first: Float[Tensor, "object pair=3 1 inner_a b"]  # weights of neighbours' differences
    along_second: Float[Tensor, "object pair=3 1 a inner_b"]
    neighbours: Int64[Tensor, "row five=5"]  # a row of colour and its neighbours, and the weights of their differences
    differences: Float[Tensor, "row five=5"]
    node_share: Float[Tensor, "object x y z"]  # 1 / the number of an object's nodes, 0 on padding
    largest: tuple[int, int, int]


@lru_cache(maxsize=16)
def table_layout(resolutions: tuple[Resolution, ...], channels: int, device: torch.device) -> TableLayout:
    """The layout for objects with grids of these sizes, whose density has so many channels."""
    largest = tuple(max(size[axis] for size in resolutions) for axis in range(3))
    a_most, b_most = max(largest[0], largest[1]), max(largest[1], largest[2])
    count = sum(
        channels * (size[a] * size[b] + size[c])
        for size in resolutions
        for (a, b), c in zip(PLANE_AXES, LINE_AXES, strict=True)
    )
    planes = torch.full((len(resolutions), 3, channels, a_most, b_most), count)  # a zero follows the factors
    lines = torch.full((len(resolutions), 3, channels, max(largest)), count)
    first, second = torch.zeros(len(resolutions), 3, 1, a_most - 1, b_most), torch.zeros_like(planes[:, :, :1]).float()
    second = second[..., 1:]
    shares = torch.zeros(len(resolutions), *largest)
    start = 0
    for k, size in enumerate(resolutions):
        for p, (a, b) in enumerate(PLANE_AXES):
            area = size[a] * size[b]
            numbers = start + torch.arange(channels * area)
            planes[k, p, :, : size[a], : size[b]] = numbers.view(channels, size[a], size[b])
            first[k, p, :, : size[a] - 1, : size[b]] = 2 / (channels * (size[a] - 1) * size[b])
            second[k, p, :, : size[a], : size[b] - 1] = 2 / (channels * size[a] * (size[b] - 1))
            start += channels * area
        for p, c in enumerate(LINE_AXES):
            lines[k, p, :, : size[c]] = (start + torch.arange(channels * size[c])).view(channels, size[c])
            start += channels * size[c]
        shares[k, : size[0], : size[1], : size[2]] = 1 / (size[0] * size[1] * size[2])
    places = torch.zeros(count + 1, dtype=torch.int64)
    places[torch.cat([planes.flatten(), lines.flatten()])] = torch.arange(planes.numel() + lines.numel())
    neighbours, differences = colour_neighbours(resolutions)
    last = torch.tensor(resolutions).float() - 1
    return TableLayout(
        last.to(device),
        vm_table(resolutions).to(device),
        planes.to(device),
        lines.to(device),
        places[:-1].to(device),
        first.to(device),
        second.to(device),
        neighbours.to(device),
        differences.to(device),
        shares.to(device),
        (largest[0], largest[1], largest[2]),
    )


def colour_neighbours(resolutions: Sequence[Resolution]) -> tuple[Int64[Tensor, "row five"], Float[Tensor, "row five"]]:
    """Each row of the colour planes with its four neighbours, and weights whose sum is the gradient of total variation.

    TensoRF's total variation: the mean squared difference of neighbours, without the mean over channels.
    """
    all_rows, all_weights, start = [], [], 0
    for size in resolutions:
        for a, b in PLANE_AXES:
            rows = (start + torch.arange(size[a] * size[b])).view(size[a], size[b])
            neighbours, weights = [], []
            for axis in (0, 1):
                inner = rows.numel() // size[(a, b)[axis]] * (size[(a, b)[axis]] - 1)
                for by in (1, -1):
                    neighbours.append(rows.roll(by, axis))
                    there = torch.full(rows.shape, 2.0 / inner)
                    there.select(axis, 0 if by == 1 else -1).zero_()
                    weights.append(-there)
            own = -torch.stack(weights).sum(0)
            all_rows.append(torch.stack([rows, *neighbours], dim=-1).view(-1, 5))
            all_weights.append(torch.stack([own, *weights], dim=-1).view(-1, 5))
            start += rows.numel()
    return torch.cat(all_rows), torch.cat(all_weights)


@dataclass(frozen=True)
class FieldTables:
    """Density at the nodes of all objects' padded grids, before its activation; and all rows of their colour's factors."""

    volumes: Float[Tensor, "object x y z"]
    planes: Float[Tensor, "row channel"]
    lines: Float[Tensor, "node channel"]
    layout: TableLayout

    def leaves(self) -> "FieldTables":
        """The same, of which gradients can be asked."""
        volumes, planes, lines = (
            tensor.detach().requires_grad_() for tensor in (self.volumes, self.planes, self.lines)
        )
        return FieldTables(volumes, planes, lines, self.layout)


def object_grid(
    grids: Sequence[Float[Tensor, "x y z"]] | FieldTables, resolution: Resolution, index: int
) -> Float[Tensor, "x y z"]:
    """One object's density at the nodes of its grid, before its activation, without a graph."""
    if isinstance(grids, FieldTables):
        x, y, z = resolution
        return grids.volumes[index, :x, :y, :z].detach()
    return grids[index].detach()


def layout_of(fields: Sequence[VmField]) -> TableLayout:
    resolutions = tuple(field.resolution for field in fields)
    return table_layout(resolutions, fields[0].density_channels, fields[0].basis.device)


def density_factors(fields: Sequence[VmField]) -> list[nn.Parameter]:
    """All factors of density, object by object: planes, then lines."""
    return [factor for field in fields for factor in (*field.density_planes, *field.density_lines)]


def padded_factors(
    fields: Sequence[VmField], layout: TableLayout
) -> tuple[Float[Tensor, "object pair=3 channel a b"], Float[Tensor, "object pair=3 channel node"]]:
    """Planes and lines of density, zero where an object's grid ends."""
    factors = [factor.detach().flatten() for factor in density_factors(fields)]
    flat = torch.cat([*factors, factors[0].new_zeros(1)])
    return flat[layout.plane_source], flat[layout.line_source]


def field_tables(fields: Sequence[VmField]) -> FieldTables:
    """All objects' tables, without a graph."""
    with torch.no_grad():
        layout = layout_of(fields)
        planes, lines = padded_factors(fields, layout)
        volumes = density_volumes(planes, lines, layout.largest) + fields[0].density_shift
        colour_planes = torch.cat([table for field in fields for table in field.colour_planes])
        colour_lines = torch.cat([table for field in fields for table in field.colour_lines])
        return FieldTables(volumes, colour_planes, colour_lines, layout)


def density_volumes(
    planes: Float[Tensor, "object pair=3 channel a b"],
    lines: Float[Tensor, "object pair=3 channel node"],
    size: tuple[int, int, int],
) -> Float[Tensor, "object x y z"]:
    """The sum of planes times lines at all nodes of all objects, in three products of matrices."""
    nx, ny, nz = size
    objects, _, channels = planes.shape[:3]
    z, y, x = lines[:, 0, :, :nz], lines[:, 1, :, :ny], lines[:, 2, :, :nx]
    xy = planes[:, 0, :, :nx, :ny].permute(0, 2, 3, 1).reshape(objects, nx * ny, channels)
    xz = planes[:, 1, :, :nx, :nz].transpose(1, 2).reshape(objects * nx, channels, nz)
    yz = planes[:, 2, :, :ny, :nz].reshape(objects, channels, ny * nz)
    by_y = y.mT[:, None].expand(-1, nx, -1, -1).reshape(objects * nx, ny, channels)
    total = torch.bmm(xy, z).view(objects * nx, ny, nz)
    total = torch.baddbmm(total, by_y, xz).view(objects, nx, ny * nz)
    return torch.baddbmm(total, x.mT, yz).view(objects, nx, ny, nz)


def factor_gradients(
    gradient: Float[Tensor, "object x y z"],
    planes: Float[Tensor, "object pair=3 channel a b"],
    lines: Float[Tensor, "object pair=3 channel node"],
) -> tuple[Float[Tensor, "object pair=3 channel a b"], Float[Tensor, "object pair=3 channel node"]]:
    """The transpose of `density_volumes`."""
    objects, nx, ny, nz = gradient.shape
    z, y, x = lines[:, 0, :, :nz], lines[:, 1, :, :ny], lines[:, 2, :, :nx]
    xy, yz = (planes[:, p, :, : s[0], : s[1]].flatten(2) for p, s in ((0, (nx, ny)), (2, (ny, nz))))
    xz = planes[:, 1, :, :nx, :nz].transpose(1, 2).reshape(objects * nx, -1, nz)
    by_z_rows, by_x_rows = gradient.view(objects, nx * ny, nz), gradient.view(objects, nx, ny * nz)
    slabs = gradient.view(objects * nx, ny, nz)
    by_plane, by_line = torch.zeros_like(planes), torch.zeros_like(lines)
    by_plane[:, 0, :, :nx, :ny] = torch.bmm(z, by_z_rows.mT).view(objects, -1, nx, ny)
    by_line[:, 0, :, :nz] = torch.bmm(xy, by_z_rows)
    y_by_slab = y[:, None].expand(-1, nx, -1, -1).reshape(objects * nx, -1, ny)
    by_plane[:, 1, :, :nx, :nz] = torch.bmm(y_by_slab, slabs).view(objects, nx, -1, nz).transpose(1, 2)
    by_line[:, 1, :, :ny] = torch.bmm(xz, slabs.mT).view(objects, nx, -1, ny).sum(1)
    by_plane[:, 2, :, :ny, :nz] = torch.bmm(x, by_x_rows).view(objects, -1, ny, nz)
    by_line[:, 2, :, :nx] = torch.bmm(yz, by_x_rows.mT)
    return by_plane, by_line


def add_variation(
    planes: Float[Tensor, "object pair=3 channel a b"],
    layout: TableLayout,
    weight: float,
    into: Float[Tensor, "object pair=3 channel a b"],
) -> None:
    """Add the gradient of the total variation of all planes of density."""
    for axis, shares in ((3, layout.along_first), (4, layout.along_second)):
        difference = planes.diff(dim=axis).mul_(shares * weight)
        inner = planes.shape[axis] - 1
        into.narrow(axis, 1, inner).add_(difference)
        into.narrow(axis, 0, inner).sub_(difference)


def set_gradients(
    fields: Sequence[VmField], tables: FieldTables, found: Sequence[Tensor], density: float, variation: float
) -> None:
    """From the gradients of the tables to those of the fields' own parameters, with what is asked of all factors.

    `density` weighs the mean density of each object's nodes, `variation` the total variation of all planes.
    """
    by_volume, by_plane, by_line = found
    layout = tables.layout
    planes, lines = padded_factors(fields, layout)
    if density:
        by_volume = torch.addcmul(by_volume, torch.sigmoid(tables.volumes.detach()), layout.node_share, value=density)
    by_factor = factor_gradients(by_volume, planes, lines)
    if variation:
        add_variation(planes, layout, variation / len(fields), by_factor[0])
        rows, channels = tables.planes.detach(), tables.planes.shape[1]
        shares = layout.differences * (variation / len(fields) / channels)
        by_plane = by_plane + F.embedding_bag(layout.neighbours, rows, per_sample_weights=shares, mode="sum")
    flat = torch.cat([part.flatten() for part in by_factor])[layout.padded_place]
    cut(density_factors(fields), flat)
    cut([table for field in fields for table in field.colour_planes], by_plane)
    cut([table for field in fields for table in field.colour_lines], by_line)


def cut(parameters: Sequence[nn.Parameter], gradient: Tensor) -> None:
    """Give each parameter its stretch of a gradient: a view, laid out as the parameter is."""
    rows = [parameter.numel() // gradient[0].numel() for parameter in parameters]
    for parameter, part in zip(parameters, gradient.split(rows), strict=True):
        parameter.grad = part.view_as(parameter)
