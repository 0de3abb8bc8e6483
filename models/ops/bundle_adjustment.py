"""The inner loops of bundle adjustment, compiled by Numba: a track at a time, its point eliminated from the frames that see it.

Work grows with the number of tracks times the square of their length, and sums are made in the order of the tracks.
Parameters are 6 per frame (rotation, translation, applied after the pose), then those of the lens: one radial term, and the
logarithm of the focal length, of each group of frames that share one. A lens is (fx, fy, cx, cy, k1) of each frame, COLMAP's
SIMPLE_RADIAL. With `width` 6 the lens is held, and left out of all sums; with 8 it is free.
"""

from typing import no_type_check

import numpy as np

from models.ops.compiled import njit

NEAREST = 1e-6  # depth at which a point counts as before the camera
RIDGE = 1e-9  # of a point's own information: depths that rays leave open stay where they are


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def project(pose, point, lens) -> tuple[float, float, float, bool]:
    """A point in the camera (x, y, z), not nearer than can be divided by, and whether it was."""
    x = pose[0, 0] * point[0] + pose[0, 1] * point[1] + pose[0, 2] * point[2] + pose[0, 3]
    y = pose[1, 0] * point[0] + pose[1, 1] * point[1] + pose[1, 2] * point[2] + pose[1, 3]
    z = pose[2, 0] * point[0] + pose[2, 1] * point[1] + pose[2, 2] * point[2] + pose[2, 3]
    return (x, y, z, True) if z > NEAREST else (x, y, NEAREST, False)


@njit(nogil=True, cache=True)
@no_type_check
def whitened_errors(poses, points, lens, frame, track, xy, whitening) -> np.ndarray:
    """Observed less projected place, in standard deviations."""
    errors = np.empty((len(frame), 2))
    for o in range(len(frame)):
        x, y, z, _ = project(poses[frame[o]], points[track[o]], lens)
        own, a, b = lens[frame[o]], x / z, y / z
        straight = 1 + own[4] * (a * a + b * b)
        u, v = xy[o, 0] - own[0] * a * straight - own[2], xy[o, 1] - own[1] * b * straight - own[3]
        errors[o, 0] = whitening[o, 0, 0] * u + whitening[o, 0, 1] * v
        errors[o, 1] = whitening[o, 1, 0] * u + whitening[o, 1, 1] * v
    return errors


@njit(nogil=True, cache=True)
@no_type_check
def jacobians(pose, point, lens, xy, whitening, robust, by_camera, by_point, error) -> None:
    """Fill the change of a projection with pose and lens (2, 6 or 8) and the point (2, 3), and its error; robustly weighted."""
    x, y, z, before = project(pose, point, lens)
    a, b = x / z, y / z
    squared = a * a + b * b
    stretch, across = 1 + lens[4] * squared, 2 * lens[4] * a * b
    u, v = xy[0] - lens[0] * a * stretch - lens[2], xy[1] - lens[1] * b * stretch - lens[3]
    error[0], error[1] = whitening[0, 0] * u + whitening[0, 1] * v, whitening[1, 0] * u + whitening[1, 1] * v
    root = 1 / np.sqrt(1 + (error[0] ** 2 + error[1] ** 2) / robust**2) if before else 0.0
    for row in range(2):
        p, q = root * whitening[row, 0] * lens[0], root * whitening[row, 1] * lens[1]
        dx = (p * (stretch + 2 * lens[4] * a * a) + q * across) / z
        dy = (p * across + q * (stretch + 2 * lens[4] * b * b)) / z
        dz = -(a * dx + b * dy)
        # d(exp(w) X)/dw = -[X]x
        by_camera[row, 0], by_camera[row, 1], by_camera[row, 2] = dz * y - dy * z, dx * z - dz * x, dy * x - dx * y
        by_camera[row, 3], by_camera[row, 4], by_camera[row, 5] = dx, dy, dz
        if by_camera.shape[1] > 6:
            by_camera[row, 6], by_camera[row, 7] = (p * a + q * b) * squared, (p * a + q * b) * stretch
        for axis in range(3):
            by_point[row, axis] = dx * pose[0, axis] + dy * pose[1, axis] + dz * pose[2, axis]
        error[row] *= root


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def inverse_of(matrix, inverse) -> None:
    """Fill the inverse of a symmetric 3x3 matrix."""
    a, b, c, d, e, f = matrix[0, 0], matrix[0, 1], matrix[0, 2], matrix[1, 1], matrix[1, 2], matrix[2, 2]
    inverse[0, 0], inverse[0, 1], inverse[0, 2] = d * f - e * e, c * e - b * f, b * e - c * d
    scale = 1 / (a * inverse[0, 0] + b * inverse[0, 1] + c * inverse[0, 2])
    inverse[1, 1], inverse[1, 2], inverse[2, 2] = a * f - c * c, b * c - a * e, a * d - b * b
    for row in range(3):
        for column in range(row, 3):
            inverse[row, column] *= scale
            inverse[column, row] = inverse[row, column]


