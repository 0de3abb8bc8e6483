"""The inner loops of training on CPU, compiled by Numba: one pass over rays or samples instead of a chain of tensors.

Tensor code of the same meaning runs on GPUs and is what the tests compare with. A chain of tensor operations spends
most of a CPU step on memory traffic; a loop leaves a ray where nothing behind can be seen, and holds no lock, so that
shards of a step run side by side. Each kernel works on one core and adds in a fixed order.
"""

import math
from typing import no_type_check

import numpy as np

from models.ops.compiled import njit
from models.ops.contract import contracted_distance_in_loops as contracted_distance
from models.ops.grid import ONE, ZERO, trilinear

EMPTY_LOGIT = np.float32(-10)  # softplus(-10) = 5e-5: nothing
LEAST_DEPTH = np.float32(1e-6)


@njit(nogil=True, cache=True)
@no_type_check
def interval(origin, direction, half, near):
    """Where a ray enters and leaves a box."""
    enter, leave = near, np.float32(np.inf)
    for axis in range(3):
        along = direction[axis] if abs(direction[axis]) > np.float32(1e-6) else np.float32(1e-6)
        one, other = (-half[axis] - origin[axis]) / along, (half[axis] - origin[axis]) / along
        enter, leave = max(enter, min(one, other)), min(leave, max(one, other))
    return enter, leave


@njit(nogil=True, cache=True)
@no_type_check
def march_rays(
    origins, directions, present, jitter, half, near, shell, unit, logits, inner, edges, reach, stretch, scale, least
):
    """Samples of one object that add more than `least` to its own image, in order of ray and depth.

    Weights are those of NeRF, eq. 3. Found are ray, depth, optical depth, its derivative by the density's logit, and
    three rows of points of the unit cube. `edges` are the borders of the shell's bins as multiples of the box; see
    `ray_bins` for what a bin is. Where `reach` gives each ray's first and last depth, bins are even between them, whatever
    the box, and lengths are multiplied by `stretch`.
    """
    outer, half_one = len(edges) - 1, np.float32(0.5)
    rays, points = (
        np.empty(len(origins) * (inner + outer), np.int64),
        np.empty((3, len(origins) * (inner + outer)), np.float32),
    )
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
            if index < inner:
                depth = enter + step * (np.float32(index) + jitter[ray])
                optical = step * to_unit
            else:
                first, last = edges[index - inner], edges[index - inner + 1]
                length = (last - first) / slope
                depth = leave + (first - ONE) / slope + length * jitter[ray]
                optical = length / (first * last) * to_unit
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


@njit(nogil=True, cache=True)
@no_type_check
def merge_samples(ray, base, depth, tau, channels, scales, alone, sums):
    """Mix the samples of all objects along each ray by scaled depth, or each object alone, and add them to `sums`.

    OSN, scaled composite rendering, with the weights of NeRF, eq. 3: `compositing` in one pass.

    Object k's samples are those from `base[k]` to `base[k + 1]`, in order of ray and depth. Returns the order in which
    samples were met, each sample's object, its weight, and what passes behind it.
    """
    objects = len(base) - 1
    order, owner = np.empty(len(ray), np.int64), np.empty(len(ray), np.int64)
    weights, after = np.empty_like(tau), np.empty_like(tau)
    nexts, through, met = base[:-1].copy(), np.empty(objects), 0
    for row in range(len(sums)):
        through[:] = 1.0
        while True:
            nearest, k = np.inf, -1
            for other in range(objects):
                sample = nexts[other]
                if sample < base[other + 1] and ray[sample] == row and depth[sample] * scales[row, other] < nearest:
                    nearest, k = depth[sample] * scales[row, other], other
            if k < 0:
                break
            sample, group = nexts[k], k if alone else 0
            nexts[k] += 1
            behind = through[group] * math.exp(-tau[sample])
            weight, log_depth = through[group] - behind, math.log(max(nearest, LEAST_DEPTH))
            weights[sample], after[sample], owner[sample], order[met] = weight, behind, k, sample
            through[group], met = behind, met + 1
            total = sums[row, k]
            total[0] += weight
            total[1] += weight * nearest
            total[2] += weight * log_depth
            total[3] += weight * log_depth * log_depth
            for channel in range(channels.shape[1]):
                total[4 + channel] += weight * channels[sample, channel]
    return order, owner, weights, after


@njit(nogil=True, cache=True)
@no_type_check
def merge_gradient(ray, depth, slope, channels, scales, alone, order, owner, weights, after, gradient):
    """Gradients of the density's logits and of the channels before the colours' sigmoid.

    A denser sample gains what it lets not pass, and takes from those behind it.
    """
    by_logit, by_channel = np.empty_like(depth), np.empty_like(channels)
    behind, row = np.zeros(gradient.shape[1]), -1
    for index in range(len(order) - 1, -1, -1):
        sample = order[index]
        if ray[sample] != row:
            row = ray[sample]
            behind[:] = 0.0
        k = owner[sample]
        group, wanted = k if alone else 0, gradient[row, k]
        scaled = depth[sample] * scales[row, k]
        log_depth = math.log(max(scaled, LEAST_DEPTH))
        value = wanted[0] + wanted[1] * scaled + wanted[2] * log_depth + wanted[3] * log_depth * log_depth
        for channel in range(channels.shape[1]):
            seen, by = channels[sample, channel], weights[sample] * wanted[4 + channel]
            value += wanted[4 + channel] * seen
            by_channel[sample, channel] = by * seen * (ONE - seen) if channel < 3 else by
        by_logit[sample] = (after[sample] * value - behind[group]) * slope[sample]
        behind[group] += weights[sample] * value
    return by_logit, by_channel
