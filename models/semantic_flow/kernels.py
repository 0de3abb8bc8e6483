"""The inner loops of Semantic Flow on CPU, compiled by Numba; the tensor code beside them is their reference.

Points are three rows of coordinates in the unit cube, times are in the unit interval.
"""

import math
from typing import no_type_check

import numpy as np

from models.ops.compiled import njit
from models.ops.contract import contracted_distance_in_loops as contracted_distance
from models.ops.grid import ONE, ZERO, cell, trilinear
from models.ops.space_time import ALONG, FIRST, SECOND

HALF, TWO, TWENTY = np.float32(0.5), np.float32(2), np.float32(20)
SEEN_THROUGH = np.float32(1e-4)  # what lies behind a piece that lets less pass is not looked at


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def softplus(x) -> float:
    return np.float32(math.log1p(math.exp(x))) if x < TWENTY else x


# Not `fastmath`: other kernels hold copies of it, and which copy runs depends on whether they come from the cache.
@njit(nogil=True, cache=True)
@no_type_check
def density_and_blend(space, time, weight, bias, x, y, z, t) -> tuple[float, float]:
    """The dynamic field at one point: density and blending weight."""
    channels = space.shape[3]
    density, blend = bias[0], bias[1]
    m, q = cell(t, time.shape[1])
    point = (x, y, z)
    for p in range(3):
        j, u = cell(point[FIRST[p]], space.shape[2])
        i, v = cell(point[SECOND[p]], space.shape[1])
        n, r = cell(point[ALONG[p]], time.shape[2])
        a, b, c, d = space[p, i, j], space[p, i, j + 1], space[p, i + 1, j], space[p, i + 1, j + 1]
        e, f, g, h = time[p, m, n], time[p, m, n + 1], time[p, m + 1, n], time[p, m + 1, n + 1]
        wa, wb, wc, wd = (ONE - u) * (ONE - v), u * (ONE - v), (ONE - u) * v, u * v
        we, wf, wg, wh = (ONE - r) * (ONE - q), r * (ONE - q), (ONE - r) * q, r * q
        to_density, to_blend = (
            weight[0, p * channels : (p + 1) * channels],
            weight[1, p * channels : (p + 1) * channels],
        )
        for k in range(channels):
            in_space = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k]
            product = in_space * (we * e[k] + wf * f[k] + wg * g[k] + wh * h[k])
            density += to_density[k] * product
            blend += to_blend[k] * product
    return softplus(density), ONE / (ONE + np.float32(math.exp(-blend)))


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def contracted(x, y, z, region) -> tuple[float, float, float]:
    """Unit coordinates of a point; a region is centre, half extent and shell in seven numbers."""
    x, y, z = (x - region[0]) / region[3], (y - region[1]) / region[4], (z - region[2]) / region[5]
    distance = max(max(abs(x), abs(y)), max(abs(z), ONE))
    shrink = HALF * contracted_distance(distance, region[6], ONE) / (distance * (ONE + region[6]))
    return x * shrink + HALF, y * shrink + HALF, z * shrink + HALF


@njit(nogil=True, cache=True)
@no_type_check
def coarse_weights(
    origin, direction, at, edges, region, own, nodes, space, time, decode, bias, per_length, moving, weights
) -> None:
    """Weights of the pieces between edges of one ray, as `marching.blend` has them."""
    through, last = ONE, len(edges) - 2
    weights[:] = ZERO
    for index in range(last + 1):
        depth, length = (edges[index] + edges[index + 1]) * HALF, (edges[index + 1] - edges[index]) * per_length
        x, y, z = (
            origin[0] + depth * direction[0],
            origin[1] + depth * direction[1],
            origin[2] + depth * direction[2],
        )
        a, b, c = contracted(x, y, z, region)
        static = ONE if index == last else ONE - np.float32(math.exp(-softplus(trilinear(nodes, a, b, c)) * length))
        dynamic = ZERO
        if moving:
            a, b, c = contracted(x, y, z, own)
            density, blending = density_and_blend(space, time, decode, bias, a, b, c, at)
            static *= ONE - blending
            dynamic = (ONE - np.float32(math.exp(-density * length))) * blending
        left = (ONE - static) * (ONE - dynamic)
        weights[index] = through * (ONE - left)
        through *= left
        if through < SEEN_THROUGH:
            break


