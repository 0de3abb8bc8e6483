"""Numbers that say how alike two images, depths, label maps or flows are. Pure functions; images are in [0, 1].

Image metrics are taken for each view and then averaged, never over the pooled pixels of all views. The few lines of
PSNR, SSIM and panoptic quality are here, and held to torchmetrics' by a test: its import costs every stage 6 seconds.
"""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

PSNR_CAP_DB = 100.0  # equal images have no finite PSNR
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
MATCHED_IOU = 0.5  # above it, at most one estimated segment can match a true one


def to_unit(images: UInt8[np.ndarray, "*batch height width rgb=3"]) -> Float[Tensor, "*batch height width rgb=3"]:
    """8-bit images as numbers in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 255


def psnr_db(image: Float[Tensor, "height width rgb=3"], target: Float[Tensor, "height width rgb=3"]) -> float:
    """Peak signal-to-noise ratio; at most PSNR_CAP_DB."""
    return masked_psnr_db(image, target, torch.ones(image.shape[:2], dtype=torch.bool, device=image.device))


def masked_psnr_db(
    image: Float[Tensor, "height width rgb=3"],
    target: Float[Tensor, "height width rgb=3"],
    mask: Bool[Tensor, "height width"],
) -> float:
    """PSNR of the mean squared error over the mask's pixels."""
    error = float(((image - target) ** 2)[mask].mean())
    return min(-10 * float(np.log10(error)), PSNR_CAP_DB) if error > 0 else PSNR_CAP_DB


def ssim(image: Float[Tensor, "height width rgb=3"], target: Float[Tensor, "height width rgb=3"]) -> float:
    """Structural similarity over windows of 11 pixels, Gaussian of 1.5, images mirrored at their borders."""
    return float(ssim_map(image, target).mean())


def masked_ssim(
    image: Float[Tensor, "height width rgb=3"],
    target: Float[Tensor, "height width rgb=3"],
    mask: Bool[Tensor, "height width"],
) -> float:
    """Structural similarity by partial convolution: each window sees only its pixels inside the mask.

    The mean is over windows centred inside the mask. Multiplying both images by the mask, as the official code of
    OSN does, counts the mask's own border as structure that agrees. Borders are mirrored, as in the plain `ssim`.
    """
    return float(ssim_map(image, target, mask)[:, mask].mean())


def ssim_map(
    image: Float[Tensor, "height width rgb=3"],
    target: Float[Tensor, "height width rgb=3"],
    mask: Bool[Tensor, "height width"] | None = None,
) -> Float[Tensor, "rgb=3 height width"]:
    """Structural similarity of the window around each pixel, and channel; windows see only pixels inside a mask."""
    if mask is None:
        mask = torch.ones(image.shape[:2], dtype=torch.bool, device=image.device)
    x, y, weight = (
        mirrored(part) for part in (image.movedim(-1, 0), target.movedim(-1, 0), mask.to(image.dtype)[None])
    )
    total = window_sum(weight)

    def mean(values: Float[Tensor, "channel height width"]) -> Float[Tensor, "channel rows columns"]:
        return window_sum(values * weight) / total.clamp_min(1e-8)

    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + SSIM_C1) / (mean_x**2 + mean_y**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (variance_x.clamp_min(0) + variance_y.clamp_min(0) + SSIM_C2)
    return luminance * structure


def mirrored(values: Float[Tensor, "channel height width"]) -> Float[Tensor, "channel rows columns"]:
    """Half a window more on every side."""
    return F.pad(values, [SSIM_WINDOW // 2] * 4, mode="reflect")


def window_sum(values: Float[Tensor, "channel height width"]) -> Float[Tensor, "channel rows columns"]:
    """Gaussian-weighted sums over all whole windows."""
    offsets = torch.arange(SSIM_WINDOW, dtype=values.dtype, device=values.device) - SSIM_WINDOW // 2
    line = torch.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    line = line / line.sum()
    rows = F.conv2d(values[:, None], line[None, None, :, None])
    return F.conv2d(rows, line[None, None, None, :])[:, 0]


def depth_mae(depth: Float[np.ndarray, "height width"], target: Float[np.ndarray, "height width"]) -> float:
    """Mean absolute error in the target's units, after depth is given its median and mean absolute deviation."""
    return float(np.abs(depth_errors(depth, target)).mean())


def depth_mse(depth: Float[np.ndarray, "height width"], target: Float[np.ndarray, "height width"]) -> float:
    """Mean squared error after the same alignment."""
    return float((depth_errors(depth, target) ** 2).mean())


def depth_errors(
    depth: Float[np.ndarray, "height width"], target: Float[np.ndarray, "height width"]
) -> Float[np.ndarray, "pixel"]:
    """Differences in the target's units where that is known, after depth is given its median and mean absolute deviation."""
    known = np.isfinite(target) & (target > 0)
    depth, target = depth[known], target[known]
    shifted, wanted = depth - np.median(depth), target - np.median(target)
    spread = np.abs(shifted).mean()
    scale = np.abs(wanted).mean() / spread if spread > 0 else 0.0
    return scale * shifted - wanted


def endpoint_errors(
    flow: Float[np.ndarray, "*batch xy=2"], target: Float[np.ndarray, "*batch xy=2"]
) -> Float[np.ndarray, "*batch"]:
    """Length of the difference of flows, pixels."""
    return np.linalg.norm(flow - target, axis=-1)


def overlap_counts(
    ids: UInt8[np.ndarray, "*batch"], target: UInt8[np.ndarray, "*batch"], count: int = 256
) -> Int[np.ndarray, "target estimate"]:
    """How many pixels have each true id (row) and each estimated id (column)."""
    pairs = target.astype(np.int64).ravel() * count + ids.ravel()
    return np.bincount(pairs, minlength=count * count).reshape(count, count)


def intersection_over_union(counts: Int[np.ndarray, "target estimate"]) -> Float[np.ndarray, "target estimate"]:
    """IoU of every true id with every estimated one; 0 where neither occurs."""
    union = counts.sum(1, keepdims=True) + counts.sum(0, keepdims=True) - counts
    return counts / np.maximum(union, 1)


def panoptic_quality(
    ids: UInt8[np.ndarray, "view height width"], target: UInt8[np.ndarray, "view height width"]
) -> float:
    """Panoptic quality (Kirillov et al., 2019): mean of the background, one segment a view, and of objects, one class."""
    totals = np.zeros((3, 2))
    for view, true_view in zip(ids, target, strict=True):
        counts = overlap_counts(view, true_view)
        iou = np.where(there_and_same_class(counts), intersection_over_union(counts), 0)
        estimated, true = counts.sum(0) > 0, counts.sum(1) > 0
        matched = iou * (iou > MATCHED_IOU)
        for row, values in enumerate((matched.max(0), estimated, true)):
            totals[row] += values[0].sum(), values[1:].sum()
    iou_sum, estimated_segments, true_segments = totals
    segments = (estimated_segments + true_segments) / 2
    return float((iou_sum[segments > 0] / segments[segments > 0]).mean())


def there_and_same_class(counts: Int[np.ndarray, "target estimate"]) -> Bool[np.ndarray, "target estimate"]:
    """Pairs of segments that overlap and are both background or both objects."""
    is_object = np.arange(len(counts)) > 0
    return (counts > 0) & (is_object[:, None] == is_object)
