"""Marching of rays through several objects' grids of density: the samples that matter, each object's as if it stood alone.

    ray, owner, depth, length = march(
        volumes, last, boxes, near, unit, origins, directions, present, jitter, reach, inner, outer, scale, least, most
    )

`volumes` and `last` are those of `interpolate_volume`, with density before its activation; `boxes` those of
`contract_points`. Rays (object, ray, 3) are cut into `inner` equal bins of each object's box, then `outer` bins of its
shell, even in inverse distance; `jitter` (object, ray) says where in its bins a ray's samples lie. With a `reach` (object,
ray, 3) its first and last depth take the box's place, and its third number stretches lengths. `near` and `unit` (object)
are the least depth and the unit of length. Samples are kept that add more than `least`; `scale` makes optical depths of
densities times lengths. With `most` above 0 they come in a buffer of this size, whose rest is of ray `rays`, depth and length 0,
so that the host need not know how many there are; what does not fit is left out. No gradients.
"""

from models.ops.march import cpu, reference
from models.ops.operators import by_triton, operator

march = operator(
    "march",
    "(Tensor volumes, Tensor last, Tensor boxes, Tensor near, Tensor unit, Tensor origins, Tensor directions, Tensor present,"
    " Tensor jitter, Tensor reach, int[] inner, int[] outer, float scale, float least, int most)"
    " -> (Tensor, Tensor, Tensor, Tensor)",
    reference.march,
    cpu=cpu.march,
    cuda=by_triton("march", reference.march),
)
