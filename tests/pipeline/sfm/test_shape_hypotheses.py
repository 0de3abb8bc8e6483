"""Of several shapes, the one whose points are found again best is kept; what they leave open stays a rival."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.sfm.bundle_adjustment import Adjustment
from pipeline.sfm.mapping import Candidate, MappingOptions, mirrored
from pipeline.sfm.pose_uncertainty import Rival, distinct_shapes, pose_difference
from pipeline.sfm.rigid_model import Observations, RigidModel
from pipeline.sfm.shape_hypotheses import ShapeHypothesis, advantage, best_shape_hypothesis, rival_hypothesis
from tests.pipeline.sfm.test_guided_matching import CAMERA, FRAMES, short_tracks, wall_images, wall_model
from tests.pipeline.tracked_body import solid, tracked, turning_poses

OPTIONS = MappingOptions(CAMERA, True, 0, 1200, 4000)


def candidate(model: RigidModel, cost: float = 1.0) -> Candidate:
    return Candidate(Adjustment(model, cost, np.eye(6 * len(model.camera_from_object) + 1)), cost)


def shape(number: int, model: RigidModel, seen: Observations) -> ShapeHypothesis:
    return ShapeHypothesis(number, model, Adjustment(model, 0.0, np.eye(6 * seen.frame_count + 1)), seen)


@pytest.fixture(scope="module")
def noisy() -> Observations:
    """Tracks of a wall, so short and so blurred that its mirror image explains them as well."""
    exact = short_tracks(wall_model(), 2)
    random = np.random.default_rng(0)
    return replace(exact, xy=exact.xy + 0.15 * random.standard_normal(exact.xy.shape))


def test_the_shape_whose_points_are_found_again_best_is_kept(noisy: Observations) -> None:
    true = wall_model()
    wrong = mirrored(true)
    assert pose_difference(wrong, true)[0] > 10
    best, rival = best_shape_hypothesis([candidate(wrong), candidate(true)], noisy, OPTIONS, wall_images())
    assert best.number == 1 and rival is None
    assert pose_difference(best.adjusted.model, true)[0] < 0.5


def test_shapes_that_are_alike_or_far_worse_are_not_looked_at_again() -> None:
    true, seen = tracked(turning_poses(turn=0.35, distance=40.0), solid(60), noise=0.3)
    other, broken = mirrored(true), replace(true, camera_from_object=turning_poses(turn=2.0, distance=40.0))
    candidates = [candidate(model) for model in (true, true, broken, other, other)]
    assert distinct_shapes(candidates, seen) == [0, 3]


def test_the_advantage_changes_its_sign_with_the_order() -> None:
    true, seen = tracked(turning_poses(), solid(60), noise=0.1)
    wrong = replace(true, camera_from_object=turning_poses(turn=1.25))
    one, other = shape(0, true, seen), shape(1, wrong, seen)
    assert advantage(one, other) > 3
    assert advantage(other, one) == pytest.approx(-advantage(one, other))


def test_a_frame_that_one_shape_gave_up_speaks_for_neither() -> None:
    true, seen = tracked(turning_poses(), solid(60), noise=0.1)
    wrong = replace(true, camera_from_object=turning_poses(turn=1.25))
    fewer = true.camera_from_object.copy()
    fewer[-1] = np.nan
    gave_up = replace(true, camera_from_object=fewer)
    left = seen.kept(gave_up.registered[seen.frame])
    assert advantage(shape(0, gave_up, left), shape(1, wrong, seen)) > 3
    assert advantage(shape(0, gave_up, left), shape(1, true, seen)) == pytest.approx(0, abs=0.5)


def test_shapes_that_points_found_again_cannot_tell_apart_keep_the_order_of_the_tracks(
    noisy: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = [candidate(wall_model()), candidate(mirrored(wall_model()))]
    for told, number in ((-0.3, 0), (-0.7, 1)):
        monkeypatch.setattr("pipeline.sfm.shape_hypotheses.advantage", lambda *_, told=told: told)
        assert best_shape_hypothesis(models, noisy, OPTIONS, wall_images())[0].number == number


def test_a_shape_that_is_ruled_out_is_no_rival_but_quite_another_path_is() -> None:
    true, seen = tracked(turning_poses(), solid(60), noise=0.1)
    wrong = replace(true, camera_from_object=turning_poses(turn=1.5))
    best, other = shape(0, true, seen), shape(1, wrong, seen)
    assert rival_hypothesis(best, [best, other], None) is None
    assert rival_hypothesis(best, [best, other], Rival(20.0, 4.0, wrong)) is None
    assert rival_hypothesis(best, [best, other], Rival(2.0, 40.0, wrong)) is not None


def test_long_videos_have_fewer_of_their_points_looked_for(
    noisy: Observations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sfm.shape_hypotheses.MOST_OBSERVATIONS", 20 * FRAMES)
    best, _ = best_shape_hypothesis([candidate(wall_model())], noisy, OPTIONS, wall_images())
    assert 12 <= best.seen.track_count <= 20
