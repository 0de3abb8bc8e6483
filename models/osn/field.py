"""A static object as a field: TensoRF's vector-matrix factors for density (summed) and for colour (a basis mixes them).

The density at the grid's nodes is three small matrix products, and trilinear interpolation of those nodes is exactly
the sum of bilinear planes times linear vectors. So density is read from a dense grid made anew at each step, with one
value a node instead of three planes' channels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.osn.interpolation import AXES, interpolate_volume, planes_times_lines

INITIAL_FACTOR = 0.1


class VmField(nn.Module):
    """Density and colour features of one object on the unit cube: TensoRF, sec. 3 and 4.

    Colour leaves the network per sample: features are summed along the ray first, see `shading`.
    """

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
        # Features where the planes are empty: more or less the object's mean colour.
        self.tint = nn.Parameter(torch.zeros(features, device=generator.device))

    def density_logits(self) -> Float[Tensor, "x y z"]:
        """Density before its activation, at every node."""
        return self.density_slab(0, self.resolution[0])

    def density_slab(self, start: int, stop: int) -> Float[Tensor, "slab y z"]:
        """The same for some nodes along the first axis."""
        xy, xz, yz = self.density_planes
        z, y, x = self.density_lines
        rows, (_, ny, nz) = stop - start, self.resolution
        from_yz = (x.T[start:stop] @ yz.flatten(1)).view(rows, ny, nz)
        left = torch.cat([y.T.expand(rows, -1, -1), xy[:, start:stop].permute(1, 2, 0)], dim=2)
        right = torch.cat([xz[:, start:stop].permute(1, 0, 2), z.expand(rows, -1, -1)], dim=1)
        return torch.baddbmm(from_yz, left, right) + self.density_shift

    def colour_features(self, points: Float[Tensor, "xyz=3 point"]) -> Float[Tensor, "point channel"]:
        """Features of colour at points of the unit cube, before any activation."""
        products = planes_times_lines(list(self.colour_planes), list(self.colour_lines), points, self.resolution)
        return products @ self.basis + self.tint

    def upsampled(self, resolution: Sequence[int], generator: torch.Generator) -> "VmField":
        """The same field on a finer grid."""
        shape = self.density_channels, self.colour_channels, self.basis.shape[1]
        finer = VmField(resolution, *shape, self.density_shift, generator)
        with torch.no_grad():
            finer.basis.copy_(self.basis)
            finer.tint.copy_(self.tint)
            for i, (a, b, c) in enumerate(AXES):
                old, new = (self.resolution[a], self.resolution[b]), (finer.resolution[a], finer.resolution[b])
                finer.density_planes[i].copy_(resized_plane(self.density_planes[i], new))
                finer.density_lines[i].copy_(resized_line(self.density_lines[i], finer.resolution[c]))
                plane = self.colour_planes[i].T.unflatten(1, old)
                finer.colour_planes[i].copy_(resized_plane(plane, new).flatten(1).T)
                finer.colour_lines[i].copy_(resized_line(self.colour_lines[i].T, finer.resolution[c]).T)
        return finer

    def factor_gradients(
        self, gradient: Float[Tensor, "x y z"], number: int
    ) -> tuple[Float[Tensor, "channel a b"], Float[Tensor, "channel c"]]:
        """Gradients of one density plane and its line, from that of the density at all nodes.

        Laid out in memory as their parameters are: PyTorch's fused optimisers on CPU take them element by element as they
        lie, whatever their strides say.
        """
        plane, line = self.density_planes[number].detach(), self.density_lines[number].detach()
        if number == 0:  # plane xy, line z
            rows = gradient.view(-1, gradient.shape[2])
            return (rows @ line.T).T.contiguous().view_as(plane), plane.flatten(1) @ rows
        if number == 1:  # plane xz, line y
            by_line = torch.bmm(gradient, plane.permute(1, 2, 0)).sum(0).T
            return torch.matmul(line, gradient).transpose(0, 1).contiguous(), by_line.contiguous()
        rows = gradient.flatten(1)
        return (line @ rows).view_as(plane), plane.flatten(1) @ rows.T

    def variation_gradients(self, number: int) -> list[tuple[nn.Parameter, Float[Tensor, "..."]]]:
        """Gradients of TensoRF's total variation of one plane of density and of colour: mean squared difference of neighbours.

        Written out, because a graph over every node of every plane costs several times as much.
        """
        a, b, _ = AXES[number]
        density, colour = self.density_planes[number], self.colour_planes[number]
        image = colour.detach().unflatten(0, (self.resolution[a], self.resolution[b]))
        return [
            (density, variation_gradient(density.detach(), (1, 2))),
            (colour, variation_gradient(image, (0, 1)).flatten(0, 1)),
        ]


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
    return F.softplus(interpolate_volume(logits, points))
