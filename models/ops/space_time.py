"""Reads of planes in space and time, and of volumes, at many points, with their transposes: compiled by Numba.

Points are three rows of coordinates in the unit cube, times are in the unit interval; axes as in `models/ops/grid.py`.
"""

from typing import no_type_check

import numpy as np

from models.ops.compiled import njit
from models.ops.grid import LINE_AXES, ONE, PLANE_AXES, ZERO, cell, trilinear

FIRST, SECOND = tuple(first for first, _ in PLANE_AXES), tuple(second for _, second in PLANE_AXES)
ALONG = LINE_AXES  # goes with time


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def gather_space_time(space, time, points, times, products) -> None:
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
def scatter_space_time(p, space, time, points, times, gradient, by_space, by_time) -> None:
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
def slope(position, size) -> float:
    """Nodes a unit of a coordinate; none outside, where the border goes on."""
    return np.float32(size - 1) if ZERO <= position <= ONE else ZERO


@njit(nogil=True, cache=True, fastmath=True)
@no_type_check
def space_time_slopes(space, time, points, times, gradient, by_point) -> None:
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
def gather_volume(volume, points, values) -> None:
    """Trilinear interpolation at many points."""
    for sample in range(points.shape[1]):
        values[sample] = trilinear(volume, points[0, sample], points[1, sample], points[2, sample])
