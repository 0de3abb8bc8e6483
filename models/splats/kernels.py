"""The rasteriser's loops, compiled by Numba: which splats lie over which tile, blending front to back, and its gradient.

As in 3D Gaussian Splatting, sec. 6: splats in order of depth, a tile at a time; a pixel ends where nothing behind it can
be seen. Each kernel works on one core and adds in a fixed order, and holds no lock, so that views go side by side.
"""

import math
from typing import no_type_check

import numpy as np

from models.ops.compiled import njit

TILE = 8
LEAST_ALPHA = np.float32(1 / 255)
MOST_ALPHA = np.float32(0.99)
LEAST_LEFT = np.float32(1e-3)
ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


@njit(nogil=True, cache=True)
@no_type_check
def tile_lists(order, centres, reach, rows, columns) -> tuple[np.ndarray, np.ndarray]:
    """The splats over each tile, nearest first, one tile after another: bounds and indices."""
    spans = np.zeros((len(order), 4), np.int64)
    counts = np.zeros(rows * columns + 1, np.int64)
    for place in range(len(order)):
        splat = order[place]
        x, y, right_px, down_px = centres[splat, 0], centres[splat, 1], reach[splat, 0], reach[splat, 1]
        left, right = max(0, math.floor((x - right_px) / TILE)), min(columns, math.floor((x + right_px) / TILE) + 1)
        top, bottom = max(0, math.floor((y - down_px) / TILE)), min(rows, math.floor((y + down_px) / TILE) + 1)
        spans[place, 0], spans[place, 1], spans[place, 2], spans[place, 3] = top, bottom, left, right
        for row in range(top, bottom):
            for column in range(left, right):
                counts[row * columns + column + 1] += 1
    bounds = np.cumsum(counts)
    free, found = bounds[:-1].copy(), np.empty(bounds[-1], np.int32)
    for place in range(len(order)):
        for row in range(spans[place, 0], spans[place, 1]):
            for column in range(spans[place, 2], spans[place, 3]):
                tile = row * columns + column
                found[free[tile]] = order[place]
                free[tile] += 1
    return bounds, found


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def exponent_at(x, y, splat, centres, conics) -> tuple[float, float, float]:
    """The exponent of a splat's bell at a point, and the way there from its centre."""
    dx, dy = x - centres[splat, 0], y - centres[splat, 1]
    exponent = -HALF * (conics[splat, 0] * dx * dx + conics[splat, 2] * dy * dy) - conics[splat, 1] * dx * dy
    return min(exponent, ZERO), dx, dy


@njit(nogil=True, cache=True)
@no_type_check
def blend(
    bounds, found, centres, conics, opacities, colours, floors, height, width
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours over black, what light is left behind all, and where in its tile's list each pixel ended.

    `floors`: the exponent below which each splat is too faint to count.
    """
    image, left = np.zeros((height, width, 3), np.float32), np.ones((height, width), np.float32)
    last = np.zeros((height, width), np.int64)
    columns = (width + TILE - 1) // TILE
    for row in range(height):
        for column in range(width):
            tile = (row // TILE) * columns + column // TILE
            x, y, light = np.float32(column) + HALF, np.float32(row) + HALF, ONE
            red, green, blue = ZERO, ZERO, ZERO
            end = bounds[tile]
            for place in range(bounds[tile], bounds[tile + 1]):
                splat = found[place]
                exponent, _, _ = exponent_at(x, y, splat, centres, conics)
                if exponent < floors[splat]:
                    continue
                alpha = min(MOST_ALPHA, opacities[splat] * math.exp(exponent))
                weight = alpha * light
                red += weight * colours[splat, 0]
                green += weight * colours[splat, 1]
                blue += weight * colours[splat, 2]
                light *= ONE - alpha
                end = place + 1
                if light < LEAST_LEFT:
                    break
            image[row, column, 0], image[row, column, 1], image[row, column, 2] = red, green, blue
            left[row, column], last[row, column] = light, end
    return image, left, last


@njit(nogil=True, cache=True)
@no_type_check
def blend_gradient(
    bounds, found, centres, conics, opacities, colours, floors, left, last, by_image, by_left
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Gradients by centres, conics, opacities and colours, walking back through what `blend` did."""
    by_centres, by_conics = np.zeros_like(centres), np.zeros_like(conics)
    by_opacities, by_colours = np.zeros_like(opacities), np.zeros_like(colours)
    height, width = left.shape
    columns = (width + TILE - 1) // TILE
    for row in range(height):
        for column in range(width):
            tile = (row // TILE) * columns + column // TILE
            x, y, light = np.float32(column) + HALF, np.float32(row) + HALF, left[row, column]
            by_red, by_green, by_blue = by_image[row, column, 0], by_image[row, column, 1], by_image[row, column, 2]
            behind = by_left[row, column] * light  # what is behind a splat, times its gradient
            for place in range(last[row, column] - 1, bounds[tile] - 1, -1):
                splat = found[place]
                exponent, dx, dy = exponent_at(x, y, splat, centres, conics)
                if exponent < floors[splat]:
                    continue
                bell = math.exp(exponent)
                alpha = min(MOST_ALPHA, opacities[splat] * bell)
                light /= ONE - alpha
                weight = alpha * light
                by_colours[splat, 0] += weight * by_red
                by_colours[splat, 1] += weight * by_green
                by_colours[splat, 2] += weight * by_blue
                own = colours[splat, 0] * by_red + colours[splat, 1] * by_green + colours[splat, 2] * by_blue
                by_alpha = light * own - behind / (ONE - alpha)
                behind += weight * own
                if alpha >= MOST_ALPHA:
                    continue
                by_opacities[splat] += bell * by_alpha
                by_power = alpha * by_alpha
                by_conics[splat, 0] -= HALF * dx * dx * by_power
                by_conics[splat, 1] -= dx * dy * by_power
                by_conics[splat, 2] -= HALF * dy * dy * by_power
                by_centres[splat, 0] += (conics[splat, 0] * dx + conics[splat, 1] * dy) * by_power
                by_centres[splat, 1] += (conics[splat, 2] * dy + conics[splat, 1] * dx) * by_power
    return by_centres, by_conics, by_opacities, by_colours
