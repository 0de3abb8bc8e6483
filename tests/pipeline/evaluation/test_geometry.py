"""Verdicts and poses, of cameras whose errors are known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.evaluation.geometry import (
    LEAST_FRAMES,
    focal_findings,
    geometry_findings,
    object_findings,
    true_object_from_camera,
    verdict_findings,
)
from pipeline.formats.geometry_file import Geometry, ObjectGeometry
from pipeline.formats.metrics_table import Findings
from pipeline.truth.truth_file import TruthViews
from tests.analytic_world import FRAMES, analytic_scene, analytic_truth, world_from_camera, world_from_object

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)
ROWS = np.arange(FRAMES)


def geometry(**numbers: float) -> Geometry:
    entries = [
        ObjectGeometry(id=k, name=str(k), verdict=verdict, reason="", method="", numbers=numbers)
        for k, verdict in enumerate(("ok", "weak", "failed"))
    ]
    return Geometry(
        intrinsics=(9, 9, 4, 4), intrinsics_source="given", focal_std_px=None, camera="moving", objects=entries
    )


def values(findings: Findings) -> dict[tuple[str, str], float]:
    return {(row.item, row.metric): row.value for row in findings.rows}


def test_verdicts_become_numbers_and_only_known_numbers_are_passed_on() -> None:
    found = values(verdict_findings(geometry(registered_frames=7.0, planarity=0.5)))
    assert [found[item, "verdict"] for item in "012"] == [2.0, 1.0, 0.0]
    assert found["1", "registered_frames"] == 7.0 and not [metric for _, metric in found if metric == "planarity"]


def test_the_true_camera_in_an_objects_frame_leads_from_the_camera_through_the_world() -> None:
    point = np.array([0.2, -0.1, 1.5, 1.0])
    for frame in (0, 5):
        in_world = world_from_camera(frame) @ point
        expected = np.linalg.inv(world_from_object(1, frame)) @ in_world
        np.testing.assert_allclose(true_object_from_camera(TRUTH.train, 1)[frame] @ point, expected, atol=1e-5)
        np.testing.assert_allclose(true_object_from_camera(TRUTH.train, 0)[frame] @ point, in_world, atol=1e-5)


def test_an_object_that_is_turned_in_every_second_frame_is_off_by_half_the_turn() -> None:
    poses = SCENE.object_from_camera.copy()
    turn = Rotation.from_euler("z", 10, degrees=True).as_matrix()
    poses[1, ::2, :3, :3] = turn @ poses[1, ::2, :3, :3]
    found = values(object_findings(replace(SCENE, object_from_camera=poses), TRUTH.train, ROWS, 1, 7, 1))
    assert found["7", "rotation_error_deg"] == pytest.approx(5)
    assert found["7", "trajectory_error_percent"] == pytest.approx(0, abs=1e-2)


def test_too_few_common_frames_are_said_to_be() -> None:
    rows = np.where(ROWS < LEAST_FRAMES - 1, ROWS, -1)
    found = object_findings(SCENE, TRUTH.train, rows, 1, 7, 1)
    assert found.rows == [] and len(found.missing) == 2
    assert (
        found.missing[0].item == "7" and "known in 2 frames of truth, a comparison needs 3" in found.missing[0].reason
    )
    rows = np.where(ROWS < LEAST_FRAMES, ROWS, -1)
    assert len(object_findings(SCENE, TRUTH.train, rows, 1, 7, 1).rows) == 2


def test_a_camera_that_stands_still_has_an_orientation_and_no_path() -> None:
    still = np.broadcast_to(TRUTH.train.world_from_camera[0], TRUTH.train.world_from_camera.shape)
    found = object_findings(SCENE, replace(TRUTH.train, world_from_camera=still), ROWS, 0, 0, 0)
    assert [row.metric for row in found.rows] == ["rotation_error_deg"]
    assert [row.metric for row in found.missing] == ["trajectory_error_percent"]


def test_the_focal_length_is_compared_at_the_size_of_the_frames() -> None:
    large = replace(
        TRUTH,
        train=doubled(TRUTH.train),
        test=doubled(TRUTH.test),
        solo_depth=TRUTH.solo_depth.repeat(2, 2).repeat(2, 3),
        focal_px=2 * TRUTH.focal_px,
    )
    longer = replace(SCENE, intrinsics=SCENE.intrinsics * 1.05)
    assert values(focal_findings(longer, large))["all", "focal_error_percent"] == pytest.approx(5)


def doubled(views: TruthViews) -> TruthViews:
    """The same views at twice the size."""
    images, depth, ids = (part.repeat(2, 1).repeat(2, 2) for part in (views.images, views.depth, views.object_ids))
    return replace(views, images=images, depth=depth, object_ids=ids)


def test_without_truth_there_are_verdicts_alone() -> None:
    found = geometry_findings(SCENE, geometry(), None)
    assert {row.metric for row in found.rows} == {"verdict"}
    assert {row.metric for row in found.missing} == {"rotation_error_deg", "trajectory_error_percent"}
