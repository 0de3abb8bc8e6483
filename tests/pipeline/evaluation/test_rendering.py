"""Renders judged by images, ids and depth that are known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.rendering import (
    LEAST_COVISIBLE,
    Target,
    held_out_findings,
    image_values,
    label_values,
    observed_findings,
    resized_depths,
    resized_images,
)
from pipeline.formats.metrics_table import Findings
from pipeline.formats.renders_folder import Renders, planned_set, write_set
from tests.analytic_world import FRAMES, analytic_scene, analytic_truth

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)
SIZE = TRUTH.test.images.shape[1:3]


def psnr(levels: float) -> float:
    return float(20 * np.log10(255 / levels))


def values(findings: Findings) -> dict[tuple[str, str], float]:
    return {(row.item, row.metric): row.value for row in findings.rows}


def test_numbers_are_taken_for_each_view_and_then_averaged() -> None:
    target = np.full((2, 16, 16, 3), 100, np.uint8)
    images = np.stack([target[0] + 1, target[1] + 10])
    assert image_values(images, Target(target, np.zeros((2, 16, 16), np.uint8)), None)["psnr_db"] == pytest.approx(
        (psnr(1) + psnr(10)) / 2, abs=1e-3
    )


def test_covisible_numbers_are_those_of_covisible_pixels_in_views_that_have_enough() -> None:
    target = np.full((2, 20, 20, 3), 100, np.uint8)
    images = target.copy()
    images[0, :10] += 2
    images[0, 10:] += 50
    seen = np.zeros((2, 20, 20), bool)
    seen[0, :10], seen[1, 0, :3] = True, True  # 3 of 400 pixels are below the least share
    assert LEAST_COVISIBLE > 3 / 400
    found = image_values(images, Target(target, np.zeros((2, 20, 20), np.uint8), None, seen), None)
    assert found["psnr_db_covisible"] == pytest.approx(psnr(2), abs=1e-3)
    none = image_values(images, Target(target, np.zeros((2, 20, 20), np.uint8), None, np.zeros_like(seen)), None)
    assert "psnr_db_covisible" not in none


def test_ignored_pixels_do_not_count() -> None:
    target = np.zeros((1, 4, 4), np.uint8)
    target[0, :2], target[0, 3] = 1, 255
    ids = np.zeros_like(target)
    ids[0, :1], ids[0, 3] = 1, 1
    found = label_values(ids, target)
    assert found["miou"] == pytest.approx((4 / 8 + 4 / 8) / 2)


def rendered(folder: Path, kind: str, shifts: list[int], rows: list[int]) -> Renders:
    """Truth's own test views, brighter by a number of levels, one set for each."""
    entries = []
    for number, shift in enumerate(shifts):
        entry = planned_set(f"{kind}_{number:03d}", kind, [1.0, 1.0, 1.0], 1.0, rows, views=rows, fps=1.0)
        images = (TRUTH.test.images[rows].astype(int) + shift).clip(0, 255).astype(np.uint8)
        write_set(folder, entry, images, TRUTH.test.object_ids[rows], TRUTH.test.depth[rows])
        entries.append(entry)
    return Renders(method="osn", valid_scales=9, object_ids=[0, 1, 2], sets=entries)


def test_the_best_candidate_stands_for_the_held_out_views(tmp_path: Path) -> None:
    same = {k: k for k in range(3)}
    found, best = held_out_findings(
        tmp_path, rendered(tmp_path, "held_out", [9, 2], [1, 4]), TRUTH, np.arange(FRAMES), same, None
    )
    table = values(found)
    assert best is not None and best.name == "held_out_001"
    assert table["held_out", "psnr_db"] == table["held_out_001", "psnr_db"] > table["held_out_000", "psnr_db"] + 10
    assert table["held_out", "miou"] == 1 and table["held_out", "panoptic_quality"] == 1
    assert table["held_out", "depth_mae"] == pytest.approx(0, abs=2e-3)
    assert ("held_out_001", "miou") not in table
    assert {row.metric for row in found.missing} == {"lpips"}


def test_ids_are_compared_through_the_matching(tmp_path: Path) -> None:
    listed = rendered(tmp_path, "held_out", [0], [2])
    swapped, _ = held_out_findings(tmp_path, listed, TRUTH, np.arange(FRAMES), {0: 0, 1: 2, 2: 1}, None)
    rest = float((TRUTH.test.object_ids[2] == 0).sum() > 0) / len(np.unique(TRUTH.test.object_ids[2]))
    assert values(swapped)["held_out", "miou"] == pytest.approx(rest)


def test_without_candidates_the_reason_is_told(tmp_path: Path) -> None:
    found, best = held_out_findings(
        tmp_path, rendered(tmp_path, "held_out", [], [0]), TRUTH, np.arange(FRAMES), {}, None
    )
    assert best is None and found.rows == [] and "no held-out view was rendered" in found.missing[0].reason


def test_observed_views_are_judged_in_the_ids_of_the_masks(tmp_path: Path) -> None:
    ids = [0, 4, 9]
    scene = replace(
        SCENE, objects=[{**entry, "id": identity} for entry, identity in zip(SCENE.objects, ids, strict=True)]
    )
    entry = planned_set("observed", "observed", [1.0] * 3, 1.0, [0, 3], fps=1.0)
    shown = np.array(ids, np.uint8)[scene.object_ids[[0, 3]]]
    write_set(tmp_path, entry, scene.images[[0, 3]], shown, np.ones(shown.shape, np.float32))
    table = values(
        observed_findings(tmp_path, Renders(method="osn", valid_scales=1, object_ids=ids, sets=[entry]), scene, None)
    )
    assert table["observed", "psnr_db"] == 100 and table["observed", "miou"] == 1


def test_images_are_averaged_over_areas_and_depth_is_never_mixed() -> None:
    checks = np.indices((4, 4)).sum(0) % 2
    images = (200 * checks).astype(np.uint8)[None, ..., None].repeat(3, -1)
    assert (resized_images(images, 2, 2) == 100).all()
    assert set(np.unique(resized_depths(checks[None].astype(np.float32), 2, 2))) <= {0.0, 1.0}
