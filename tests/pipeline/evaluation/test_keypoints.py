"""PCK-T of a method that is exact: all marked points are found again; of wrong marks, those that were moved are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.evaluation.keypoints import NO_KEYPOINTS, NO_PAIR, keypoint_findings, pck_transfer, transferred
from pipeline.evaluation.known_truth import KnownTruth
from pipeline.truth.alignment import align_to_truth
from pipeline.truth.correspondences import reproject, surface_points
from pipeline.truth.truth_file import TruthViews
from tests.analytic_world import FRAMES, TRUE_SCALES, AnalyticMethod, analytic_scene, analytic_truth

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)
METHOD = AnalyticMethod(SCENE, torch.from_numpy(TRUE_SCALES[None]).float(), torch.ones(1))
EVERY = {frame: frame for frame in range(FRAMES)}
START = 2


def marked() -> np.ndarray:
    """(frame, joint, 3): points of all objects that a frame in the middle shows, wherever they are seen."""
    ids = TRUTH.train.object_ids[START]
    places = np.concatenate([np.argwhere(ids == k)[::37][:6] for k in (0, 1, 2)])
    points = surface_points(TRUTH, TRUTH.train, START)[places[:, 0], places[:, 1]]
    found = []
    for frame in range(FRAMES):
        there = reproject(TRUTH, points, ids[places[:, 0], places[:, 1]], frame)
        found.append(np.column_stack([there.xy, there.visible]))
    return np.stack(found)


def views(keypoints: np.ndarray) -> TruthViews:
    return replace(TRUTH.train, keypoints=keypoints)


def known(keypoints: np.ndarray | None) -> KnownTruth:
    truth = replace(TRUTH, train=replace(TRUTH.train, keypoints=keypoints))
    info = {"frames": [{"source_index": frame} for frame in range(FRAMES)]}
    return KnownTruth(truth, align_to_truth(SCENE, info, truth), {}, TRUTH.train.object_ids)


def test_points_of_every_object_are_carried_to_where_they_are() -> None:
    points = marked()
    for frame in range(FRAMES):
        both = (points[START, :, 2] > 0) & (points[frame, :, 2] > 0)
        there = transferred(METHOD, START, frame, points[START, both, :2])
        np.testing.assert_allclose(there, points[frame, both, :2], atol=0.05)


def test_the_share_is_a_mean_over_pairs_of_means_over_points() -> None:
    """One of four points is marked elsewhere in one of three frames: wrong to and from it, right on itself."""
    points, marks = marked(), [1, START, 4]
    seen = np.flatnonzero((points[marks, :, 2] > 0).all(0))[:4]
    points = points[:, seen]
    points[[frame for frame in range(FRAMES) if frame not in marks], :, 2] = 0
    assert len(seen) == 4 and pck_transfer(METHOD, views(points), EVERY) == 1
    points[1, 3, :2] = [1.5, points[1, 3, 1] + (15 if points[1, 3, 1] < 18 else -15)]
    carried = transferred(METHOD, 1, START, points[1, 3:, :2])
    assert not np.linalg.norm(carried - points[START, 3, :2]) < 0.05 * max(TRUTH.size)
    assert pck_transfer(METHOD, views(points), EVERY) == pytest.approx((9 - 4 * 0.25) / 9)


def test_an_object_without_a_pose_carries_nothing() -> None:
    visible = SCENE.visible.copy()
    visible[:, 3] = False
    hidden = AnalyticMethod(replace(SCENE, visible=visible), METHOD.scales, METHOD.scores)
    assert np.isnan(transferred(hidden, START, 3, marked()[START, :, :2])).all()


def test_what_is_missing_has_a_reason() -> None:
    (row,) = keypoint_findings(METHOD, "osn", known(marked())).rows
    assert (row.metric, row.protocol, row.method) == ("pck_t", "dycheck", "osn") and row.value == 1
    (absent,) = keypoint_findings(METHOD, "osn", known(None)).missing
    assert absent.reason == NO_KEYPOINTS
    (absent,) = keypoint_findings(METHOD, "osn", known(np.zeros((FRAMES, 3, 3)))).missing
    assert absent.reason == NO_PAIR
