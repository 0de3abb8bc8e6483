"""Fine edges by tensor operations."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LEAST_WEIGHT = 1e-8


def fine_edges(
    edges: Float[Tensor, "ray edge"],
    weights: Float[Tensor, "ray sample"],
    u: Float[Tensor, "ray inner_edge"],
    uniform: float,
) -> Float[Tensor, "ray finer_edge"]:
    """Edges by the inverse CDF of the coarse intervals' weights, each widened to its neighbours; the ends stay.

    NeRF, sec. 5.2. Weights are widened by a maximum, as in mip-NeRF, which also blurs them.
    """
    widened = F.max_pool1d(weights[:, None], 3, stride=1, padding=1)[:, 0]
    widened = widened / widened.sum(1, keepdim=True).clamp(min=LEAST_WEIGHT)
    pdf = (1 - uniform) * widened + uniform / weights.shape[1]
    cdf = F.pad(pdf.cumsum(1), (1, 0))
    cdf = cdf / cdf[:, -1:]
    index = torch.searchsorted(cdf, u, right=True).clamp(1, cdf.shape[1] - 1)
    low, high = cdf.gather(1, index - 1), cdf.gather(1, index)
    fraction = (u - low) / (high - low).clamp(min=LEAST_WEIGHT)
    start, end = edges.gather(1, index - 1), edges.gather(1, index)
    return torch.cat([edges[:, :1], start + fraction.clamp(0, 1) * (end - start), edges[:, -1:]], dim=1)
