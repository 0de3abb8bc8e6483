"""Flow and masks, of errors that are known."""

import numpy as np
import pytest

from pipeline.evaluation.perception import flow_errors, flow_findings, mask_findings, perception_findings
from pipeline.formats.flow_file import FlowPair
from pipeline.formats.metrics_table import Findings
from pipeline.truth.correspondences import true_flow
from tests.analytic_world import FRAMES, HEIGHT, WIDTH, analytic_truth

TRUTH = analytic_truth()
VALID = np.ones((HEIGHT, WIDTH), bool)


def pair(frame: int, error: np.ndarray) -> FlowPair:
    flow = (true_flow(TRUTH, frame)[0] + error).astype(np.float32)
    return FlowPair(flow, -flow, VALID, VALID)


def values(findings: Findings) -> dict[tuple[str, str], float]:
    return {(row.item, row.metric): row.value for row in findings.rows}


def test_pairs_count_by_their_pixels_and_a_large_error_is_an_outlier() -> None:
    pairs = [pair(0, np.array([0.3, 0.4])), pair(1, np.array([0.0, -3.0]))]
    counts = [int(true_flow(TRUTH, frame)[1].sum()) for frame in (0, 1)]
    found = values(flow_findings(pairs, TRUTH, np.arange(FRAMES)))
    assert found["all", "epe_px"] == pytest.approx((0.5 * counts[0] + 3 * counts[1]) / sum(counts), abs=1e-4)
    assert found["all", "outliers_1px_percent"] == pytest.approx(100 * counts[1] / sum(counts))


def test_errors_are_in_pixels_of_the_estimated_flow() -> None:
    flow = true_flow(TRUTH, 0)[0]
    double = (2 * flow.repeat(2, 0).repeat(2, 1) + [0.0, 1.0]).astype(np.float32)
    valid = np.ones(double.shape[:2], bool)
    errors = flow_errors(FlowPair(double, -double, valid, valid), TRUTH, 0, 1)
    assert errors.size == 4 * true_flow(TRUTH, 0)[1].sum()
    np.testing.assert_allclose(errors, 1.0, atol=1e-4)


def test_a_pair_of_which_truth_lacks_a_frame_does_not_count() -> None:
    pairs = [pair(0, np.array([5.0, 0.0])), pair(1, np.zeros(2)), pair(2, np.array([5.0, 0.0]))]
    rows = np.array([-1, 1, 2, -1])
    assert values(flow_findings(pairs, TRUTH, rows))["all", "epe_px"] == pytest.approx(0, abs=1e-5)
    assert "no two neighbouring frames" in flow_findings(pairs, TRUTH, np.array([0, -1, 2, -1])).missing[0].reason


def test_masks_are_judged_by_object_and_what_was_not_found_is_named() -> None:
    target = np.zeros((2, 4, 4), np.uint8)
    target[:, :2], target[:, 3] = 1, 2
    ids = np.zeros_like(target)
    ids[0, :2], ids[1, :1] = 5, 5
    found = values(mask_findings(ids, target, {0: 0, 5: 1}))
    assert found["5", "miou"] == pytest.approx((1 + 0.5) / 2) and found["truth 2", "miou"] == 0
    assert found["all", "miou"] == pytest.approx(0.75 / 2)
    assert found["0", "miou"] == pytest.approx((4 / 8 + 4 / 12) / 2)


def test_an_object_that_changes_its_number_is_a_switch() -> None:
    target = np.ones((3, 2, 2), np.uint8)
    ids = np.stack([np.full((2, 2), identity, np.uint8) for identity in (5, 6, 6)])
    found = values(mask_findings(ids, target, {0: 0, 5: 1}))
    assert found["5", "id_switches"] == 1 and found["all", "id_switches"] == 1


def test_without_truth_all_is_missing() -> None:
    found = perception_findings([], np.zeros((2, 4, 4), np.uint8), None)
    assert found.rows == []
    assert [row.metric for row in found.missing] == ["epe_px", "outliers_1px_percent", "miou", "id_switches"]
