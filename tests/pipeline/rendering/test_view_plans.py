"""What is rendered of a scene, from where, and under which scales."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.cameras import Intrinsics
from pipeline.config import Edit, RenderViewsConfig
from pipeline.formats.scene_file import Scene
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.valid_scales import ValidScales
from pipeline.rendering.view_plans import (
    candidates,
    frame_rate,
    held_out_cameras,
    path_rate,
    plan_edits,
    plan_judged,
    plan_scales,
    plan_views,
    viewing_depth,
)
from pipeline.truth.alignment import held_out_camera
from pipeline.truth.truth_file import TrueScenes
from tests.analytic_world import FRAMES, TRUE_SCALES, UNITS, analytic_scene, analytic_truth
from tests.pipeline.flat_method import FlatMethod

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)
INFO = {"frames": [{"source_index": frame} for frame in range(FRAMES)]}
SAMPLES = TRUE_SCALES * np.array([[1, 0.8, 1], [1, 1, 1], [1, 0.9, 1.1], [1, 0.7, 0.8]])
VALID = ValidScales(SAMPLES, np.array([0.9, 0.8, 0.7, 0.6]), np.ones(4, bool))
CONFIG = RenderViewsConfig(
    observed_frames=3, path_frames=4, held_out_frames=3, held_out_samples=2, held_out_candidates=2, scale_samples=2
)


class Editable(FlatMethod):
    """A method whose edits are remembered, with one fixed scale to compare with."""

    def edited(self, edits: list[Edit], scales: np.ndarray) -> TrainedMethod:
        other = Editable(self.scene, self.scales, self.scores)
        other.edits, other.at = edits, scales  # type: ignore[attr-defined]
        return other

    def fixed_scales(self, depth: object) -> dict[str, np.ndarray]:
        return {"middle": np.array([1.0, 2.0, 3.0])}


def editable(scene: Scene = SCENE) -> Editable:
    return Editable(scene, torch.from_numpy(SAMPLES).float(), torch.ones(4))


def test_observed_views_and_the_path_are_of_the_first_valid_scene() -> None:
    observed, path, *rest = plan_views(SCENE, VALID, CONFIG)
    assert (observed.entry.kind, path.entry.kind) == ("observed", "path") and {p.entry.kind for p in rest} == {"scales"}
    assert observed.entry.scale == path.entry.scale == SAMPLES[0].tolist() and observed.entry.score == 0.9
    assert observed.entry.frames[0] == 0 and observed.entry.frames[-1] == FRAMES - 1 and len(observed.entry.frames) == 3
    np.testing.assert_allclose(
        observed.world_from_camera, SCENE.object_from_camera[0, observed.entry.frames], atol=1e-6
    )
    views = path.views(Intrinsics.centred(50.0, 6, 8))
    assert len(views) == 4 and views[1][0] == path.entry.frames[1]


def test_valid_scenes_are_shown_at_one_time_as_observed_and_from_aside() -> None:
    first, second = plan_scales(SCENE, VALID, np.arange(FRAMES), 2.0, 2)
    assert first.entry.scale == SAMPLES[0].tolist() and second.entry.scale != first.entry.scale
    (frame,) = set(first.entry.frames) | set(second.entry.frames)
    np.testing.assert_array_equal(first.world_from_camera, second.world_from_camera)
    np.testing.assert_allclose(first.world_from_camera[0], SCENE.object_from_camera[0, frame], atol=1e-6)
    assert np.abs(first.world_from_camera[1] - first.world_from_camera[0]).max() > 0.1
    assert plan_scales(SCENE, ValidScales(SAMPLES[:1], np.ones(1), np.ones(1, bool)), np.arange(FRAMES), 2.0, 2) == []


def test_held_out_cameras_stand_where_truth_has_them() -> None:
    views = held_out_cameras(SCENE, INFO, TRUTH, CONFIG)
    assert views is not None and views.rows == views.frames and len(views.rows) == 3
    # The true world is that of the scene turned, and UNITS[0] times larger.
    centres, true = views.world_from_camera[:, :3, 3], TRUTH.test.world_from_camera[views.rows, :3, 3]
    distances, expected = (np.linalg.norm(places[1:] - places[0], axis=1) for places in (centres, true))
    np.testing.assert_allclose(UNITS[0] * distances, expected, rtol=1e-3)
    assert views.alignment.true_scales == pytest.approx(TRUE_SCALES, rel=1e-3)


def test_held_out_views_are_those_whose_time_was_extracted_and_has_a_camera() -> None:
    visible = SCENE.visible.copy()
    visible[0, 2:] = False
    late = {"frames": [{"source_index": frame + 1} for frame in range(FRAMES)]}
    views = held_out_cameras(replace(SCENE, visible=visible), late, TRUTH, CONFIG)
    assert views is not None and views.rows == [1, 2] and views.frames == [0, 1]
    visible[0] = False
    assert held_out_cameras(replace(SCENE, visible=visible), INFO, TRUTH, CONFIG) is None


def test_the_valid_scenes_nearest_to_the_truth_are_judged_with_some_others_and_fixed_scales() -> None:
    plans = {plan.entry.name: plan.entry for plan in plan_judged(editable(), VALID, INFO, None, TRUTH, CONFIG)}
    assert list(plans) == ["held_out_000", "held_out_001", "sample_000", "sample_001", "fixed_middle"]
    assert plans["held_out_000"].scale == SAMPLES[1].tolist() and plans["held_out_000"].score == 0.8
    assert plans["held_out_001"].scale == SAMPLES[2].tolist()
    assert [plans[f"sample_00{n}"].scale for n in (0, 1)] == [SAMPLES[0].tolist(), SAMPLES[3].tolist()]
    assert plans["fixed_middle"].scale == [1.0, 2.0, 3.0] and plans["fixed_middle"].kind == "fixed"


def test_more_candidates_are_drawn_from_those_that_come_next_as_in_osns_evaluation() -> None:
    """Scales are 1.0, 1.1, ..., 2.9 times the true one of the first object: rank is the place in a shuffled list."""
    rank = np.random.default_rng(1).permutation(20)
    scales = np.stack([np.ones(20), TRUE_SCALES[1] * (1 + rank / 10), np.full(20, TRUE_SCALES[2])], axis=1)
    valid = ValidScales(scales, np.ones(20), np.ones(20, bool))
    chosen = candidates(
        SCENE, valid, TRUE_SCALES, CONFIG.model_copy(update={"held_out_candidates": 5, "held_out_more": 5})
    )
    assert rank[chosen[:5]].tolist() == [0, 1, 2, 3, 4]
    assert len(set(chosen)) == 10 and set(rank[chosen[5:]]) <= set(range(5, 15))
    few = ValidScales(scales[:3], np.ones(3), np.ones(3, bool))
    assert sorted(candidates(SCENE, few, TRUE_SCALES, CONFIG.model_copy(update={"held_out_more": 5}))) == [0, 1, 2]


def test_of_truths_other_scenes_the_nearest_valid_ones_are_judged_in_the_views_that_show_them() -> None:
    rows = np.array([1, 6])
    shape = (2, 2, *TRUTH.test.images.shape[1:3])
    images, depth, ids = np.zeros((*shape, 3), np.uint8), np.ones(shape, np.float32), np.zeros(shape, np.uint8)
    scenes = TrueScenes(np.array([[1.0, 0.7, 0.8], [1.0, 1.0, 1.0]]), rows, images, depth, ids)
    plans = plan_judged(editable(), VALID, INFO, None, replace(TRUTH, scenes=scenes), CONFIG)
    found = {plan.entry.name: plan.entry for plan in plans if plan.entry.kind == "scene"}
    assert list(found) == ["scene_000_0", "scene_000_1", "scene_001_0", "scene_001_1"]
    assert found["scene_000_0"].scale == SAMPLES[3].tolist() and found["scene_001_0"].scale == SAMPLES[1].tolist()
    assert all(entry.views == [1, 6] for entry in found.values())
    assert (found["scene_000_1"].scene_row, found["scene_001_0"].scene_row) == (0, 1)


def test_edits_of_one_video_are_shown_together_under_the_scales_of_the_first_scene() -> None:
    one, two, alone = (
        Edit(object=name, action="remove", video=video) for name, video in (("a", "x"), ("b", "x"), ("c", None))
    )
    (together, first), (single, second) = plan_edits(
        editable(), SAMPLES[0], CONFIG.model_copy(update={"edits": [one, alone, two], "edit_frames": 2})
    )
    assert (together.entry.caption, single.entry.caption) == ("a removed, b removed", "c removed")
    assert (together.entry.name, single.entry.name) == ("edit_000", "edit_001")
    assert first.edits == [one, two] and second.edits == [alone]  # type: ignore[attr-defined]
    assert together.entry.scale == SAMPLES[0].tolist() and together.entry.frames == [0, FRAMES - 1]
    np.testing.assert_allclose(together.world_from_camera, SCENE.object_from_camera[0, [0, FRAMES - 1]], atol=1e-6)


def test_depth_to_look_at_is_the_backgrounds_or_the_middle_of_the_range() -> None:
    own = SCENE.observation_depth[SCENE.observation_object == 0]
    assert viewing_depth(SCENE) == pytest.approx(float(np.median(own)))
    bare = replace(SCENE, observation_object=np.ones_like(SCENE.observation_object))
    assert viewing_depth(bare) == pytest.approx(np.sqrt(0.1 * 4.0))


def test_views_play_at_the_videos_speed_and_a_path_at_least_smoothly() -> None:
    scene = replace(SCENE, times_s=np.arange(FRAMES) / 10)
    assert frame_rate(scene, [0, 5]) == pytest.approx(2) and frame_rate(scene, list(range(FRAMES))) == pytest.approx(10)
    assert frame_rate(scene, [3]) == 10.0
    assert path_rate(scene, 14) == pytest.approx(20) and path_rate(scene, 2) == 8.0


def test_test_camera_differs_from_the_estimated_one_as_the_true_ones_differ() -> None:
    """Twice the focal length and a principal point 3 pixels aside, of images half as large as truth's."""
    height, width = TRUTH.size
    video = np.array([40.0, 40.0, width / 2, height / 2])
    own = np.array([80.0, 80.0, width / 2 + 6, height / 2])
    truth = replace(
        TRUTH,
        train=replace(TRUTH.train, intrinsics=np.tile(video, (FRAMES, 1))),
        test=replace(TRUTH.test, intrinsics=np.tile(own, (FRAMES, 1))),
    )
    estimated = Intrinsics(21.0, 21.0, width / 4 + 0.5, height / 4, width // 2, height // 2)
    camera = held_out_camera(estimated, truth, 0)
    assert camera == Intrinsics(42.0, 42.0, width / 4 + 3.5, height / 4, width // 2, height // 2)
    assert held_out_camera(SCENE.camera, TRUTH, 0) == SCENE.camera
