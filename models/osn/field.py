"""A static object as a field: TensoRF's vector-matrix factors for density and for colour.

The density at the grid's nodes is three small matrix products, and trilinear interpolation of those nodes is exactly
the sum of bilinear planes times linear vectors. So density is read from a dense grid made anew at each step, with one
value a node instead of three planes' channels, and the same grid says which cells are empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.osn.interpolation import Cells, interpolate_rows, interpolate_volume

EMPTY_DENSITY = 2e-4  # a cell whose density, before its scale, stays below is not sampled
AXES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))  # plane's first and second axis, line's axis
INITIAL_FACTOR = 0.1


@dataclass(frozen=True)
class DensityGrid:
    """Density of an object at its grid's nodes, before activation, and which cells are not empty."""

    logits: Float[Tensor, "x y z"]
    cells: Bool[Tensor, "x y z"]

    @staticmethod
    def of(logits: Float[Tensor, "x y z"]) -> "DensityGrid":
        with torch.no_grad():
            return DensityGrid(logits, occupied_cells(logits, EMPTY_DENSITY))


class VmField(nn.Module):
    """Density and colour features of one object on the unit cube."""

    def __init__(
        self,
        resolution: Sequence[int],
        density_channels: int,
        colour_channels: int,
        features: int,
        density_shift: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.resolution = tuple(int(size) for size in resolution)
        self.density_channels, self.colour_channels = density_channels, colour_channels
        self.density_shift = density_shift

        def factor(*shape: int) -> nn.Parameter:
            return nn.Parameter(INITIAL_FACTOR * torch.randn(shape, generator=generator, device=generator.device))

        sizes = [tuple(self.resolution[axis] for axis in axes) for axes in AXES]
        self.density_planes = nn.ParameterList([factor(density_channels, a, b) for a, b, _ in sizes])
        self.density_lines = nn.ParameterList([factor(density_channels, c) for _, _, c in sizes])
        self.colour_planes = nn.ParameterList([factor(a * b, colour_channels) for a, b, _ in sizes])
        self.colour_lines = nn.ParameterList([factor(c, colour_channels) for _, _, c in sizes])
        self.basis = nn.Parameter(
            torch.randn(3 * colour_channels, features, generator=generator, device=generator.device)
            / (3 * colour_channels) ** 0.5
        )

    def density_logits(self) -> Float[Tensor, "x y z"]:
        """Density before its activation, at every node."""
        xy, xz, yz = self.density_planes
        z, y, x = self.density_lines
        nx, ny, nz = self.resolution
        from_yz = (x.T @ yz.flatten(1)).view(nx, ny, nz)
        left = torch.cat([y.T.expand(nx, -1, -1), xy.permute(1, 2, 0)], dim=2)
        right = torch.cat([xz.permute(1, 0, 2), z.expand(nx, -1, -1)], dim=1)
        return torch.baddbmm(from_yz, left, right) + self.density_shift

    def colour_features(self, points: Float[Tensor, "xyz=3 point"]) -> Float[Tensor, "point channel"]:
        """Features of colour at points of the unit cube, before any activation."""
        cells = Cells.locate(points, self.resolution)
        products = [
            interpolate_rows(plane, cells.axes(a, b)) * interpolate_rows(line, cells.axes(c))
            for (a, b, c), plane, line in zip(AXES, self.colour_planes, self.colour_lines, strict=True)
        ]
        return torch.cat(products, dim=1) @ self.basis

    def upsampled(self, resolution: Sequence[int], generator: torch.Generator) -> "VmField":
        """The same field on a finer grid."""
        shape = self.density_channels, self.colour_channels, self.basis.shape[1]
        finer = VmField(resolution, *shape, self.density_shift, generator)
        with torch.no_grad():
            finer.basis.copy_(self.basis)
            for i, (a, b, c) in enumerate(AXES):
                old, new = (self.resolution[a], self.resolution[b]), (finer.resolution[a], finer.resolution[b])
                finer.density_planes[i].copy_(resized_plane(self.density_planes[i], new))
                finer.density_lines[i].copy_(resized_line(self.density_lines[i], finer.resolution[c]))
                plane = self.colour_planes[i].T.unflatten(1, old)
                finer.colour_planes[i].copy_(resized_plane(plane, new).flatten(1).T)
                finer.colour_lines[i].copy_(resized_line(self.colour_lines[i].T, finer.resolution[c]).T)
        return finer

    def variation_gradients(self) -> list[tuple[nn.Parameter, Float[Tensor, "..."]]]:
        """Gradients of the total variation: mean squared difference of neighbouring nodes, over all planes.

        Written out, because a graph over every node of every plane costs several times as much.
        """
        gradients = []
        for (a, b, _), density, colour in zip(AXES, self.density_planes, self.colour_planes, strict=True):
            size = self.resolution[a], self.resolution[b]
            gradients.append((density, variation_gradient(density.detach(), (1, 2))))
            image = colour.detach().unflatten(0, size)
            gradients.append((colour, variation_gradient(image, (0, 1)).flatten(0, 1)))
        return gradients


def variation_gradient(plane: Float[Tensor, "..."], axes: tuple[int, int]) -> Float[Tensor, "..."]:
    """Gradient of the mean squared difference of neighbours along two axes."""
    gradient = torch.zeros_like(plane)
    for axis in axes:
        last = plane.shape[axis] - 1
        difference = plane.diff(dim=axis)
        difference.mul_(2 / difference.numel())
        gradient.narrow(axis, 1, last).add_(difference)
        gradient.narrow(axis, 0, last).sub_(difference)
    return gradient


def resized_plane(
    plane: Float[Tensor, "channel a b"], size: tuple[int, int]
) -> Float[Tensor, "channel finer_a finer_b"]:
    return F.interpolate(plane[None], size=size, mode="bilinear", align_corners=True)[0]


def resized_line(line: Float[Tensor, "channel a"], size: int) -> Float[Tensor, "channel finer_a"]:
    return F.interpolate(line[None], size=size, mode="linear", align_corners=True)[0]


def density_at(logits: Float[Tensor, "x y z"], points: Float[Tensor, "xyz=3 point"]) -> Float[Tensor, "point"]:
    """Density at points of the unit cube: interpolated first, activated after, so that surfaces can be sharp."""
    return F.softplus(interpolate_volume(logits, Cells.locate(points, logits.shape)))


def occupied_cells(logits: Float[Tensor, "x y z"], least_density: float) -> Bool[Tensor, "x y z"]:
    """Cells in which the density exceeds a value anywhere: the largest of a cell's eight nodes says so exactly.

    Cell (i, j, k) starts at node (i, j, k); the last layer along each axis has no cell and repeats the one before.
    """
    largest = logits
    for axis in range(3):
        size = largest.shape[axis]
        upper = largest.narrow(axis, 1, size - 1)
        largest = torch.maximum(largest.narrow(axis, 0, size - 1), upper)
        largest = torch.cat([largest, largest.narrow(axis, size - 2, 1)], dim=axis)
    return largest > float(torch.tensor(least_density).expm1().log())


def cells_at(cells: Bool[Tensor, "x y z"], points: Float[Tensor, "xyz=3 *batch"]) -> Bool[Tensor, "*batch"]:
    """Whether the cell around each point is occupied."""
    row = torch.zeros_like(points[0], dtype=torch.int32)
    for size, position in zip(cells.shape, points, strict=True):
        row = row * size + (position.clamp(0, 1) * (size - 1)).int()
    return cells.flatten()[row]
