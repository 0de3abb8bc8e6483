"""The inner loops of Semantic Flow on CPU, compiled by Numba; the tensor code beside them is their reference.

Points are three rows of coordinates in the unit cube, times are in the unit interval.
"""

import math
from typing import no_type_check

import numpy as np

from models.ops.compiled import njit
from models.ops.contract import contracted_distance_in_loops as contracted_distance
from models.ops.grid import LINE_AXES, ONE, PLANE_AXES, ZERO, cell, trilinear

FIRST, SECOND = tuple(first for first, _ in PLANE_AXES), tuple(second for _, second in PLANE_AXES)
ALONG = LINE_AXES  # goes with time
HALF, TWO, TWENTY = np.float32(0.5), np.float32(2), np.float32(20)
LEAST_SHARE = np.float32(1e-8)
SEEN_THROUGH = np.float32(1e-4)  # what lies behind a piece that lets less pass is not looked at


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def softplus(x):
    return np.float32(math.log1p(math.exp(x))) if x < TWENTY else x


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def gather_space_time(space, time, points, times, products):
    """Planes in space (plane, row, column, channel) times planes in time (plane, frame, node, channel), side by side."""
    channels = space.shape[3]
    for p in range(3):
        first, second, along = points[FIRST[p]], points[SECOND[p]], points[ALONG[p]]
        for sample in range(points.shape[1]):
            j, u = cell(first[sample], space.shape[2])
            i, v = cell(second[sample], space.shape[1])
            n, r = cell(along[sample], time.shape[2])
            m, q = cell(times[sample], time.shape[1])
            a, b, c, d = space[p, i, j], space[p, i, j + 1], space[p, i + 1, j], space[p, i + 1, j + 1]
            e, f, g, h = time[p, m, n], time[p, m, n + 1], time[p, m + 1, n], time[p, m + 1, n + 1]
            wa, wb, wc, wd = (ONE - u) * (ONE - v), u * (ONE - v), (ONE - u) * v, u * v
            we, wf, wg, wh = (ONE - r) * (ONE - q), r * (ONE - q), (ONE - r) * q, r * q
            out = products[sample, p * channels : (p + 1) * channels]
            for k in range(channels):
                in_space = wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k]
                out[k] = in_space * (we * e[k] + wf * f[k] + wg * g[k] + wh * h[k])


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def scatter_space_time(p, space, time, points, times, gradient, by_space, by_time):
    """The transpose of `gather_space_time` for one plane, added to its gradients."""
    channels = space.shape[3]
    first, second, along = points[FIRST[p]], points[SECOND[p]], points[ALONG[p]]
    for sample in range(points.shape[1]):
        j, u = cell(first[sample], space.shape[2])
        i, v = cell(second[sample], space.shape[1])
        n, r = cell(along[sample], time.shape[2])
        m, q = cell(times[sample], time.shape[1])
        a, b, c, d = space[p, i, j], space[p, i, j + 1], space[p, i + 1, j], space[p, i + 1, j + 1]
        e, f, g, h = time[p, m, n], time[p, m, n + 1], time[p, m + 1, n], time[p, m + 1, n + 1]
        ga, gb, gc, gd = by_space[i, j], by_space[i, j + 1], by_space[i + 1, j], by_space[i + 1, j + 1]
        ge, gf, gg, gh = by_time[m, n], by_time[m, n + 1], by_time[m + 1, n], by_time[m + 1, n + 1]
        wa, wb, wc, wd = (ONE - u) * (ONE - v), u * (ONE - v), (ONE - u) * v, u * v
        we, wf, wg, wh = (ONE - r) * (ONE - q), r * (ONE - q), (ONE - r) * q, r * q
        wanted = gradient[sample, p * channels : (p + 1) * channels]
        for k in range(channels):
            to_space = wanted[k] * (we * e[k] + wf * f[k] + wg * g[k] + wh * h[k])
            to_time = wanted[k] * (wa * a[k] + wb * b[k] + wc * c[k] + wd * d[k])
            ga[k] += wa * to_space
            gb[k] += wb * to_space
            gc[k] += wc * to_space
            gd[k] += wd * to_space
            ge[k] += we * to_time
            gf[k] += wf * to_time
            gg[k] += wg * to_time
            gh[k] += wh * to_time


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def slope(position, size):
    """Nodes a unit of a coordinate; none outside, where the border goes on."""
    return np.float32(size - 1) if ZERO <= position <= ONE else ZERO


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def space_time_slopes(space, time, points, times, gradient, by_point):
    """Gradients of the points through `gather_space_time`."""
    channels = space.shape[3]
    for p in range(3):
        first, second, along = points[FIRST[p]], points[SECOND[p]], points[ALONG[p]]
        for sample in range(points.shape[1]):
            j, u = cell(first[sample], space.shape[2])
            i, v = cell(second[sample], space.shape[1])
            n, r = cell(along[sample], time.shape[2])
            m, q = cell(times[sample], time.shape[1])
            a, b, c, d = space[p, i, j], space[p, i, j + 1], space[p, i + 1, j], space[p, i + 1, j + 1]
            e, f, g, h = time[p, m, n], time[p, m, n + 1], time[p, m + 1, n], time[p, m + 1, n + 1]
            wanted = gradient[sample, p * channels : (p + 1) * channels]
            by_first, by_second, by_along = ZERO, ZERO, ZERO
            for k in range(channels):
                in_space = (ONE - v) * ((ONE - u) * a[k] + u * b[k]) + v * ((ONE - u) * c[k] + u * d[k])
                in_time = (ONE - q) * ((ONE - r) * e[k] + r * f[k]) + q * ((ONE - r) * g[k] + r * h[k])
                by_first += wanted[k] * in_time * ((ONE - v) * (b[k] - a[k]) + v * (d[k] - c[k]))
                by_second += wanted[k] * in_time * ((ONE - u) * (c[k] - a[k]) + u * (d[k] - b[k]))
                by_along += wanted[k] * in_space * ((ONE - q) * (f[k] - e[k]) + q * (h[k] - g[k]))
            by_point[FIRST[p], sample] += by_first * slope(first[sample], space.shape[2])
            by_point[SECOND[p], sample] += by_second * slope(second[sample], space.shape[1])
            by_point[ALONG[p], sample] += by_along * slope(along[sample], time.shape[2])


