"""Held-out views by the protocols of other papers: means over views, masks, and what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor

from pipeline.evaluation.lpips import Lpips
from pipeline.evaluation.protocols import PROTOCOLS, Shown, dycheck_numbers, item_findings, nsff_numbers, osn_numbers
from pipeline.evaluation.rendering import Target

RANDOM = np.random.default_rng(2)
TARGET = RANDOM.integers(60, 200, (2, 16, 20, 3)).astype(np.uint8)
IDS = np.zeros((2, 16, 20), np.uint8)
IDS[0, 4:9, 5:12] = 1
SEEN = np.zeros((2, 16, 20), bool)
SEEN[0, :8] = True
DEPTH = RANDOM.uniform(1, 4, (2, 16, 20))
SHOWN = Shown(TARGET + np.array([2, 10], np.uint8)[:, None, None, None], IDS, DEPTH, Target(TARGET, IDS, DEPTH, SEEN))


def psnr(levels: float) -> float:
    return float(20 * np.log10(255 / levels))


class FlatLpips(Lpips):
    """A distance that is the mean difference of channels."""

    def __init__(self) -> None:
        pass

    def map(self, image: Tensor, target: Tensor) -> Tensor:
        return (image - target).abs().mean(-1)

    def layer_mean(self, image: Tensor, target: Tensor) -> float:
        return self.distance(image, target)


def test_osns_numbers_are_means_over_views_of_the_whole_and_of_what_is_covisible() -> None:
    numbers = osn_numbers(SHOWN, FlatLpips())
    assert set(numbers) == set(PROTOCOLS["osn"].metrics)
    assert numbers["psnr_db"] == pytest.approx((psnr(2) + psnr(10)) / 2, abs=1e-4)
    assert numbers["psnr_db_covisible"] == pytest.approx(psnr(2), abs=1e-4)  # the other view has no such pixel
    assert numbers["lpips_covisible"] == pytest.approx(2 / 255, abs=1e-6)
    assert numbers["miou"] == numbers["panoptic_quality"] == 1 and numbers["depth_mae"] == pytest.approx(0, abs=1e-9)


def test_nsffs_dynamic_numbers_are_of_moving_pixels_in_the_views_that_have_some() -> None:
    images = SHOWN.images.copy()
    images[0][IDS[0] == 1] = TARGET[0][IDS[0] == 1] + 20
    numbers = nsff_numbers(replace(SHOWN, images=images), FlatLpips())
    assert set(numbers) == set(PROTOCOLS["nsff"].metrics)
    assert numbers["psnr_db_dynamic"] == pytest.approx(psnr(20), abs=1e-4)
    assert numbers["lpips_dynamic"] == pytest.approx(20 / 255, abs=1e-6)


def test_dycheck_judges_covisible_pixels_alone() -> None:
    numbers = dycheck_numbers(SHOWN, FlatLpips())
    assert numbers["psnr_db_covisible"] == pytest.approx(psnr(2), abs=1e-4)
    assert set(numbers) <= set(PROTOCOLS["dycheck"].metrics)


def test_the_best_of_several_sets_is_taken_number_by_number() -> None:
    first, second = (dict.fromkeys(PROTOCOLS["osn"].metrics, value) for value in (1.0, 2.0))
    each = [first | {"psnr_db": 20.0}, second | {"psnr_db": 25.0}]
    found = item_findings("osn", "osn", "held_out_oracle", each, SHOWN.target, None)
    values = {row.metric: row.value for row in found.rows}
    assert (values["psnr_db"], values["ssim"], values["depth_mae"], values["candidates"]) == (25.0, 2.0, 1.0, 2.0)
    assert {row.protocol for row in found.rows} == {"osn"} and not found.missing


def test_each_number_that_is_missing_has_its_own_reason() -> None:
    bare = Target(TARGET, None, None, np.zeros_like(SEEN))
    numbers = osn_numbers(replace(SHOWN, target=bare), None)
    found = item_findings("osn", "osn", "held_out", [numbers], bare, None)
    reasons = {entry.metric: entry.reason for entry in found.missing}
    assert {row.metric for row in found.rows} == {"psnr_db", "ssim"}
    assert "weights" in reasons["lpips"] and "no depth" in reasons["depth_mae"] and "no object ids" in reasons["miou"]
    assert "enough frames" in reasons["psnr_db_covisible"] and "no object ids" in reasons["panoptic_quality"]
