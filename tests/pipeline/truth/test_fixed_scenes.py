"""Our own benchmark scenes: their digests see what matters, and a change of what comes out is told."""

from dataclasses import replace

import pytest

from pipeline.config import FIXED_SCENES, FixedScene, SceneConfig, SimulateSceneConfig
from pipeline.truth import fixed_scenes
from pipeline.truth.fixed_scenes import check_fixed, truth_digest
from tests.synthetic import synthetic_truth


def test_digest_sees_every_pixel_and_pose_but_not_the_last_bits_of_poses() -> None:
    truth = synthetic_truth()
    first = truth_digest(truth)
    noise = truth.train.world_from_camera + 1e-7
    assert truth_digest(replace(truth, train=replace(truth.train, world_from_camera=noise))) == first
    images, poses = truth.train.images.copy(), truth.test.world_from_object + 0.01
    images[-1, -1, -1, 0] ^= 1
    changed = [
        replace(truth, train=replace(truth.train, images=images)),
        replace(truth, test=replace(truth.test, world_from_object=poses)),
    ]
    assert first not in [truth_digest(one) for one in changed]


@pytest.mark.parametrize("expected, told", [("", "is not that of version"), (None, "as it should be")])
def test_another_outcome_than_that_of_the_version_is_told(
    expected: str | None, told: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth, config = synthetic_truth(), SimulateSceneConfig(seed=7)
    digest = truth_digest(truth) if expected is None else expected
    monkeypatch.setattr(fixed_scenes, "FIXED_SCENES", {"indoor_0": FixedScene(config, digest)})
    with caplog.at_level("INFO"):
        check_fixed(config, truth)
        assert told in caplog.text
        caplog.clear()
        check_fixed(SimulateSceneConfig(seed=8), truth)
        assert not caplog.text


def test_the_scenes_are_what_the_tables_say() -> None:
    """Five rooms of 3 to 8 objects with the background, and 50 true scenes of one video, each with its digest."""
    rooms = [fixed.config.objects + 1 for name, fixed in FIXED_SCENES.items() if name.startswith("indoor")]
    assert rooms == sorted(rooms) and (len(rooms), rooms[0], rooms[-1]) == (5, 3, 8)
    assert FIXED_SCENES["many_truths"].config.combinations == 50
    assert len({fixed.config.seed for fixed in FIXED_SCENES.values()}) == len(FIXED_SCENES)
    assert all(len(fixed.digest) == 16 for fixed in FIXED_SCENES.values())


def test_a_fixed_scene_is_a_simulated_one() -> None:
    assert SceneConfig(video="simulate", simulation="indoor_0").simulation == "indoor_0"
    with pytest.raises(ValueError, match="needs video: simulate"):
        SceneConfig(video="clip.mp4", simulation="indoor_0")
