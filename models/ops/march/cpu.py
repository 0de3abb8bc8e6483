"""Marching by a compiled loop over the rays of one object, which leaves a ray where nothing behind can be seen.

A chain of tensor operations spends most of a CPU step on memory traffic; the loop holds no lock, so that shards of a step
run side by side.
"""

import math
from collections.abc import Sequence
from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from models.ops.compiled import njit
from models.ops.contract import contracted_distance_in_loops as contracted_distance
from models.ops.grid import ONE, ZERO, trilinear
from models.ops.interpolate_volume.cpu import interpolate_volume
from models.ops.march.reference import shell_edges

EMPTY_LOGIT = np.float32(-10)  # softplus(-10) = 5e-5: nothing


@njit(nogil=True, cache=True)
@no_type_check
def interval(origin, direction, half, near) -> tuple[float, float]:
    """Where a ray enters and leaves a box."""
    enter, leave = near, np.float32(np.inf)
    for axis in range(3):
        along = direction[axis] if abs(direction[axis]) > np.float32(1e-6) else np.float32(1e-6)
        one, other = (-half[axis] - origin[axis]) / along, (half[axis] - origin[axis]) / along
        enter, leave = max(enter, min(one, other)), min(leave, max(one, other))
    return enter, leave


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def place_in_bin(index, inner, enter, leave, step, slope, edges, jitter, to_unit) -> tuple[float, float]:
    """Depth of the sample in a bin, and the bin's optical length."""
    if index < inner:
        return enter + step * (np.float32(index) + jitter), step * to_unit
    first, last = edges[index - inner], edges[index - inner + 1]
    length = (last - first) / slope
    return leave + (first - ONE) / slope + length * jitter, length / (first * last) * to_unit


@njit(nogil=True, cache=True)
@no_type_check
def march_rays(
    origins, directions, present, jitter, half, near, shell, unit, logits, inner, edges, reach, stretch, scale, least
) -> tuple[np.ndarray, ...]:
    """Samples of one object that add more than `least` to its own image, in order of ray and depth.

    Weights are those of NeRF, eq. 3. Found are ray, depth, optical depth, its derivative by the density's logit, and
    three rows of points of the unit cube. `edges` are the borders of the shell's bins as multiples of the box; see
    `ray_bins` for what a bin is. Where `reach` gives each ray's first and last depth, bins are even between them, whatever
    the box, and lengths are multiplied by `stretch`.
    """
    outer, half_one = len(edges) - 1, np.float32(0.5)
    rays = np.empty(len(origins) * (inner + outer), np.int64)
    points = np.empty((3, len(rays)), np.float32)
    depths, taus, slopes = np.empty((3, len(rays)), np.float32)
    count = 0
    for ray in range(len(origins)):
        if not present[ray]:
            continue
        origin, direction = origins[ray], directions[ray]
        if len(reach):
            enter, leave = reach[ray, 0], reach[ray, 1]
        else:
            enter, leave = interval(origin, direction, half, near)
        if leave <= enter:
            continue
        step, norm, slope = (leave - enter) / np.float32(inner), ZERO, ZERO
        for axis in range(3):
            norm += direction[axis] * direction[axis]
            slope = max(slope, abs(direction[axis]) / half[axis])
        to_unit = np.float32(math.sqrt(norm)) / unit * (stretch[ray] if len(reach) else ONE)
        through = ONE
        for index in range(inner + outer):
            depth, optical = place_in_bin(index, inner, enter, leave, step, slope, edges, jitter[ray], to_unit)
            x = (origin[0] + depth * direction[0]) / half[0]
            y = (origin[1] + depth * direction[1]) / half[1]
            z = (origin[2] + depth * direction[2]) / half[2]
            if shell > ZERO:
                far = max(max(abs(x), abs(y)), max(abs(z), ONE))
                shrink = contracted_distance(far, shell, ONE) / (far * (ONE + shell))
                x, y, z = x * shrink, y * shrink, z * shrink
            elif len(reach) and max(abs(x), max(abs(y), abs(z))) > ONE:
                continue
            x, y, z = x * half_one + half_one, y * half_one + half_one, z * half_one + half_one
            logit = trilinear(logits, x, y, z)
            if logit < EMPTY_LOGIT:
                continue
            density = np.float32(math.log1p(math.exp(logit))) if logit < np.float32(20) else logit
            tau = density * scale * optical
            passed = np.float32(math.exp(-tau))
            if through * (ONE - passed) > least:
                rays[count], depths[count], taus[count] = ray, depth, tau
                slopes[count] = (ONE - np.float32(math.exp(-density))) * scale * optical
                points[0, count], points[1, count], points[2, count] = x, y, z
                count += 1
            through *= passed
            if through < least:
                break
    found = depths[:count].copy(), taus[:count].copy(), slopes[:count].copy()
    return rays[:count].copy(), *found, points[:, :count].copy()


def march(
    volumes: Tensor,
    last: Tensor,
    boxes: Tensor,
    near: Tensor,
    unit: Tensor,
    origins: Tensor,
    directions: Tensor,
    present: Tensor,
    jitter: Tensor,
    reach: Tensor,
    inner: Sequence[int],
    outer: Sequence[int],
    scale: float,
    least: float,
    most: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One object after another, brought into the order of rays."""
    found, sizes = [], (last + 1).long().tolist()
    for k, (x, y, z) in enumerate(sizes):
        places = (origins[k] - boxes[k, :3], directions[k], present[k], jitter[k], boxes[k, 3:6])
        arrays = [tensor.contiguous().numpy() for tensor in places]
        numbers = np.array([near[k], boxes[k, 6], unit[k], scale, least], volumes.numpy().dtype)
        edges = shell_edges(outer[k], volumes.dtype).numpy()
        stretch = reach[k, :, 2].contiguous().numpy() if reach.numel() else numbers[:0]
        bounds = reach[k, :, :2].contiguous().numpy() if reach.numel() else np.empty((0, 2), numbers.dtype)
        grid = volumes[k, :x, :y, :z].contiguous().numpy()
        found.append(march_rays(*arrays, *numbers[:3], grid, inner[k], edges, bounds, stretch, *numbers[3:]))
    ray, depth, tau = (np.concatenate([arrays[i] for arrays in found]) for i in range(3))
    owner = np.repeat(np.arange(len(found)), [len(arrays[0]) for arrays in found])
    points = torch.from_numpy(np.concatenate([arrays[4] for arrays in found], axis=1)).to(volumes.dtype)
    logits = interpolate_volume(volumes, last, points, torch.from_numpy(owner))
    length = (torch.from_numpy(tau) / (torch.nn.functional.softplus(logits) * scale)).numpy()
    order = np.lexsort((depth, owner, ray))
    samples = [torch.from_numpy(array[order]) for array in (ray, owner, depth.astype(length.dtype), length)]
    if most > 0:
        samples = [torch.nn.functional.pad(tensor[:most], (0, max(0, most - len(ray)))) for tensor in samples]
        samples[0][len(ray) :] = present.shape[1]
    return samples[0], samples[1], samples[2], samples[3]
