"""Features of frames on CPU: one compiled pass finds where to read, and tensor code reads; half precision is torch's own."""

from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from models.ops.compiled import njit
from models.ops.space import NEAREST_DEPTH


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def within(value, last) -> float:
    """A position on an axis, from 0 to its last place; what is no number is at 0."""
    return min(value, last) if value > 0 else last * 0


@njit(nogil=True, cache=True)
@no_type_check
def largest_around(depths, row, column) -> float:
    """The largest of a cell and its neighbours."""
    height, width = depths.shape
    found = depths[row, column]
    for i in range(max(row - 1, 0), min(row + 2, height)):
        for j in range(max(column - 1, 0), min(column + 2, width)):
            found = max(found, depths[i, j])
    return found


@njit(nogil=True, cache=True)
@no_type_check
def look_up(
    depths, poses, intrinsics, points, frames, height, width, nearest, behind, map_height, map_width, index, share, seen
) -> None:
    """For each point: four places in the maps and their shares, in the reference's order, and whether its frame sees it."""
    real = points.dtype.type
    for n in range(points.shape[0]):
        for t in range(points.shape[1]):
            frame = min(max(frames[n, t], 0), len(poses) - 1)
            pose = poses[frame]
            a, b, c = points[n, t, 0] - pose[0, 3], points[n, t, 1] - pose[1, 3], points[n, t, 2] - pose[2, 3]
            depth = pose[0, 2] * a + pose[1, 2] * b + pose[2, 2] * c
            far = max(depth, real(nearest))
            x = (pose[0, 0] * a + pose[1, 0] * b + pose[2, 0] * c) / far * intrinsics[0] + intrinsics[2]
            y = (pose[0, 1] * a + pose[1, 1] * b + pose[2, 1] * c) / far * intrinsics[1] + intrinsics[3]
            inside = depth > nearest and 0 <= x <= width and 0 <= y <= height
            if frame == frames[n, t] and inside:
                row = int(within(y * real(depths.shape[1] / height), real(depths.shape[1] - 1)))
                column = int(within(x * real(depths.shape[2] / width), real(depths.shape[2] - 1)))
                seen[n, t] = depth <= behind * largest_around(depths[frame], row, column)
            else:
                seen[n, t] = False
            u = within(x / real(width) * real(map_width) - real(0.5), real(map_width - 1))
            v = within(y / real(height) * real(map_height) - real(0.5), real(map_height - 1))
            left, top = max(min(int(u), map_width - 2), 0), max(min(int(v), map_height - 2), 0)
            u, v = u - real(left), v - real(top)
            right, bottom = min(left + 1, map_width - 1), min(top + 1, map_height - 1)
            above, below = (frame * map_height + top) * map_width, (frame * map_height + bottom) * map_width
            index[n, t, 0], index[n, t, 1] = above + left, above + right
            index[n, t, 2], index[n, t, 3] = below + left, below + right
            share[n, t, 0], share[n, t, 1] = (1 - u) * (1 - v), u * (1 - v)
            share[n, t, 2], share[n, t, 3] = (1 - u) * v, u * v


def seen_features(
    maps: Tensor,
    depths: Tensor,
    world_from_camera: Tensor,
    intrinsics: Tensor,
    points: Tensor,
    frames: Tensor,
    height: int,
    width: int,
    behind: float,
) -> tuple[Tensor, Tensor]:
    count = tuple(points.shape[:2])
    index, share = torch.empty(*count, 4, dtype=torch.int64), torch.empty(*count, 4, dtype=points.dtype)
    seen = torch.empty(count, dtype=torch.bool)
    given = (depths, world_from_camera, intrinsics, points, frames)
    arrays = [np.ascontiguousarray(tensor.detach().numpy()) for tensor in given]
    sizes = height, width, NEAREST_DEPTH, behind, *maps.shape[1:3]
    look_up(*arrays, *sizes, index.numpy(), share.numpy(), seen.numpy())
    corners = maps.flatten(0, 2).index_select(0, index.flatten()).to(points.dtype).view(*count, 4, maps.shape[-1])
    return (corners * share[..., None]).sum(2), seen