@njit(nogil=True, cache=True)
@no_type_check
def inverse_cdf(edges, weights, u, uniform, result) -> None:
    """`marching.inverse_cdf` of one ray: edges at the samples u, the weights mixed with `uniform` of a uniform density."""
    count, total = len(weights), ZERO
    cdf = np.empty(count + 1, np.float32)
    cdf[0] = ZERO
    for index in range(count):
        total += max(weights[max(index - 1, 0)], max(weights[index], weights[min(index + 1, count - 1)]))
    for index in range(count):
        widened = max(weights[max(index - 1, 0)], max(weights[index], weights[min(index + 1, count - 1)]))
        pdf = (ONE - uniform) * widened / max(total, np.float32(1e-8)) + uniform / np.float32(count)
        cdf[index + 1] = cdf[index] + pdf
    result[0], result[-1] = edges[0], edges[-1]
    cursor = 1
    for index in range(len(u)):
        aim = u[index] * cdf[count]
        while cursor < count and cdf[cursor] <= aim:
            cursor += 1
        while cursor > 1 and cdf[cursor - 1] > aim:
            cursor -= 1
        low, high = cdf[cursor - 1], cdf[cursor]
        fraction = min(max((aim - low) / max(high - low, np.float32(1e-8)), ZERO), ONE)
        result[index + 1] = edges[cursor - 1] + fraction * (edges[cursor] - edges[cursor - 1])


@njit(nogil=True, cache=True)
@no_type_check
def march(
    origins, directions, times, coarse, u, uniform, unit, region, own, nodes, space, time, decode, bias, moving, fine
) -> None:
    """For each ray: weigh the pieces between its coarse edges, and place its fine edges where the weight is."""
    weights = np.empty(coarse.shape[1] - 1, np.float32)
    for ray in range(len(origins)):
        direction, edges = directions[ray], coarse[ray]
        norm = direction[0] * direction[0] + direction[1] * direction[1] + direction[2] * direction[2]
        per_length = np.float32(math.sqrt(norm)) / unit
        coarse_weights(
            origins[ray],
            direction,
            times[ray],
            edges,
            region,
            own,
            nodes,
            space,
            time,
            decode,
            bias,
            per_length,
            moving,
            weights,
        )
        inverse_cdf(edges, weights, u[ray], uniform, fine[ray])


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def add_smoothness(tables, weight, gradient) -> float:
    """Mean squared differences of neighbouring nodes of (plane, row, column, channel), along rows and columns.

    Weighted, with its gradient added to `gradient`.
    """
    planes, rows, columns, channels = tables.shape
    down = weight / np.float32(max(planes * (rows - 1) * columns * channels, 1))
    right = weight / np.float32(max(planes * rows * (columns - 1) * channels, 1))
    total = 0.0
    for p in range(planes):
        for i in range(rows):
            for j in range(columns):
                here, to = tables[p, i, j], gradient[p, i, j]
                for step in range(2):
                    if (i + 1 == rows) if step == 0 else (j + 1 == columns):
                        continue
                    there = tables[p, i + 1, j] if step == 0 else tables[p, i, j + 1]
                    by = gradient[p, i + 1, j] if step == 0 else gradient[p, i, j + 1]
                    factor, subtotal = down if step == 0 else right, ZERO
                    for k in range(channels):
                        difference = there[k] - here[k]
                        subtotal += difference * difference
                        by[k] += TWO * factor * difference
                        to[k] -= TWO * factor * difference
                    total += factor * subtotal
    return total
