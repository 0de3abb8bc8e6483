"""Features of frames where points project, and whether the frames see the points there. No gradients.

    features, seen = seen_features(maps, depths, world_from_camera, intrinsics, points, frames, height, width, behind)

`maps` (frame, row, column, channel) in half precision and `depths` (frame, row, column), infinite where not known, may each
have a resolution of their own; cameras are those of `models.ops.space.Cameras`. `points` (point, token, 3) are looked up in
`frames` (point, token), beyond the clip's ends in the last one there is. A point is seen where its frame exists, it projects
into it, and it is at most `behind` times as deep as the deepest of what is seen around.
"""

import torch

from models.ops.operators import by_triton, operator
from models.ops.seen_features import cpu, reference

seen_features = operator(
    "seen_features",
    "(Tensor maps, Tensor depths, Tensor world_from_camera, Tensor intrinsics, Tensor points, Tensor frames, int height,"
    " int width, float behind) -> (Tensor, Tensor)",
    reference.seen_features,
    cpu=cpu.seen_features,
    cuda=by_triton("seen_features", reference.seen_features, numbers=(torch.float32, torch.float16)),
)
