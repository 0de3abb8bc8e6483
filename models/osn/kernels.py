"""The inner loops of training on CPU, compiled by Numba: one pass over rays or samples instead of a chain of tensors.

Tensor code of the same meaning runs on GPUs and is what the tests compare with. A chain of tensor operations spends
most of a CPU step on memory traffic; a loop leaves a ray where nothing behind can be seen, and holds no lock, so that
shards of a step run side by side. Each kernel works on one core and adds in a fixed order.
"""

import math
from typing import no_type_check

import numpy as np
from numba import njit

EMPTY_LOGIT = np.float32(-8.5)  # softplus(-8.5) = 2e-4: nothing
ONE, ZERO = np.float32(1), np.float32(0)


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def cell(position, size):
    """First node and fraction on one axis of a grid, of a position in [0, 1]."""
    scaled = min(max(position, ZERO), ONE) * np.float32(size - 1)
    low = min(int(scaled), size - 2)
    return low, scaled - np.float32(low)


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def trilinear(volume, x, y, z):
    """The value of a grid at a point of the unit cube."""
    i, u = cell(x, volume.shape[0])
    j, v = cell(y, volume.shape[1])
    k, w = cell(z, volume.shape[2])
    lower = (ONE - v) * ((ONE - w) * volume[i, j, k] + w * volume[i, j, k + 1])
    lower += v * ((ONE - w) * volume[i, j + 1, k] + w * volume[i, j + 1, k + 1])
    upper = (ONE - v) * ((ONE - w) * volume[i + 1, j, k] + w * volume[i + 1, j, k + 1])
    upper += v * ((ONE - w) * volume[i + 1, j + 1, k] + w * volume[i + 1, j + 1, k + 1])
    return (ONE - u) * lower + u * upper


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
def march_rays(origins, directions, present, jitter, half, near, shell, unit, logits, inner, edges, scale, least):
    """Samples of one object that add more than `least` to its own image: ray, depth, optical length.

    `edges` are the borders of the shell's bins as multiples of the box; see `ray_bins` for what a bin is.
    """
    outer = len(edges) - 1
    rays = np.empty(len(origins) * (inner + outer), np.int64)
    depths, lengths = np.empty(len(rays), np.float32), np.empty(len(rays), np.float32)
    count = 0
    for ray in range(len(origins)):
        if not present[ray]:
            continue
        origin, direction = origins[ray], directions[ray]
        enter, leave = interval(origin, direction, half, near)
        if leave <= enter:
            continue
        step, norm, slope = (leave - enter) / np.float32(inner), ZERO, ZERO
        for axis in range(3):
            norm += direction[axis] * direction[axis]
            slope = max(slope, abs(direction[axis]) / half[axis])
        to_unit = np.float32(math.sqrt(norm)) / unit
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
                shrink = (ONE + shell * (ONE - ONE / far)) / (far * (ONE + shell))
                x, y, z = x * shrink, y * shrink, z * shrink
            half_one = np.float32(0.5)
            logit = trilinear(logits, x * half_one + half_one, y * half_one + half_one, z * half_one + half_one)
            if logit < EMPTY_LOGIT:
                continue
            density = np.float32(math.log1p(math.exp(logit))) if logit < np.float32(20) else logit
            passed = np.float32(math.exp(-density * scale * optical))
            if through * (ONE - passed) > least:
                rays[count], depths[count], lengths[count] = ray, depth, optical
                count += 1
            through *= passed
            if through < least:
                break
    return rays[:count].copy(), depths[:count].copy(), lengths[:count].copy()


@njit(nogil=True, cache=True)
@no_type_check
def gather_volume(volume, points):
    """Trilinear interpolation at many points; points are three rows."""
    values = np.empty(points.shape[1], np.float32)
    for sample in range(points.shape[1]):
        values[sample] = trilinear(volume, points[0, sample], points[1, sample], points[2, sample])
    return values


