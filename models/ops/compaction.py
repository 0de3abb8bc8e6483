"""Where masks are true: as many places as there are, or a buffer of a fixed size, for which a GPU's host need not wait."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor


def places(kept: Bool[Tensor, "place"], most: int | None) -> tuple[Int64[Tensor, "sample"], Bool[Tensor, "sample"]]:
    """Where a mask is true, and which of these places are filled: all, or in a buffer of a given size the first."""
    if most is None:
        place = kept.nonzero()[:, 0]
        return place, torch.ones_like(place, dtype=torch.bool)
    rank = kept.cumsum(0)
    slot = torch.where(kept & (rank <= most), rank - 1, most)
    buffer = torch.zeros(most + 1, dtype=torch.int64, device=kept.device)
    place = buffer.scatter(0, slot, torch.arange(len(kept), device=kept.device))[:most]
    filled = torch.arange(most, device=kept.device) < rank[-1:]
    return torch.where(filled, place, 0), filled
