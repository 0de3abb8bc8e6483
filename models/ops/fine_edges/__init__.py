"""Where costly samples go along rays: the inverse CDF of what cheap ones weigh (NeRF, sec. 5.2). No gradients.

    finer = fine_edges(edges, weights, u, uniform)

`edges` (ray, edge) lie around pieces of `weights` (ray, piece), `u` (ray, inner edge) in [0, 1] says at which parts of the
weight inner edges come to lie, `uniform` which part of the weight is spread evenly. The ends stay.
"""

from models.ops.fine_edges import reference
from models.ops.operators import by_triton, operator

fine_edges = operator(
    "fine_edges",
    "(Tensor edges, Tensor weights, Tensor u, float uniform) -> Tensor",
    reference.fine_edges,
    cuda=by_triton("fine_edges", reference.fine_edges),
)
