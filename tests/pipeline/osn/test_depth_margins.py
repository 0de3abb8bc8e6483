"""How far objects may be from where their poses say."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.formats.scene_file import Scene, read_scene
from pipeline.osn.depth_margins import UNKNOWN, depth_margins, unjudged
from tests.synthetic import synthetic_truth, write_synthetic_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return read_scene(write_synthetic_scene(tmp_path_factory.mktemp("scene"), synthetic_truth()).scene)


def stated(scene: Scene, *deviations: float | None) -> Scene:
    told = [entry | {"depth_std_percent": std} for entry, std in zip(scene.objects[1:], deviations, strict=True)]
    return replace(scene, objects=[scene.objects[0], *told])


def test_margins_are_two_deviations_and_without_one_nothing_is_known(scene: Scene) -> None:
    np.testing.assert_allclose(depth_margins(stated(scene, 1.5, None)), [0, 0.03, UNKNOWN])


def test_an_object_without_poses_in_many_frames_that_show_it_is_nowhere_for_certain(scene: Scene) -> None:
    shown = np.flatnonzero((scene.object_ids == 1).any((1, 2)))
    for lost, expected in ((0, 0.03), (1 + len(shown) // 10, UNKNOWN)):
        visible = scene.visible.copy()
        visible[1, shown[:lost]] = False
        assert unjudged(replace(scene, visible=visible)) == ([(1, lost, len(shown))] if lost else [])
        np.testing.assert_allclose(depth_margins(replace(stated(scene, 1.5, 1), visible=visible)), [0, expected, 0.02])
