"""Carried labels that the static scene contradicts are dropped, and no other label."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import SceneFlow, read_scene
from pipeline.semantic_flow import label_filtering as filtered_labels
from pipeline.semantic_flow.data import UNKNOWN
from pipeline.semantic_flow.label_filtering import Compared
from pipeline.semantic_flow.label_filtering import filtered_labels as checked
from pipeline.semantic_flow.labels import UNLABELLED, training_labels
from pipeline.semantic_flow.pixels import Video
from tests.models.semantic_flow.tiny_model import tiny_model
from tests.synthetic import SyntheticScene, write_synthetic_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("checked_labels"))


def test_labels_of_what_rests_and_of_what_moves_are_told_apart(
    written: SyntheticScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = read_scene(written.scene)
    labels = training_labels(scene, None, TrainSemanticFlowConfig(task="tracking", labelled_fraction=0.5))
    hidden = np.flatnonzero(~labels.labelled)
    ids = labels.ids.copy()
    ids[hidden, :4], ids[hidden, 4:] = 0, 1
    propagated = replace(labels, ids=ids)
    video = Video.of(scene, SceneFlow.of(scene), propagated, TrainSemanticFlowConfig())
    size = scene.object_ids.shape
    still, other, kept = torch.zeros(3, *size[1:], dtype=torch.bool)
    still[:, :10], other[:, 20:], kept[8:] = True, True, True
    monkeypatch.setattr(filtered_labels, "compared", lambda *_: Compared(still, other, kept))
    model = tiny_model()
    model.bounds = replace(
        model.bounds, cameras=replace(model.bounds.cameras, world_from_camera=torch.eye(4).repeat(size[0], 1, 1))
    )
    cameras = replace(model.bounds.cameras, height=size[1], width=size[2])
    model.bounds = replace(model.bounds, cameras=cameras)
    after = checked(model, video, scene.images, map)
    label, moving = torch.from_numpy(after.label), torch.from_numpy(after.moving)
    for frame in range(size[0]):
        before = torch.from_numpy(ids[frame])
        if frame not in hidden:
            assert torch.equal(label[frame], before)
            continue
        assert bool((label[frame, 4:8, :10] == UNLABELLED).all())  # a moving class where the scene rests
        assert bool((label[frame, 8:, :10] == 1).all())  # the thing itself, which stands still
        assert bool((label[frame, :4, 20:] == UNLABELLED).all())  # the background where something moves
        assert bool((label[frame, :4, :20] == 0).all() and (label[frame, 4:, 10:] == 1).all())
        assert bool((moving[frame, :8, :10] == 0).all() and (moving[frame, 4:, 20:] == 1).all())
        assert bool((moving[frame, 8:, :10] == UNKNOWN).all())
        assert bool((moving[frame, :4, 10:] == UNKNOWN).all() and (moving[frame, 4:, 10:20] == UNKNOWN).all())


def test_a_pixel_that_looks_like_what_its_label_came_from_is_kept(written: SyntheticScene) -> None:
    scene = read_scene(written.scene)
    labels = training_labels(scene, None, TrainSemanticFlowConfig(task="tracking", labelled_fraction=0.5))
    video, model = Video.of(scene, SceneFlow.of(scene), labels, TrainSemanticFlowConfig()), tiny_model()
    pixels = video.pixels([scene.frame_count - 1])
    height, width = scene.images.shape[1:3]
    cameras = replace(
        model.bounds.cameras, world_from_camera=torch.eye(4).repeat(scene.frame_count, 1, 1), height=height, width=width
    )
    model.bounds = replace(model.bounds, cameras=cameras)
    colour = torch.from_numpy(scene.images[-1]).clone()
    colour[:, : width // 2] = 255 - colour[:, : width // 2]
    found = filtered_labels.compared(model, model.static.nodes(), pixels, scene.frame_count - 1, colour)
    assert bool(found.kept[:, width // 2 + 4 :].float().mean() > 0.95)
    assert bool(found.kept[:, : width // 2 - 4].float().mean() < 0.5)
