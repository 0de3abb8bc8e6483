"""Numbers of images, depths and label maps as the released code of other papers computes them, oddities included.

Pure functions of one view, except where a paper pools its views. Images are 8 bit, or numbers in [0, 1]; ids are small.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from skimage.metrics import structural_similarity
from torch import Tensor

from pipeline.evaluation.image_metrics import (
    PSNR_CAP_DB,
    SSIM_C1,
    SSIM_C2,
    SSIM_SIGMA,
    SSIM_WINDOW,
    intersection_over_union,
    overlap_counts,
    window_sum,
)

NSFF_RANGE = 2.0  # scikit-image took numbers for -1 to 1 when NSFF was released
FOUND_IOU = 0.5

Image = UInt8[np.ndarray, "height width rgb=3"]
Mask = Bool[np.ndarray, "height width"]
Depth = Float[np.ndarray, "height width"]


def channels(image: Image) -> Float[Tensor, "rgb=3 height width"]:
    """An image as numbers in [0, 1], channels first, precise enough for differences of squares."""
    return torch.from_numpy(np.ascontiguousarray(image)).double().movedim(-1, 0) / 255


def uint8_psnr_db(image: Image, target: Image) -> float:
    """OpenCV's PSNR of 8-bit images; at most PSNR_CAP_DB."""
    return min(float(cv2.PSNR(target, image)), PSNR_CAP_DB)


def uint8_ssim(image: Image, target: Image) -> float:
    """scikit-image's SSIM of 8-bit images: uniform windows of 7 pixels, sample covariances, borders left out."""
    return float(structural_similarity(target, image, channel_axis=-1))


def nsff_ssim_map(image: Image, target: Image) -> Float[np.ndarray, "height width rgb=3"]:
    """scikit-image's SSIM at every pixel, of numbers in [0, 1] that are taken for such between -1 and 1."""
    pair = target.astype(np.float64) / 255, image.astype(np.float64) / 255
    _, values = structural_similarity(*pair, channel_axis=-1, full=True, data_range=NSFF_RANGE)
    return values


def nsff_ssim(image: Image, target: Image) -> float:
    """The same over the whole image, borders left out."""
    pair = target.astype(np.float64) / 255, image.astype(np.float64) / 255
    return float(structural_similarity(*pair, channel_axis=-1, data_range=NSFF_RANGE))


def osn_ssim(image: Image, target: Image, mask: Mask) -> float:
    """OSN's masked SSIM: images and their squares are multiplied by the mask, and the mean is over all whole windows.

    Windows are not divided by how much of the mask they hold, so what lies outside counts as black and alike.
    """
    x, y, weight = channels(image), channels(target), torch.from_numpy(mask).double()
    mean_x, mean_y = window_sum(x * weight), window_sum(y * weight)
    variances = window_sum(x**2 * weight) - mean_x**2 + window_sum(y**2 * weight) - mean_y**2
    covariance = window_sum(x * y * weight) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    return float((luminance * (2 * covariance + SSIM_C2) / (variances + SSIM_C2)).mean())


def osn_depth_errors(depth: Depth, target: Depth, mask: Mask) -> tuple[float, float]:
    """OSN's scale- and shift-invariant MAE ("SSIMAE") and MSE: medians and mean absolute deviations are made equal.

    Of an even number of depths PyTorch's median is the lower of the two in the middle.
    """
    ours, wanted = (torch.from_numpy(values[mask].astype(np.float64)) for values in (depth, target))
    centre = wanted.median()
    shifted = ours - ours.median()
    spread = shifted.abs().mean().clamp_min(1e-10)
    errors = shifted / spread * (wanted - centre).abs().mean().clamp_min(1e-10) + centre - wanted
    return float(errors.abs().mean()), float((errors**2).mean())


def osn_miou(ids: UInt8[np.ndarray, "pixel"], target: UInt8[np.ndarray, "pixel"]) -> float:
    """OSN's mean IoU of a frame: over the ids of its truth, the background among them."""
    iou = np.diag(intersection_over_union(overlap_counts(ids, target)))
    return float(iou[np.unique(target)].mean())


def osn_panoptic_quality(pairs: list[tuple[UInt8[np.ndarray, "_"], UInt8[np.ndarray, "_"]]]) -> float:
    """OSN's panoptic quality of frames' (ids, true ids): the background is a segment as any other, sums are over frames."""
    quality = found = segments = 0.0
    for ids, target in pairs:
        best = intersection_over_union(overlap_counts(ids, target)).max(axis=0)
        quality += best[best >= FOUND_IOU].sum()
        found += (best >= FOUND_IOU).sum()
        segments += len(np.unique(ids)) + len(np.unique(target))
    return float(quality / (found + 0.5 * (segments - 2 * found)))


def dycheck_ssim(image: Image, target: Image, mask: Mask) -> float:
    """DyCheck's mSSIM: partial convolution, one axis after the other; windows without a pixel of the mask count as 1."""
    x, y, weight = channels(image), channels(target), torch.from_numpy(mask).double()
    mean_x, mean_y = partial_mean(x, weight), partial_mean(y, weight)
    variance_x = (partial_mean(x**2, weight) - mean_x**2).clamp_min(0)
    variance_y = (partial_mean(y**2, weight) - mean_y**2).clamp_min(0)
    covariance = partial_mean(x * y, weight) - mean_x * mean_y
    covariance = covariance.sign() * torch.minimum((variance_x * variance_y).sqrt(), covariance.abs())
    luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    return float((luminance * (2 * covariance + SSIM_C2) / (variance_x + variance_y + SSIM_C2)).mean())


def partial_mean(
    values: Float[Tensor, "channel height width"], weight: Float[Tensor, "height width"]
) -> Float[Tensor, "channel rows columns"]:
    """Gaussian windows over the mask's pixels, along rows and then columns, each divided by its share of such pixels.

    The share counts pixels alike, whatever their Gaussian weight; a row is inside where it has any.
    """
    offsets = torch.arange(SSIM_WINDOW, dtype=values.dtype) - SSIM_WINDOW // 2
    line = torch.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    line = line / line.sum()
    values, weight = values[:, None], weight[None, None]
    for shape in ((1, 1, 1, SSIM_WINDOW), (1, 1, SSIM_WINDOW, 1)):
        share = F.conv2d(weight, torch.ones(shape, dtype=values.dtype)) / SSIM_WINDOW
        sums = F.conv2d(values * weight, line.reshape(shape))
        values = torch.where(share > 0, sums / share.clamp_min(1e-12), 0.0)
        weight = (share > 0).double()
    return values[:, 0]
