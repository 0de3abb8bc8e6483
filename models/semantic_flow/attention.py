"""Flow attention over the tokens of a trajectory, and the semantic network behind it. Both are shared by all scenes."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from models.ops.constants import constant
from models.ops.networks import perceptron

Head = Literal["flow_attention", "flow_features", "untrained_attention", "point"]
WIDTH, HEADS, INNER = 64, 4, 64
FREQUENCIES = 4


def encoded(values: Float[Tensor, "*batch channel"]) -> Float[Tensor, "*batch encoded"]:
    """Values with their sines and cosines at octaves (NeRF, eq. 4, without pi)."""
    octaves = constant(tuple(2.0**octave for octave in range(FREQUENCIES)), values)
    phases = (values[..., None] * octaves).flatten(-2)
    return torch.cat([values, phases.sin(), phases.cos()], dim=-1)


def encoded_size(channels: int) -> int:
    return channels * (1 + 2 * FREQUENCIES)


class FlowAttention(nn.Module):
    """Semantic Flow's flow attention: over a trajectory's tokens, residual and normalised.

    Unlike in the released code it is trained, hidden tokens are not attended to, and heads are 16 wide instead of 4.

    It is written out, and sums in one order: for so few tokens that is faster on CPUs than the library's attention, which took
    half of an H100's time; this one has not been timed there.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.project = perceptron([WIDTH, 3 * INNER], generator)
        self.merge = perceptron([INNER, WIDTH], generator)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6, device=generator.device)

    def forward(
        self, tokens: Float[Tensor, "point token channel"], visible: Bool[Tensor, "point token"]
    ) -> Float[Tensor, "point token channel"]:
        points, count = tokens.shape[:2]
        query, key, value = self.project(tokens).view(points, count, 3, HEADS, INNER // HEADS).unbind(2)
        alike = (query[:, :, None] * key[:, None]).sum(-1) * (INNER // HEADS) ** -0.5
        attention = alike.masked_fill(~visible[:, None, :, None], -torch.inf).softmax(2)
        attended = (attention[..., None] * value[:, None]).sum(2)
        return self.norm(tokens + self.merge(attended.flatten(2)))


class SemanticHead(nn.Module):
    """Semantic Flow's semantic network: logits of classes, from the features and displacements along points' trajectories.

    `point` is the baseline of dynamic radiance fields: a network on the point's own place, time and field features.
    """

    def __init__(
        self,
        kind: Head,
        features: int,
        tokens: int,
        point_features: int,
        classes: int,
        displacement: bool,
        geometry_feature: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.kind, self.displacement, self.geometry_feature = kind, displacement, geometry_feature
        self.embed = perceptron([features + encoded_size(4), WIDTH], generator)
        self.attention = FlowAttention(generator)
        self.absent = nn.Parameter(torch.zeros(WIDTH, device=generator.device))
        point_size = point_features + encoded_size(4)
        flow_size = tokens * WIDTH + (point_features if geometry_feature else 0)
        self.network = perceptron([point_size if kind == "point" else flow_size, 128, 64, classes], generator)
        if kind == "untrained_attention":
            self.attention.requires_grad_(False)

    @property
    def needs_tokens(self) -> bool:
        return self.kind != "point"

    def tokens(
        self,
        features: Float[Tensor, "point token channel"],
        displacement: Float[Tensor, "point token xyzt=4"],
        visible: Bool[Tensor, "point token"],
    ) -> Float[Tensor, "point token width"]:
        """Tokens after attention (or before, where it is left out); those hidden are all alike."""
        moved = encoded(displacement if self.displacement else torch.zeros_like(displacement))
        tokens = self.embed(torch.cat([features, moved], dim=-1))
        if self.kind != "flow_features":
            tokens = self.attention(tokens, visible)
        return torch.where(visible[..., None], tokens, self.absent)

    def from_trajectory(
        self, tokens: Float[Tensor, "point token width"], point_features: Float[Tensor, "point feature"]
    ) -> Float[Tensor, "point classes"]:
        flat = tokens.flatten(1)
        return self.network(torch.cat([flat, point_features], dim=1) if self.geometry_feature else flat)

    def from_point(
        self, point: Float[Tensor, "point xyzt=4"], point_features: Float[Tensor, "point feature"]
    ) -> Float[Tensor, "point classes"]:
        return self.network(torch.cat([point_features, encoded(point * torch.pi)], dim=1))