@njit(nogil=True, cache=True)
@no_type_check
def point_system(
    start, end, poses, point, lens, frame, xy, whitening, robust, damping, by_camera, coupling, error
) -> tuple[np.ndarray, np.ndarray]:
    """One track: fill jacobians, coupling (width x 3 per observation), errors; the point's inverse information, its gradient."""
    information, gradient, by_point = np.zeros((3, 3)), np.zeros(3), np.empty((2, 3))
    for n in range(end - start):
        o = start + n
        jacobians(poses[frame[o]], point, lens[frame[o]], xy[o], whitening[o], robust, by_camera[n], by_point, error[n])
        for i in range(3):
            gradient[i] += by_point[0, i] * error[n, 0] + by_point[1, i] * error[n, 1]
            for j in range(3):
                information[i, j] += by_point[0, i] * by_point[0, j] + by_point[1, i] * by_point[1, j]
            for p in range(by_camera.shape[2]):
                coupling[n, p, i] = by_camera[n, 0, p] * by_point[0, i] + by_camera[n, 1, p] * by_point[1, i]
    ridge = RIDGE * (information[0, 0] + information[1, 1] + information[2, 2]) + 1e-12
    for i in range(3):
        information[i, i] += damping * information[i, i] + ridge
    inverse = np.empty((3, 3))
    inverse_of(information, inverse)
    return inverse, gradient


