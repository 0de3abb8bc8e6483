"""Carried labels that the static scene contradicts are dropped, and no other label."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline import checked_labels
from pipeline.checked_labels import checked_labels as checked
from pipeline.config import TrainSemanticFlowConfig
from pipeline.scene_file import read_scene
from pipeline.semantic_flow_data import UNKNOWN, training_pixels
from pipeline.semantic_labels import UNLABELLED, training_labels
from tests.models.semantic_flow.tiny_model import tiny_model
from tests.synthetic import SyntheticScene, write_synthetic_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("checked_labels"))


def test_labels_of_what_rests_and_of_what_moves_are_told_apart(
    written: SyntheticScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = read_scene(written.scene)
    labels = training_labels(scene, None, TrainSemanticFlowConfig(task="tracking", labelled_share=0.5))
    hidden = np.flatnonzero(~labels.labelled)
    ids = labels.ids.copy()
    ids[hidden, :4], ids[hidden, 4:] = 0, 1
    carried = replace(labels, ids=ids)
    pixels = training_pixels(scene, carried, True)
    size = scene.object_ids.shape
    still, other = torch.zeros(2, *size[1:], dtype=torch.bool)
    still[:, :10], other[:, 20:] = True, True
    monkeypatch.setattr(checked_labels, "compared", lambda *_: (still, other))
    model = tiny_model()
    model.place = replace(
        model.place, cameras=replace(model.place.cameras, world_from_camera=torch.eye(4).repeat(size[0], 1, 1))
    )
    cameras = replace(model.place.cameras, height=size[1], width=size[2])
    model.place = replace(model.place, cameras=cameras)
    after = checked(model, pixels, carried, map)
    label, moving = after.label.view(size), after.moving.view(size)
    for frame in range(size[0]):
        before = torch.from_numpy(ids[frame])
        if frame not in hidden:
            assert torch.equal(label[frame], before)
            continue
        assert bool((label[frame, 4:, :10] == UNLABELLED).all())  # a moving class where the scene rests
        assert bool((label[frame, :4, 20:] == UNLABELLED).all())  # the background where something moves
        assert bool((label[frame, :4, :20] == 0).all() and (label[frame, 4:, 10:] == 1).all())
        assert bool((moving[frame, :, :10] == 0).all() and (moving[frame, 4:, 20:] == 1).all())
        assert bool((moving[frame, :4, 10:] == UNKNOWN).all() and (moving[frame, 4:, 10:20] == UNKNOWN).all())
