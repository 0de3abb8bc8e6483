"""Other papers' formulas, written out as loops over windows, pixels and segments."""

import numpy as np
import pytest
from scipy.signal import convolve2d

from pipeline.evaluation.protocol_metrics import (
    dycheck_ssim,
    nsff_ssim,
    nsff_ssim_map,
    osn_depth_errors,
    osn_miou,
    osn_panoptic_quality,
    osn_ssim,
    uint8_psnr_db,
    uint8_ssim,
)

HEIGHT, WIDTH = 19, 23
RANDOM = np.random.default_rng(4)
TARGET = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
IMAGE = (TARGET.astype(int) + RANDOM.integers(-40, 41, TARGET.shape)).clip(0, 255).astype(np.uint8)
MASK = RANDOM.random((HEIGHT, WIDTH)) > 0.4
MASK[:, :12] = False  # whole windows lie outside
GAUSS = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
GAUSS /= GAUSS.sum()
C1, C2 = 1e-4, 9e-4


def window_values(array: np.ndarray, size: int) -> list[np.ndarray]:
    """All whole windows, row by row."""
    rows, columns = (length - size + 1 for length in array.shape[:2])
    return [array[y : y + size, x : x + size] for y in range(rows) for x in range(columns)]


def test_uint8_psnr_is_that_of_the_mean_squared_difference_of_levels() -> None:
    mean = ((IMAGE.astype(float) - TARGET.astype(float)) ** 2).mean()
    assert uint8_psnr_db(IMAGE, TARGET) == pytest.approx(10 * np.log10(255**2 / mean), abs=1e-6)


@pytest.mark.parametrize(("found", "full"), [(uint8_ssim, 255.0), (nsff_ssim, 2.0)])
def test_ssim_of_uniform_windows_with_sample_covariances(found, full: float) -> None:
    unit = 1.0 if found is uint8_ssim else 1 / 255
    values = []
    for x, y in zip(window_values(IMAGE * unit, 7), window_values(TARGET * unit, 7), strict=True):
        for a, b in zip(x.reshape(49, 3).T, y.reshape(49, 3).T, strict=True):
            (va, cov), (_, vb) = np.cov(a, b)
            top = (2 * a.mean() * b.mean() + (0.01 * full) ** 2) * (2 * cov + (0.03 * full) ** 2)
            bottom = (a.mean() ** 2 + b.mean() ** 2 + (0.01 * full) ** 2) * (va + vb + (0.03 * full) ** 2)
            values.append(top / bottom)
    assert found(IMAGE, TARGET) == pytest.approx(np.mean(values), abs=1e-6)


def test_the_map_of_ssim_has_the_mean_of_its_inside() -> None:
    assert nsff_ssim_map(IMAGE, TARGET)[3:-3, 3:-3].mean() == pytest.approx(nsff_ssim(IMAGE, TARGET), abs=1e-6)


def test_osns_ssim_multiplies_images_and_their_squares_by_the_mask() -> None:
    x, y, window = IMAGE / 255, TARGET / 255, np.outer(GAUSS, GAUSS)[..., None]
    values = []
    for a, b, m in zip(*(window_values(array, 11) for array in (x, y, MASK[..., None].astype(float))), strict=True):
        ma, mb = (window * a * m).sum((0, 1)), (window * b * m).sum((0, 1))
        va, vb = (window * a**2 * m).sum((0, 1)) - ma**2, (window * b**2 * m).sum((0, 1)) - mb**2
        cov = (window * a * b * m).sum((0, 1)) - ma * mb
        values.append((2 * ma * mb + C1) * (2 * cov + C2) / ((ma**2 + mb**2 + C1) * (va + vb + C2)))
    assert osn_ssim(IMAGE, TARGET, MASK) == pytest.approx(np.mean(values), abs=1e-6)


def test_dychecks_ssim_is_a_partial_convolution_along_one_axis_and_then_the_other() -> None:
    def blurred(channel: np.ndarray) -> np.ndarray:
        inside = MASK.astype(float)
        for line in (GAUSS[None], GAUSS[:, None]):
            count = convolve2d(inside, np.ones_like(line), mode="valid").round()
            sums = convolve2d(channel * inside, line, mode="valid")
            channel = np.divide(sums * 11, count, out=np.zeros_like(sums), where=count > 0)
            inside = (count > 0).astype(float)
        return channel

    maps = []
    for a, b in zip((IMAGE / 255).transpose(2, 0, 1), (TARGET / 255).transpose(2, 0, 1), strict=True):
        ma, mb = blurred(a), blurred(b)
        va, vb = (blurred(a * a) - ma**2).clip(0), (blurred(b * b) - mb**2).clip(0)
        cov = blurred(a * b) - ma * mb
        cov = np.sign(cov) * np.minimum(np.sqrt(va * vb), np.abs(cov))
        maps.append((2 * ma * mb + C1) * (2 * cov + C2) / ((ma**2 + mb**2 + C1) * (va + vb + C2)))
    assert dycheck_ssim(IMAGE, TARGET, MASK) == pytest.approx(np.mean(maps), abs=1e-6)


def test_osns_depth_errors_by_hand() -> None:
    target = np.array([[1.0, 2.0, 4.0, 8.0, 99.0]], np.float32)
    depth = np.array([[10.0, 30.0, 20.0, 60.0, 0.0]], np.float32)
    mask = np.array([[True, True, True, True, False]])
    spread, wanted = np.mean([10, 10, 0, 40]), np.mean([1, 0, 2, 6])  # medians 20 and 2: the lower ones of four
    aligned = np.array([-10, 10, 0, 40]) / spread * wanted + 2
    errors = aligned - [1, 2, 4, 8]
    mae, mse = osn_depth_errors(depth, target, mask)
    assert mae == pytest.approx(np.abs(errors).mean(), abs=1e-6)
    assert mse == pytest.approx((errors**2).mean(), abs=1e-6)


def test_osns_miou_is_over_the_ids_of_truth_and_its_panoptic_quality_over_all_segments() -> None:
    pairs = [(RANDOM.integers(0, 4, 60).astype(np.uint8), RANDOM.integers(0, 3, 60).astype(np.uint8)) for _ in "ab"]
    pairs[0][0][:50] = pairs[0][1][:50]
    ious, best, segments = [], [], 0
    for ids, target in pairs:
        overlap = {
            (t, e): ((target == t) & (ids == e)).sum() / ((target == t) | (ids == e)).sum()
            for t in np.unique(target)
            for e in np.unique(ids)
        }
        ious.append(np.mean([overlap.get((t, t), 0.0) for t in np.unique(target)]))
        best += [max(overlap[t, e] for t in np.unique(target)) for e in np.unique(ids)]
        segments += len(np.unique(ids)) + len(np.unique(target))
    found = [iou for iou in best if iou >= 0.5]
    assert found and len(found) < segments / 2
    assert [osn_miou(*pair) for pair in pairs] == pytest.approx(ious, abs=1e-6)
    assert osn_panoptic_quality(pairs) == pytest.approx(sum(found) / (len(found) + (segments - 2 * len(found)) / 2))
