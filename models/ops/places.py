"""Where points lie in the grids of several objects: tensor code that the references of all interpolations share.

The convention is that of `models.ops.grid`. Objects' grids may differ in size: `last` holds the number of each one's last
node on each axis, `owner` says in whose grid a point is.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


def locate(
    points: Float[Tensor, "xyz=3 point"], last: Float[Tensor, "object xyz=3"], owner: Int64[Tensor, "point"]
) -> tuple[Int64[Tensor, "xyz=3 point"], Float[Tensor, "xyz=3 point"]]:
    """The first node of each point's cell, and how far the point is from it to the next; those outside go to the faces."""
    own = last.T.index_select(1, owner)
    position = points.clamp(0, 1) * own
    low = torch.minimum(position.floor(), own - 1)
    return low.long(), position - low


def slopes_by_place(
    points: Float[Tensor, "xyz=3 point"],
    last: Float[Tensor, "object xyz=3"],
    owner: Int64[Tensor, "point"],
    by_fraction: Float[Tensor, "xyz=3 point"],
) -> Float[Tensor, "xyz=3 point"]:
    """Gradients of points from those of their fractions; points outside do not move what is read."""
    inside: Bool[Tensor, "xyz=3 point"] = points == points.clamp(0, 1)
    return by_fraction * last.T.index_select(1, owner) * inside
