"""Gradients of a step whose rays are shared out among the cores.

The rays are split into a fixed number of shards, and what the shards leave is added in order: the result depends
neither on how many cores there are nor on which was faster.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.baselines.losses import Losses
from models.baselines.model import Baseline, Found
from models.ops.parallel import ParallelMap

ShardLosses = Callable[[int], tuple[Losses, Found]]
Left = tuple[Losses, Found | None, Sequence[Tensor | None]]


def accumulate_gradients(
    model: Baseline, losses_of: ShardLosses, shards: int, penalty: float, parallel_map: ParallelMap
) -> tuple[Losses, list[Found]]:
    """Add to the gradient of every parameter that learns; the losses, means over the shards, and the samples of each.

    `penalty` is the weight of the field's own regulariser in this step.
    """
    parameters = [parameter for parameter in model.field.parameters() if parameter.requires_grad]

    def work(index: int) -> Left:
        if index == shards:
            loss = penalty * model.field.penalty()
            return {"smooth": loss.detach()}, None, gradients(loss, parameters)
        losses, samples = losses_of(index)
        total = torch.stack(list(losses.values())).sum() / shards
        return {name: loss.detach() for name, loss in losses.items()}, samples, gradients(total, parameters)

    left = list(parallel_map(work, range(shards + bool(penalty))))
    for _, _, found in left:
        for parameter, gradient in zip(parameters, found, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    names = left[0][0]
    losses = {name: torch.stack([part[name] for part, _, _ in left[:shards]]).mean() for name in names}
    regulariser = left[-1][0] if penalty else {"smooth": torch.zeros_like(losses["colour"])}
    return losses | regulariser, [samples for _, samples, _ in left if samples is not None]


def gradients(loss: Tensor, parameters: list[torch.nn.Parameter]) -> Sequence[Tensor | None]:
    """Of each parameter; none where the loss does not depend on it."""
    if not loss.requires_grad:
        return [None] * len(parameters)
    found: Sequence[Tensor | None] = torch.autograd.grad(loss, parameters, allow_unused=True)
    return found