@njit(nogil=True, cache=True)
@no_type_check
def scatter_volume(gradient, points, total):
    """The transpose of `gather_volume`, added to `total`."""
    for sample in range(points.shape[1]):
        i, u = cell(points[0, sample], total.shape[0])
        j, v = cell(points[1, sample], total.shape[1])
        k, w = cell(points[2, sample], total.shape[2])
        g = gradient[sample]
        for a in range(2):
            by_x = g * (u if a else ONE - u)
            for b in range(2):
                by_y = by_x * (v if b else ONE - v)
                total[i + a, j + b, k] += by_y * (ONE - w)
                total[i + a, j + b, k + 1] += by_y * w


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def gather_product(plane, line, first, second, along, width, products):
    """A plane's rows times a line's rows, interpolated at many points, into `products`."""
    height, length, channels = len(plane) // width, len(line), plane.shape[1]
    for sample in range(len(first)):
        i, u = cell(first[sample], height)
        j, v = cell(second[sample], width)
        k, w = cell(along[sample], length)
        row = i * width + j
        a, b, c, d = plane[row], plane[row + 1], plane[row + width], plane[row + width + 1]
        e, f = line[k], line[k + 1]
        wa, wb, wc, wd = (ONE - u) * (ONE - v), (ONE - u) * v, u * (ONE - v), u * v
        out = products[sample]
        for channel in range(channels):
            value = wa * a[channel] + wb * b[channel] + wc * c[channel] + wd * d[channel]
            out[channel] = value * ((ONE - w) * e[channel] + w * f[channel])


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def scatter_product(plane, line, first, second, along, width, gradient, by_plane, by_line):
    """The transpose of `gather_product`, added to the gradients of plane and line."""
    height, length, channels = len(plane) // width, len(line), plane.shape[1]
    for sample in range(len(first)):
        i, u = cell(first[sample], height)
        j, v = cell(second[sample], width)
        k, w = cell(along[sample], length)
        row = i * width + j
        a, b, c, d = plane[row], plane[row + 1], plane[row + width], plane[row + width + 1]
        e, f = line[k], line[k + 1]
        ga, gb, gc, gd = by_plane[row], by_plane[row + 1], by_plane[row + width], by_plane[row + width + 1]
        ge, gf = by_line[k], by_line[k + 1]
        wa, wb, wc, wd = (ONE - u) * (ONE - v), (ONE - u) * v, u * (ONE - v), u * v
        out = gradient[sample]
        for channel in range(channels):
            value = wa * a[channel] + wb * b[channel] + wc * c[channel] + wd * d[channel]
            to_plane = out[channel] * ((ONE - w) * e[channel] + w * f[channel])
            to_line = out[channel] * value
            ga[channel] += wa * to_plane
            gb[channel] += wb * to_plane
            gc[channel] += wc * to_plane
            gd[channel] += wd * to_plane
            ge[channel] += (ONE - w) * to_line
            gf[channel] += w * to_line


@njit(nogil=True, cache=True)
@no_type_check
def composite(depth, segment):
    """The weights of samples sorted by segment, then by depth, and what passes behind each."""
    weights, after = np.empty_like(depth), np.empty_like(depth)
    through, current = 1.0, -1
    for sample in range(len(depth)):
        if segment[sample] != current:
            through, current = 1.0, segment[sample]
        behind = through * math.exp(-depth[sample])
        weights[sample], after[sample] = through - behind, behind
        through = behind
    return weights, after


@njit(nogil=True, cache=True)
@no_type_check
def composite_gradient(weights, after, segment, gradient):
    """Gradient of the optical depths: a denser sample gains what it lets not pass, and takes from those behind it."""
    result = np.empty_like(weights)
    behind, current = 0.0, -1
    for sample in range(len(weights) - 1, -1, -1):
        if segment[sample] != current:
            behind, current = 0.0, segment[sample]
        result[sample] = after[sample] * gradient[sample] - behind
        behind += weights[sample] * gradient[sample]
    return result