@njit(nogil=True, cache=True)
@no_type_check
def gather_volume(volume, points, values):
    """Trilinear interpolation at many points."""
    for sample in range(points.shape[1]):
        values[sample] = trilinear(volume, points[0, sample], points[1, sample], points[2, sample])


# Not `fastmath`: other kernels hold copies of it, and which copy runs depends on whether they come from the cache.
@njit(nogil=True, cache=True)
@no_type_check
def density_and_blend(space, time, weight, bias, x, y, z, t):
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
def contracted(x, y, z, region):
    """Unit coordinates of a point; a region is centre, half extent and shell in seven numbers."""
    x, y, z = (x - region[0]) / region[3], (y - region[1]) / region[4], (z - region[2]) / region[5]
    distance = max(max(abs(x), abs(y)), max(abs(z), ONE))
    shrink = HALF * contracted_distance(distance, region[6], ONE) / (distance * (ONE + region[6]))
    return x * shrink + HALF, y * shrink + HALF, z * shrink + HALF


@njit(nogil=True, cache=True)
@no_type_check
def coarse_weights(
    origin, direction, at, edges, region, own, nodes, space, time, decode, bias, per_length, moving, weights
):
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
def inverse_cdf(edges, weights, u, uniform, result):
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
):
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
def add_smoothness(tables, weight, gradient):
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


@njit(nogil=True, cache=True)
@no_type_check
def blend(static_depth, dynamic_depth, blending, static, dynamic):
    """`marching.blend_in_tensors` in one pass over each ray."""
    for ray in range(len(blending)):
        through = ONE
        for k in range(blending.shape[1]):
            still = (ONE - np.float32(math.exp(-static_depth[ray, k]))) * (ONE - blending[ray, k])
            moving = (ONE - np.float32(math.exp(-dynamic_depth[ray, k]))) * blending[ray, k]
            left = (ONE - still) * (ONE - moving)
            taken = through * (ONE - left) / max(still + moving, LEAST_SHARE)
            static[ray, k], dynamic[ray, k] = taken * still, taken * moving
            through *= left


@njit(nogil=True, cache=True)
@no_type_check
def blend_gradient(static_depth, dynamic_depth, blending, to_static, to_dynamic, by_static, by_dynamic, by_blending):
    """Gradients of the inputs of `blend`: each sample's own, and what it takes from those behind it."""
    count = blending.shape[1]
    before = np.empty(count, np.float32)
    for ray in range(len(blending)):
        through = ONE
        for k in range(count):
            before[k] = through
            still = (ONE - np.float32(math.exp(-static_depth[ray, k]))) * (ONE - blending[ray, k])
            moving = (ONE - np.float32(math.exp(-dynamic_depth[ray, k]))) * blending[ray, k]
            through *= (ONE - still) * (ONE - moving)
        behind = ZERO
        for k in range(count - 1, -1, -1):
            b = blending[ray, k]
            clear, see = np.float32(math.exp(-static_depth[ray, k])), np.float32(math.exp(-dynamic_depth[ray, k]))
            still, moving = (ONE - clear) * (ONE - b), (ONE - see) * b
            left, total = (ONE - still) * (ONE - moving), max(still + moving, LEAST_SHARE)
            taken = before[k] * (ONE - left) / total
            a, c = to_static[ray, k], to_dynamic[ray, k]
            value = (a * still + c * moving) / total
            by_left = behind / max(left, LEAST_SHARE) - before[k] * value
            by_still = taken * (a - c) * moving / total - (ONE - moving) * by_left
            by_moving = taken * (c - a) * still / total - (ONE - still) * by_left
            by_static[ray, k] = by_still * (ONE - b) * clear
            by_dynamic[ray, k] = by_moving * b * see
            by_blending[ray, k] = by_moving * (ONE - see) - by_still * (ONE - clear)
            behind += taken * (a * still + c * moving)
