"""Evaluation of a scene that is known exactly."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.config import EvaluateConfig, Protocol
from pipeline.evaluate import known_in_scene_and_frames
from pipeline.evaluation.protocols import PROTOCOLS
from pipeline.evaluation.scales import TrueRegion, true_region
from pipeline.formats.lens import Lens, undistortion
from pipeline.formats.masks_file import read_masks, write_masks
from pipeline.formats.metrics_table import COLUMNS, MEANINGS, Findings, Row, read_metrics
from pipeline.formats.scene_file import write_scene
from pipeline.runtime.errors import StageError
from pipeline.truth.covisibility import covisible, times_seen
from pipeline.truth.truth_file import write_truth
from tests.analytic_world import FRAMES, TRUE_SCALES
from tests.pipeline.judged_scene import FLOW_ERROR_PX, JudgedScene, judged_scene


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        scene = judged_scene(tmp_path_factory.mktemp("scene"), patch)
        scene.render()
        scene.evaluate()
        yield scene


def value(scene: JudgedScene, metric: str, item: str = "all", stage: str | None = None) -> float:
    """The one number of a metric and item."""
    table = read_metrics(scene / "metrics.csv")
    rows = table[(table.metric == metric) & (table["item"] == item) & (stage is None or table.stage == stage)]
    assert len(rows) == 1, rows
    return float(rows["value"].iloc[0])


def missing(scene: JudgedScene) -> dict[str, str]:
    """Metric -> reason of all missing numbers."""
    return {row["metric"]: row["reason"] for row in json.loads((scene / "evaluation.json").read_text())["missing"]}


def test_flow_that_is_half_a_pixel_off_is_half_a_pixel_off(judged: JudgedScene) -> None:
    assert value(judged, "epe_px") == pytest.approx(FLOW_ERROR_PX, abs=1e-5)
    assert value(judged, "outliers_1px_percent") == 0


def test_exact_masks_and_poses_have_no_error(judged: JudgedScene) -> None:
    assert value(judged, "miou", stage="segment_objects") == 1
    assert value(judged, "id_switches") == 0
    for item in "012":
        assert value(judged, "rotation_error_deg", item) < 1e-4
        assert value(judged, "trajectory_error_percent", item) < 1e-3
    assert value(judged, "focal_error_percent") == pytest.approx(0, abs=1e-9)


def test_verdicts_and_their_numbers_are_passed_on(judged: JudgedScene) -> None:
    assert [value(judged, "verdict", item) for item in "012"] == [2, 2, 1]
    assert value(judged, "registered_frames", "1") == FRAMES
    assert value(judged, "reprojection_error_px", "0") == 0.25


def test_exact_renders_at_the_true_scale_are_nearly_perfect(judged: JudgedScene) -> None:
    assert value(judged, "psnr_db", "held_out") > 35
    assert value(judged, "psnr_db", "held_out") == value(judged, "psnr_db", "held_out_000")
    assert value(judged, "psnr_db", "held_out_001") < value(judged, "psnr_db", "held_out") - 3
    assert value(judged, "ssim", "held_out") > 0.99
    assert value(judged, "psnr_db_covisible", "held_out") > 35
    assert value(judged, "panoptic_quality", "held_out") > 0.97
    assert value(judged, "miou", "held_out", "render_views") > 0.97
    assert value(judged, "depth_mae", "held_out") < 0.05


def test_the_nearest_valid_scale_and_the_valid_region_are_judged(judged: JudgedScene) -> None:
    assert value(judged, "scale_error_percent", "1") == pytest.approx(0, abs=1e-3)
    suggested = judged.method.scales[0, 1] / TRUE_SCALES[1] - 1
    assert value(judged, "suggested_scale_error_percent", "1") == pytest.approx(100 * abs(float(suggested)), abs=1e-3)
    assert 0.2 < value(judged, "valid_fraction") < 0.8
    assert 0 < value(judged, "valid_region_iou") <= 1
    maps = json.loads((judged / "evaluation.json").read_text())["validity"]["osn"]
    assert len(maps) == 1 and maps[0]["objects"] == [1, 2]
    assert maps[0]["true_scales"] == pytest.approx(TRUE_SCALES[1:].tolist(), rel=1e-3)
    assert np.array(maps[0]["score"]).shape == np.array(maps[0]["true"]).shape


def test_valid_scenes_look_alike_only_from_where_the_camera_was(judged: JudgedScene) -> None:
    assert value(judged, "same_view_psnr_db") > 30 > value(judged, "new_view_psnr_db")


def test_time_and_memory_are_those_of_the_records(judged: JudgedScene) -> None:
    table = read_metrics(judged / "metrics.csv")
    seconds = table[table.metric == "seconds"].set_index("stage")
    assert seconds["value"].to_dict() == dict.fromkeys(["estimate_flow", "train_osn", "render_views"], 12.5)
    assert seconds["method"].to_dict() == {"estimate_flow": "", "train_osn": "osn", "render_views": "osn"}


def test_the_table_is_tidy_and_every_number_has_a_meaning(judged: JudgedScene) -> None:
    table = pd.read_csv(judged / "metrics.csv")
    assert tuple(table.columns) == COLUMNS
    assert set(table.metric) <= set(MEANINGS)
    assert not table.duplicated(["stage", "method", "protocol", "item", "metric"]).any()
    assert np.isfinite(table["value"]).all()


def test_each_protocols_numbers_carry_its_name_and_none_is_left_out_in_silence(judged: JudgedScene) -> None:
    settings = EvaluateConfig(protocols=list(get_args(Protocol)))
    judged.evaluate(config=settings)
    table = read_metrics(judged / "metrics.csv")
    held_out = table[(table.stage == "render_views") & (table["item"] == "held_out")]
    absent = json.loads((judged / "evaluation.json").read_text())["missing"]
    for name, protocol in PROTOCOLS.items():
        told = set(held_out[held_out.protocol == name].metric)
        missing_here = {row["metric"]: row["reason"] for row in absent if row["protocol"] == name}
        assert told | set(missing_here) >= set(protocol.metrics) and told, name
        assert all(reason for reason in missing_here.values())
    assert {row["metric"] for row in absent if row["protocol"] == "semantic_flow"} >= {"miou", "total_accuracy"}
    own = table[table.protocol == "monoverse"]
    assert not own.duplicated(["stage", "method", "item", "metric"]).any()
    oracle = table[(table.protocol == "osn") & (table["item"] == "held_out_oracle")].set_index("metric")["value"]
    assert oracle["candidates"] == 2 and oracle["psnr_db"] == value_of(held_out, "osn", "psnr_db")


def value_of(table: pd.DataFrame, protocol: str, metric: str) -> float:
    return float(table[(table.protocol == protocol) & (table.metric == metric)]["value"].iloc[0])


def test_the_protocol_of_truth_is_judged_by_and_an_unknown_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    write_truth(tmp_path / "truth.h5", replace(scene.truth, protocol="dynnerf"))
    scene.render()
    scene.evaluate()
    assert set(read_metrics(scene / "metrics.csv").protocol) == {"monoverse", "dynnerf"}
    write_truth(tmp_path / "truth.h5", replace(scene.truth, protocol="theirs"))
    scene.evaluate()
    absent = json.loads((scene / "evaluation.json").read_text())["missing"]
    assert any(row["protocol"] == "theirs" and "known are osn, dynnerf" in row["reason"] for row in absent)


def test_lpips_without_weights_is_missing_with_the_way_to_get_it(judged: JudgedScene) -> None:
    assert "weights" in missing(judged)["lpips"]
    assert "lpips" not in set(read_metrics(judged / "metrics.csv").metric)


def test_without_truth_the_rest_is_still_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    scene.render(with_truth=False)
    scene.evaluate(with_truth=False)
    assert value(scene, "psnr_db", "observed") > 35
    assert value(scene, "verdict", "0") == 2
    assert value(scene, "valid_fraction") > 0
    reasons = missing(scene)
    for metric in ("epe_px", "miou", "rotation_error_deg", "psnr_db", "valid_region_iou", "scale_error_percent"):
        assert "no truth" in reasons[metric]


def test_a_scene_without_moving_objects_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch, objects=1)
    scene.method.scales, scene.method.scores = torch.ones(1, 1), torch.ones(1)
    scene.render()
    scene.evaluate()
    assert value(scene, "miou", "truth 1", "segment_objects") == 0
    assert "one valid scene" in missing(scene)["same_view_psnr_db"]


def test_swapped_ids_are_matched_and_an_object_that_is_none_has_no_pose_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    ids = read_masks(tmp_path / "masks.h5")
    write_masks(tmp_path / "masks.h5", np.where(ids == 1, 0, ids).astype(np.uint8), {})
    scene.render()
    scene.evaluate()
    assert "no true object" in missing(scene)["rotation_error_deg"]
    assert "matches no true object" in missing(scene)["valid_region_iou"]


def test_a_subset_of_the_frames_at_another_size_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    info = json.loads((tmp_path / "frames.json").read_text())
    for index, frame in enumerate(info["frames"]):
        frame["source_index"] = 100 + index if index in (2, 3) else index
    (tmp_path / "frames.json").write_text(json.dumps(info))
    scene.render()
    scene.evaluate()
    assert value(scene, "epe_px") == pytest.approx(FLOW_ERROR_PX, abs=1e-5)
    assert value(scene, "miou", stage="segment_objects") == 1
    assert value(scene, "rotation_error_deg", "1") < 1e-4


def test_the_wrong_focal_length_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    longer = scene.scene.intrinsics * [1.1, 1.1, 1, 1]
    write_scene(tmp_path / "scene.h5", replace(scene.scene, intrinsics=longer), {})
    scene.render()
    scene.evaluate()
    assert value(scene, "focal_error_percent") == pytest.approx(10)


def test_a_view_is_covisible_where_enough_frames_see_the_same_surface(judged: JudgedScene) -> None:
    frames = np.arange(FRAMES)
    seen = times_seen(judged.truth, 3, frames)
    assert seen.max() == FRAMES and seen.min() < 5
    assert (covisible(judged.truth, 3, frames) == (seen >= 5)).all()
    assert not covisible(judged.truth, 3, frames[:4]).any()


def test_the_true_region_is_that_of_every_pixel_at_every_scale(judged: JudgedScene) -> None:
    region = true_region(judged.truth, TRUE_SCALES, [0, 1, 2], {0: 0, 1: 1, 2: 2})
    assert isinstance(region, TrueRegion)
    relative = np.array([[1, 1, 1], [1, 0.8, 1.2], [1, 1.6, 1], [1, 1, 2.5], [1, 0.5, 0.4]])
    expected = []
    for scales in relative:
        solo = judged.truth.solo_depth.astype(np.float32)
        depths = np.where(solo > 0, solo * scales[:, None, None, None], np.inf)
        expected.append((depths.argmin(0) == judged.truth.train.object_ids).mean() > 0.99)
    assert region.valid(relative * TRUE_SCALES).tolist() == expected
    assert expected[0] and not all(expected)


def test_truth_of_a_lens_judges_masks_as_filmed_and_the_scene_as_straightened(judged: JudgedScene) -> None:
    height, width = judged.scene.size
    params = (0.6 * width, 0.6 * width, width / 2, height / 2, 0.0, 0.0, 0.0, 0.0)
    lens = Lens("OPENCV_FISHEYE", params, width, height)
    view, kept = undistortion(lens), replace(judged.scene.kept, frame_lens=lens.values)
    info, ids = json.loads((judged / "frames.json").read_text()), read_masks(judged / "masks.h5")
    straight = replace(judged.scene, source=kept)
    known, in_frames = known_in_scene_and_frames(straight, info, ids, judged / "truth.h5")
    assert known is not None and in_frames is not None
    row = int(known.alignment.rows[1])
    expected = view.apply(judged.truth.train.object_ids[row], exact=True)
    np.testing.assert_array_equal(known.truth.train.object_ids[row], expected)
    np.testing.assert_array_equal(known.frame_ids[1], expected)
    np.testing.assert_array_equal(in_frames.truth.train.object_ids, judged.truth.train.object_ids)
    np.testing.assert_array_equal(in_frames.frame_ids[1], judged.truth.train.object_ids[row])
    assert (known.frame_ids != in_frames.frame_ids).any() and known.matching == in_frames.matching
    # Where the scene shows the frames as they are, both are one.
    plain = known_in_scene_and_frames(judged.scene, info, ids, judged / "truth.h5")
    assert plain[0] is plain[1]


def test_numbers_that_are_not_finite_are_missing() -> None:
    found = Findings.of([Row("a", "", "all", "epe_px", float("nan")), Row("a", "", "all", "miou", 0.5)])
    assert [row.metric for row in found.rows] == ["miou"]
    assert [row.metric for row in found.missing] == ["epe_px"]


def test_a_damaged_list_of_renders_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    scene.render()
    (tmp_path / "osn/renders/renders.json").write_text('{"method": "osn"}')
    with pytest.raises(StageError, match=r"renders\.json"):
        scene.evaluate()
    assert not (tmp_path / "metrics.csv").exists()


def test_a_table_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("a,b\n1,2\n")
    with pytest.raises(StageError, match=r"metrics\.csv"):
        read_metrics(tmp_path / "metrics.csv")
