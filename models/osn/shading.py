"""Colour that depends on the direction, once per ray and object instead of once per sample (as in SNeRG, MERF)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.osn.interpolation import Cells, interpolate_rows

CONTEXT = 9  # view direction and two axes of the world, all in the object's frame


class Shader(nn.Module):
    """What direction and light add to an object's colour.

    The light stays with the room while the object turns: the world's axes in the object's frame say whence it comes.
    """

    def __init__(self, features: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        device = generator.device
        self.first = nn.Parameter(
            torch.randn(features + CONTEXT, width, generator=generator, device=device)
            * (2 / (features + CONTEXT)) ** 0.5
        )
        self.first_bias = nn.Parameter(torch.zeros(width, device=device))
        self.second = nn.Parameter(torch.zeros(width, 3, device=device))

    def forward(
        self, features: Float[Tensor, "ray channel"], context: Float[Tensor, "ray context"]
    ) -> Float[Tensor, "ray rgb=3"]:
        hidden = torch.relu(torch.cat([features, context], dim=1) @ self.first + self.first_bias)
        return hidden @ self.second


def shaded_together(
    shaders: list[Shader],
    features: Float[Tensor, "object ray channel"],
    context: Float[Tensor, "object ray context"],
) -> Float[Tensor, "object ray rgb=3"]:
    """Every object's own shader on its own rays, as products of stacked matrices."""
    first, bias, second = (
        torch.stack([getattr(shader, name) for shader in shaders]) for name in ("first", "first_bias", "second")
    )
    return torch.bmm(torch.relu(torch.baddbmm(bias[:, None], torch.cat([features, context], dim=2), first)), second)


class FarColour(nn.Module):
    """The colour of what lies beyond everything, by direction in the world."""

    SIZE = (32, 64)

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(self.SIZE[0] * self.SIZE[1], 3, device=device))

    def forward(self, directions: Float[Tensor, "ray xyz=3"]) -> Float[Tensor, "ray rgb=3"]:
        x, y, z = nn.functional.normalize(directions, dim=1).unbind(1)
        latitude = torch.asin(y.clamp(-1, 1)) / torch.pi + 0.5
        longitude = torch.atan2(x, z) / (2 * torch.pi) + 0.5
        return torch.sigmoid(self.read(torch.stack([latitude, longitude])))

    def read(self, places: Float[Tensor, "axis=2 ray"]) -> Float[Tensor, "ray rgb=3"]:
        """The table at places in the unit square, before its activation."""
        if places.device.type == "cpu" or torch.are_deterministic_algorithms_enabled():
            return interpolate_rows(self.table, Cells.locate(places, self.SIZE))
        rows = self.table.view(1, *self.SIZE, 3).permute(0, 3, 1, 2)
        grid = (2 * places - 1).flip(0).T[None, None]  # grid_sample names columns first
        return nn.functional.grid_sample(rows, grid, align_corners=True, padding_mode="border")[0, :, 0].T
