"""OSN's object scale network: which scale vectors explain the video."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

SHIFT = 1.0  # at first nearly everything is valid
WIDTH, LAYERS = 64, 4


class ScaleNetwork(nn.Module):
    """From normalised scales of the moving objects to a validity score: OSN's sizes and shift."""

    def __init__(self, scale_range: Float[Tensor, "object bound=2"], generator: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("low", scale_range[:, 0].clone())
        self.register_buffer("width", (scale_range[:, 1] - scale_range[:, 0]).clamp(min=0))
        sizes = [len(scale_range) - 1] + [WIDTH] * LAYERS + [1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            start = torch.randn(inputs, outputs, generator=generator, device=scale_range.device)
            self.weights.append(nn.Parameter(start * (2 / inputs) ** 0.5 * (0.1 if outputs == 1 else 1.0)))
            self.biases.append(nn.Parameter(torch.zeros(outputs, device=scale_range.device)))

    low: Float[Tensor, "object"]
    width: Float[Tensor, "object"]

    def scales(self, normalised: Float[Tensor, "sample moving"]) -> Float[Tensor, "sample object"]:
        """Scale vectors of points of the unit cube; the background's scale is 1."""
        return torch.cat([torch.ones_like(normalised[:, :1]), self.low[1:] + normalised * self.width[1:]], dim=1)

    def normalised(self, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample moving"]:
        return (scales[:, 1:] - self.low[1:]) / self.width[1:].clamp(min=1e-6)

    def logits(self, normalised: Float[Tensor, "sample moving"]) -> Float[Tensor, "sample"]:
        hidden = 2 * normalised - 1
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = torch.relu(hidden @ weight + bias)
        return (hidden @ self.weights[-1] + self.biases[-1])[:, 0] + SHIFT

    def forward(self, normalised: Float[Tensor, "sample moving"]) -> Float[Tensor, "sample"]:
        """Validity in [0, 1]."""
        return torch.sigmoid(self.logits(normalised))


@dataclass(frozen=True)
class NetworkTraining:
    """Valid is what explains at most `tolerance` less than the best, and the best `top_share` in any case."""

    steps: int
    batch: int
    loss: Literal["cross_entropy", "squared"]
    tolerance: float
    top_share: float


def valid_targets(accuracy: Float[Tensor, "sample"], tolerance: float, top_share: float) -> Bool[Tensor, "sample"]:
    """Valid: nearly as good as the best, and the best few in any case.

    The official code compares with a fixed accuracy; where masks or fields are imperfect nothing reaches it.
    """
    ordered = accuracy.sort(descending=True).values
    least_of_top = ordered[max(0, round(top_share * len(ordered)) - 1)]
    return (accuracy >= ordered[0] - tolerance) | (accuracy >= least_of_top)


def train_network(
    network: ScaleNetwork,
    optimiser: torch.optim.Optimizer,
    bank: Float[Tensor, "sample moving"],
    accuracy: Float[Tensor, "sample"],
    training: NetworkTraining,
    generator: torch.Generator,
) -> float:
    """Teach the network which vectors of the bank are valid; returns the last loss.

    OSN has binary cross-entropy in the paper, squared errors in the released code.
    """
    target = valid_targets(accuracy, training.tolerance, training.top_share).float()
    value = float("nan")
    for _ in range(training.steps):
        chosen = torch.randint(len(bank), (training.batch,), generator=generator, device=bank.device)
        logits = network.logits(bank[chosen])
        if training.loss == "cross_entropy":
            loss = nn.functional.binary_cross_entropy_with_logits(logits, target[chosen])
        else:
            loss = nn.functional.mse_loss(torch.sigmoid(logits), target[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        value = float(loss.detach())
    return value
