"""Compositing of several objects' samples by compiled loops: one pass over rays, forwards and backwards."""

import math
from typing import no_type_check

import numpy as np
import torch
from torch import Tensor

from models.ops.compiled import njit
from models.ops.grid import ONE

LEAST_DEPTH = np.float32(1e-6)


@njit(nogil=True, cache=True)
@no_type_check
def merge_samples(
    ray, base, depth, tau, channels, scales, alone, sums
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
def merge_gradient(
    ray, depth, slope, channels, scales, alone, order, owner, weights, after, gradient
) -> tuple[np.ndarray, np.ndarray]:
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


def arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def shown(features: Tensor) -> np.ndarray:
    """Features whose colours have passed the sigmoid."""
    channels = features.detach().clone()
    channels[:, :3].sigmoid_()
    return channels.numpy()


def composite(
    optical_depth: Tensor,
    features: Tensor,
    depth: Tensor,
    ray: Tensor,
    owner: Tensor,
    rays: int,
    objects: int,
    alone: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Samples are brought into the loop's order: object by object, ray by ray, near before far."""
    by_object = np.lexsort(arrays(depth, ray, owner))
    by_object = by_object[ray.numpy()[by_object] < rays]
    base = np.searchsorted(owner.numpy()[by_object], np.arange(objects + 1))
    tau, z, row, values = (array[by_object] for array in (*arrays(optical_depth, depth, ray), shown(features)))
    sums, factors = depth.new_zeros(rays, objects, 4 + features.shape[1]), np.ones((rays, objects), z.dtype)
    order, _, *found = merge_samples(row, base, z, tau, values, factors, alone, sums.numpy())
    weights, after = torch.zeros_like(depth), torch.zeros_like(depth)
    for whole, part in zip((weights, after), found, strict=True):
        whole.numpy()[by_object] = part
    met = np.concatenate([by_object[order], np.flatnonzero(ray.numpy() >= rays)])
    return sums, torch.from_numpy(met), weights, after


def composite_backward(
    gradient: Tensor,
    features: Tensor,
    depth: Tensor,
    ray: Tensor,
    owner: Tensor,
    order: Tensor,
    weights: Tensor,
    after: Tensor,
    alone: bool,
) -> tuple[Tensor, Tensor]:
    wanted, z, row, k, met, weight, behind = arrays(gradient, depth, ray, owner, order, weights, after)
    met = met[row[met] < len(gradient)]
    factors, slope = np.ones(gradient.shape[:2], z.dtype), np.ones_like(z)
    found = merge_gradient(row, z, slope, shown(features), factors, alone, met, k, weight, behind, wanted)
    by_depth, by_feature = (torch.zeros_like(like) for like in (depth, features))
    for whole, part in zip((by_depth, by_feature), found, strict=True):
        whole.numpy()[met] = part[met]
    return by_depth, by_feature
