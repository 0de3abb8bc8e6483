"""The reference body of NSFF and DynNeRF: for each part a network of eight layers of width 256 (NeRF, fig. 7).

Place and time go in with sines and cosines of ten octaves, the view with those of four. Heads are linear in the last
layer's output; colour has one more layer that sees the view.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.baselines.field import RayPoints, seeded_linear
from models.baselines.scene_flow_field import (
    DENSITY_SHIFT,
    FLOWS,
    HIDDEN,
    INITIAL_MOTION,
    Motion,
    MovingPart,
    Optics,
    Part,
    SceneFlowSizes,
    motion_of,
)
from models.ops.networks import encoded, encoded_size

LAYERS, WIDTH, SKIP = 8, 256, 5  # the layer that sees the input again
OCTAVES, VIEW_OCTAVES, VIEW_WIDTH = 10, 4, 128


class Trunk(nn.Module):
    """Layers with ReLU, one of which sees the encoded input again."""

    def __init__(self, inputs: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoded_size = encoded_size(inputs, OCTAVES)
        fan_in = [self.encoded_size] + [WIDTH + (self.encoded_size if n == SKIP else 0) for n in range(1, LAYERS)]
        self.layers = nn.ModuleList([seeded_linear(size, WIDTH, generator) for size in fan_in])

    def forward(self, inputs: Float[Tensor, "point input"]) -> Float[Tensor, "point width"]:
        place = encoded(inputs, OCTAVES)
        hidden = place
        for number, layer in enumerate(self.layers):
            hidden = F.relu(layer(torch.cat([place, hidden], dim=1) if number == SKIP else hidden))
        return hidden


class NetworkPart(Part):
    """What both parts have of network: trunk, density, blending where it is theirs, and colour."""

    def __init__(self, sizes: SceneFlowSizes, inputs: int, blends: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.sizes = sizes
        self.trunk = Trunk(inputs, generator)
        self.to_density = seeded_linear(WIDTH, 1, generator)
        self.to_blend = seeded_linear(WIDTH, 1, generator) if blends else None
        self.before_view = seeded_linear(WIDTH, WIDTH, generator)
        self.after_view = seeded_linear(WIDTH + encoded_size(3, VIEW_OCTAVES), VIEW_WIDTH, generator)
        self.to_colour = seeded_linear(VIEW_WIDTH, 3, generator)

    def inputs(self, points: RayPoints) -> Float[Tensor, "point input"]:
        return points.flat

    def optics(self, points: RayPoints) -> Optics:
        hidden, shape = self.trunk(self.inputs(points)), points.coordinates.shape[:2]
        blend = torch.sigmoid(self.to_blend(hidden)).view(shape) if self.to_blend is not None else None
        return Optics(F.softplus(self.to_density(hidden) + DENSITY_SHIFT).view(shape), blend, hidden)

    def colour(
        self, points: RayPoints, chosen: Int64[Tensor, "chosen"], known: Tensor | None
    ) -> Float[Tensor, "chosen rgb=3"]:
        assert known is not None, "optics gives what is known of every sample"
        ray = torch.div(chosen, points.coordinates.shape[1], rounding_mode="floor")
        seen = torch.cat([self.before_view(known[chosen]), encoded(points.views, VIEW_OCTAVES)[ray]], dim=1)
        return torch.sigmoid(self.to_colour(F.relu(self.after_view(seen))))

    def resize(self, stage: int) -> None:
        """Networks have no grids."""

    def penalty(self) -> Float[Tensor, ""]:
        return torch.zeros((), device=self.to_density.weight.device)

    def rates(self) -> Mapping[str, float]:
        return {name: self.sizes.network_lr for name, _ in self.named_children()}


class StaticNetwork(NetworkPart):
    """A network of place and view."""

    def __init__(self, sizes: SceneFlowSizes, generator: torch.Generator) -> None:
        super().__init__(sizes, 3, sizes.static_blends, generator)


class DynamicNetwork(NetworkPart, MovingPart):
    """A network of place, time and view, with the heads of motion."""

    def __init__(self, sizes: SceneFlowSizes, generator: torch.Generator) -> None:
        super().__init__(sizes, 4, not sizes.static_blends, generator)
        self.to_motion = seeded_linear(WIDTH, FLOWS + (HIDDEN if sizes.knows_hidden else 0), generator)
        with torch.no_grad():
            self.to_motion.weight[:FLOWS].mul_(INITIAL_MOTION)

    def inputs(self, points: RayPoints) -> Float[Tensor, "point input"]:
        return torch.cat([points.flat, points.flat_times[:, None]], dim=1)

    def motion(self, points: RayPoints, known: Tensor | None) -> Motion:
        assert known is not None, "optics gives what is known of every sample"
        return motion_of(self.to_motion(known), len(points.times), self.sizes.knows_hidden)
