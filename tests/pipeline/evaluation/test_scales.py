"""What evaluation says of a scale network whose views are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.osn.z_buffer import SoloViews, visibility_accuracy
from pipeline.config import TrainOsnConfig
from pipeline.evaluation.scales import (
    LEAST_PIXELS,
    TrueRegion,
    area_under_curve,
    bounds_findings,
    limit_notes,
    region_rows,
    true_region,
)
from pipeline.osn.method import OsnMethod
from pipeline.osn.training_state import started
from pipeline.rendering.trained_method import ScaleLimit
from pipeline.rendering.valid_scales import explain_choice
from tests.analytic_world import TRUE_SCALES, analytic_scene, analytic_truth

IDS = [0, 4, 9]
WHOLE = analytic_scene(analytic_truth())
SCENE = replace(WHOLE, objects=[{**entry, "id": identity} for entry, identity in zip(WHOLE.objects, IDS, strict=True)])
LIMIT = 2.4


def method() -> OsnMethod:
    """Object 1 is seen before the wall, in frame 6 and, with more pixels, in frame 2; it meets the wall at LIMIT."""
    views = SoloViews(
        torch.tensor([[4.0, 4.0 / LIMIT, 0.0]] * 3 + [[4.0, 0.0, 0.0]]),
        torch.tensor([[1.0, 1.0, 0.0]] * 3 + [[1.0, 0.0, 0.0]]),
        torch.tensor([1, 1, 1, 0]),
        torch.ones(4, dtype=torch.bool),
        torch.tensor([6, 2, 2, 0]),
    )
    state = started(SCENE, TrainOsnConfig(grids=[8]), torch.device("cpu"))
    scales = torch.from_numpy(TRUE_SCALES)[None].float() * torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.5, 1.2]])
    made = OsnMethod(SCENE, state.fields, state.network, views, scales, torch.ones(2))
    made.validity = lambda wanted: (visibility_accuracy(views, wanted, None) > 0.99).float()  # type: ignore[method-assign]
    return made


def test_limits_are_told_with_the_ids_of_the_masks():
    found = {(entry["object"], entry["above"]): entry for entry in limit_notes(method().scale_limits())}
    assert len(found) == 4
    above = found[4, True]
    assert above["scale"] == pytest.approx(LIMIT, rel=0.02)
    assert (above["seen"], above["shown"], above["frames"], above["share"]) == (4, 0, [2, 6], 0.75)
    for side in ((4, False), (9, False), (9, True)):
        assert found[side]["frames"] == [] and found[side]["seen"] is None


def test_of_a_limits_frames_the_worst_are_kept_in_their_order_in_time():
    limit = ScaleLimit(4, True, 1.5, seen=4, shown=0, share=0.25, frames=[9, 2, 5, 1, 7, 8, 3])
    (note,) = limit_notes([limit])
    assert note["frames"] == [1, 2, 5, 7, 8, 9]
    assert (note["object"], note["above"], note["scale"], note["share"]) == (4, True, 1.5, 0.25)


def test_a_method_without_network_has_no_limits():
    made = method()
    made.network = None
    assert limit_notes(made.scale_limits()) == []


def test_scales_that_are_asked_for_are_explained_where_they_are_not_valid(caplog: pytest.LogCaptureFixture) -> None:
    made = method()
    shown = made.scales[0].double().numpy()
    with caplog.at_level("INFO"):
        explain_choice(made, [float(shown[1]), 0.7], shown)
    assert "are valid" in caplog.text and "WARNING" not in caplog.text
    explain_choice(made, [1.1 * LIMIT, 0.7], shown)
    names = [entry["name"] for entry in SCENE.objects]
    assert f"{names[0]} would hide {names[1]} (75.0 % of pixels; frames 2, 6)" in caplog.text


def test_regions_are_scored_by_overlap_precision_recall_and_order():
    predicted, true = np.array([1, 1, 1, 0, 0], bool), np.array([1, 1, 0, 1, 0], bool)
    rows = region_rows("osn", "all", predicted, np.array([0.9, 0.8, 0.7, 0.4, 0.1]), true)
    values = {row.metric: row.value for row in rows}
    assert values["valid_region_iou"] == 2 / 4
    assert values["valid_region_precision"] == values["valid_region_recall"] == pytest.approx(2 / 3)
    assert values["valid_region_auc"] == pytest.approx(5 / 6)  # of six pairs one is in the wrong order
    assert np.isnan(area_under_curve(np.ones(3), np.ones(3, bool)))


def test_an_objects_agreement_is_that_of_its_worst_frame():
    truth = analytic_truth()
    region = true_region(truth, TRUE_SCALES, [0, 1, 2], {0: 0, 1: 1, 2: 2})
    assert isinstance(region, TrueRegion)
    relative = np.array([[1, 1, 1], [1, 1.6, 1], [1, 1, 2.5]])
    solo = np.where(truth.solo_depth > 0, truth.solo_depth, np.inf).astype(np.float64)
    for scales, found in zip(relative, region.object_agreement(relative * TRUE_SCALES), strict=True):
        ids = (solo * scales[:, None, None, None]).argmin(0)
        shares = [
            (ids[frame] == k)[shown == k].mean()
            for frame, shown in enumerate(truth.train.object_ids)
            for k in (1, 2)
            if (shown == k).sum() >= LEAST_PIXELS
        ]
        assert found == pytest.approx(min(shares), abs=0.02)
    assert region.object_agreement(TRUE_SCALES[None])[0] == 1


def test_bounds_are_those_of_the_samples():
    rows = {(row.item, row.metric): row.value for row in bounds_findings(method().scales.numpy(), IDS, "osn").rows}
    assert rows["4", "lowest_valid_scale"] == pytest.approx(0.5 * TRUE_SCALES[1])
    assert rows["9", "highest_valid_scale"] == pytest.approx(1.2 * TRUE_SCALES[2])
    assert ("0", "lowest_valid_scale") not in rows