@njit(nogil=True, cache=True)
@no_type_check
def reduced_system(
    poses, points, lens, groups, width, starts, frame, xy, whitening, robust, damping
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal equations of the cameras alone: matrix (lower triangle), gradient, and the diagonal before elimination."""
    size, longest = 6 * len(poses) + 1 + groups.max() + 1, np.diff(starts).max()
    matrix, gradient, diagonal = np.zeros((size, size)), np.zeros(size), np.zeros(size)
    by_camera, coupling = np.empty((longest, 2, width)), np.empty((longest, width, 3))
    error, carried, index = np.empty((longest, 2)), np.empty((width, 3)), np.empty((longest, width), np.int64)
    for t in range(len(points)):
        start, end = starts[t], starts[t + 1]
        if start == end:
            continue
        system = point_system(
            start, end, poses, points[t], lens, frame, xy, whitening, robust, damping, by_camera, coupling, error
        )
        for n in range(end - start):
            fill_index(index[n], frame[start + n], len(poses), groups)
            eliminate(n, system[0], system[1], by_camera, coupling, error, carried, index, matrix, gradient, diagonal)
    return matrix, gradient, diagonal


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def fill_index(index, frame, frames, groups) -> None:
    """Fill the places of an observation's parameters among all."""
    for p in range(6):
        index[p] = 6 * frame + p
    if len(index) > 6:
        index[6], index[7] = 6 * frames, 6 * frames + 1 + groups[frame]


@njit(nogil=True, cache=True)
@no_type_check
def eliminate(
    n, inverse, point_gradient, by_camera, coupling, error, carried, index, matrix, gradient, diagonal
) -> None:
    """Add a track's n-th observation, and what its point carries between it and those before, to the cameras' system."""
    width = by_camera.shape[2]
    for p in range(width):
        row = index[n, p]
        gradient[row] += by_camera[n, 0, p] * error[n, 0] + by_camera[n, 1, p] * error[n, 1]
        diagonal[row] += by_camera[n, 0, p] ** 2 + by_camera[n, 1, p] ** 2
        for i in range(3):
            total = 0.0
            for j in range(3):
                total += coupling[n, p, j] * inverse[j, i]
            carried[p, i] = total
            gradient[row] -= total * point_gradient[i]
        for q in range(p + 1):
            matrix[row, index[n, q]] += (
                by_camera[n, 0, p] * by_camera[n, 0, q] + by_camera[n, 1, p] * by_camera[n, 1, q]
            )
    for m in range(n + 1):
        for p in range(width):
            row = index[n, p]
            for q in range(width):
                column = index[m, q]
                shared = 0.0
                for i in range(3):
                    shared += carried[p, i] * coupling[m, q, i]
                if row > column or (row == column and m == n):
                    matrix[row, column] -= shared
                elif row == column:
                    matrix[row, column] -= 2 * shared
                elif m < n:
                    matrix[column, row] -= shared


@njit(nogil=True, cache=True)
@no_type_check
def point_steps(
    camera_step, poses, points, lens, groups, width, starts, frame, xy, whitening, robust, damping
) -> np.ndarray:
    """Step of every point, given the cameras'."""
    longest = np.diff(starts).max()
    by_camera, coupling, error = np.empty((longest, 2, width)), np.empty((longest, width, 3)), np.empty((longest, 2))
    steps, remaining, index = np.zeros((len(points), 3)), np.empty(3), np.empty(width, np.int64)
    for t in range(len(points)):
        start, end = starts[t], starts[t + 1]
        if start == end:
            continue
        inverse, gradient = point_system(
            start, end, poses, points[t], lens, frame, xy, whitening, robust, damping, by_camera, coupling, error
        )
        remaining[:] = gradient
        for n in range(end - start):
            fill_index(index, frame[start + n], len(poses), groups)
            for p in range(width):
                for i in range(3):
                    remaining[i] -= coupling[n, p, i] * camera_step[index[p]]
        for i in range(3):
            steps[t, i] = inverse[i, 0] * remaining[0] + inverse[i, 1] * remaining[1] + inverse[i, 2] * remaining[2]
    return steps


@njit(nogil=True, cache=True)
@no_type_check
def grouped_gradients(
    group, count, poses, points, lens, groups, width, starts, frame, xy, whitening, robust
) -> np.ndarray:
    """The share of each group of tracks in the gradient by poses and lens, every point being free."""
    longest = np.diff(starts).max()
    by_camera, coupling, error = np.empty((longest, 2, width)), np.empty((longest, width, 3)), np.empty((longest, 2))
    gradients, index = np.zeros((count, 6 * len(poses) + 2 + groups.max())), np.empty(width, np.int64)
    for t in range(len(points)):
        start, end = starts[t], starts[t + 1]
        if start == end:
            continue
        inverse, gradient = point_system(
            start, end, poses, points[t], lens, frame, xy, whitening, robust, 0.0, by_camera, coupling, error
        )
        step = inverse @ gradient
        for n in range(end - start):
            fill_index(index, frame[start + n], len(poses), groups)
            for p in range(width):
                own = by_camera[n, 0, p] * error[n, 0] + by_camera[n, 1, p] * error[n, 1]
                for i in range(3):
                    own -= coupling[n, p, i] * step[i]
                gradients[group[t], index[p]] += own
    return gradients
