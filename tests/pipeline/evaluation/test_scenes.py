"""Numbers over several true scenes, on images that are known."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.scenes import comparison_findings, valid_scenes_findings
from pipeline.formats.renders_folder import Renders, planned_set, write_set
from pipeline.truth.truth_file import TrueScenes, Truth, TruthViews

SIZE, VIEWS = (24, 32), 3
RANDOM = np.random.default_rng(0)
FILMED = RANDOM.integers(60, 200, (VIEWS, *SIZE, 3)).astype(np.uint8)
DEPTH = RANDOM.uniform(1, 5, (VIEWS, *SIZE)).astype(np.float32)
IDS = np.zeros((VIEWS, *SIZE), np.uint8)


def truth(shifts: list[int]) -> Truth:
    """Each further scene is brighter than the filmed one by a number of grey levels; views 0 and 2 show them."""
    poses, none = np.tile(np.eye(4), (VIEWS, 1, 1)), np.zeros((VIEWS, 0, 4, 4))
    views = TruthViews(FILMED, DEPTH, IDS, poses, none, np.arange(VIEWS))
    rows = np.array([0, 2])
    images = np.stack([FILMED[rows] + shift for shift in shifts]).astype(np.uint8)
    depth, ids = np.stack([DEPTH[rows]] * len(shifts)), np.stack([IDS[rows]] * len(shifts))
    scenes = TrueScenes(np.ones((len(shifts), 1)), rows, images, depth, ids)
    return Truth(views, views, DEPTH[None], 30.0, scenes)


def written(folder: Path, sets: list[tuple[str, str, int, int]]) -> Renders:
    """Name, kind, true scene and brightness of each set."""
    entries = []
    for name, kind, row, shift in sets:
        entry = planned_set(name, kind, [1.0], 1.0, [0, 2], views=[0, 2], scene_row=row, fps=1.0)
        for part in (entry.images, entry.ids):
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
        write_set(folder, entry, (FILMED[[0, 2]] + shift).astype(np.uint8), IDS[[0, 2]], DEPTH[[0, 2]])
        entries.append(entry)
    return Renders(method="osn", valid_scales=9, object_ids=[0], sets=entries)


def psnr(levels: float) -> float:
    return float(20 * np.log10(255 / levels))


def test_the_best_candidate_of_every_true_scene_counts_and_a_fixed_one_must_serve_all(tmp_path: Path):
    sets = [
        ("scene_000_0", "scene", 0, 14),
        ("scene_000_1", "scene", 0, 11),
        ("scene_001_0", "scene", 1, 32),
        ("fixed_middle", "fixed", -1, 20),
        ("sample_000", "sample", -1, 5),
        ("sample_001", "sample", -1, 10),
    ]
    findings = comparison_findings(tmp_path, written(tmp_path, sets), truth([10, 30]), None)
    table = {(row.item, row.metric): row.value for row in findings.rows}
    assert table["scenes", "psnr_db"] == pytest.approx((psnr(1) + psnr(2)) / 2, abs=1e-3)
    assert table["scenes", "psnr_db_std"] == pytest.approx((psnr(1) - psnr(2)) / 2, abs=1e-3)
    assert table["scenes_fixed_middle", "psnr_db"] == pytest.approx(psnr(10), abs=1e-3)
    assert table["scenes_fixed_middle", "psnr_db_std"] == pytest.approx(0, abs=1e-4)
    assert table["fixed_middle", "psnr_db"] == pytest.approx(psnr(20), abs=1e-3)
    assert ("fixed_middle", "psnr_db_std") not in table
    assert table["samples", "psnr_db"] == pytest.approx((psnr(5) + psnr(10)) / 2, abs=1e-3)
    assert table["samples", "psnr_db_std"] == pytest.approx((psnr(5) - psnr(10)) / 2, abs=1e-3)
    assert table["scenes", "depth_mae"] == pytest.approx(0, abs=2e-3)
    assert not any(metric.startswith("lpips") for _, metric in table)


def test_without_comparisons_there_are_no_numbers(tmp_path: Path):
    listed = written(tmp_path, [("held_out_000", "held_out", -1, 0)])
    assert comparison_findings(tmp_path, listed, truth([1]), None).rows == []


def test_the_least_alike_valid_scenes_are_told(tmp_path: Path):
    listed = written(
        tmp_path, [("scales_000", "scales", -1, 0), ("scales_001", "scales", -1, 1), ("scales_002", "scales", -1, 4)]
    )
    values = {row.metric: row.value for row in valid_scenes_findings(tmp_path, listed).rows}
    assert values["same_view_psnr_db"] == pytest.approx(psnr(4), abs=1e-3)
    assert "one valid scene" in valid_scenes_findings(tmp_path, written(tmp_path, [])).missing[0].reason
