"""Edits asked for by name, of a scene that was trained for a moment."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import Edit, RenderViewsConfig
from pipeline.formats.renders_folder import read_renders, read_set_ids, read_set_images
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.render_views import render_views
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow.edits import change_of, find, thing_centres
from pipeline.semantic_flow.method import SemanticFlowMethod, method_from_checkpoint
from pipeline.train_semantic_flow import train_semantic_flow
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import SyntheticScene, write_synthetic_scene


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("edits"))


@pytest.fixture(scope="module")
def scene(written: SyntheticScene) -> Scene:
    return read_scene(written.scene)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("semantic_flow")


@pytest.fixture(scope="module")
def method(written: SyntheticScene, scene: Scene, folder: Path) -> SemanticFlowMethod:
    config = small(static_steps=40, steps=80, resume_seconds=1e6)
    train_semantic_flow(written.scene, None, None, None, None, folder / "checkpoint.pt", folder / "history.csv", config)
    return method_from_checkpoint(torch.load(folder / "checkpoint.pt", weights_only=True), scene, torch.device("cpu"))


def test_edits_become_videos_of_the_scene_without_a_thing(
    method: SemanticFlowMethod, written: SyntheticScene, folder: Path
) -> None:
    edits = [
        Edit(object="left box", action="remove", video="alone"),
        Edit(object="1", action="recolour", colour=(20, 200, 40)),
        Edit(object="right box", action="remove", video="alone"),
    ]
    config = RenderViewsConfig(observed_frames=2, path_frames=1, edits=edits, edit_frames=2)
    render_views(folder / "checkpoint.pt", written.scene, written.info, None, None, folder / "renders", config)
    listed = read_renders(folder / "renders")
    before = listed.of_kind("observed")[0]
    alone, painted = listed.of_kind("edit")
    assert alone.caption == "left box removed, right box removed" and alone.frames == before.frames
    ids = read_set_ids(folder / "renders", before)
    assert (ids > 0).mean() > 0.05
    assert (read_set_ids(folder / "renders", alone) > 0).mean() < 0.6 * (
        ids > 0
    ).mean()  # haze of a short training stays
    old, new = (read_set_images(folder / "renders", entry).astype(float) for entry in (before, painted))
    greener = (new - old)[..., 1] - (new - old)[..., 0]
    one, other, ground = (greener[ids == index].mean() for index in (1, 2, 0))
    assert one > 20 and abs(other) < 0.1 * one and ground < 0.7 * one


def test_names_ids_and_classes_are_found_and_others_refused(method: SemanticFlowMethod, scene: Scene) -> None:
    assert find("left box", method.trained, scene) == find("1", method.trained, scene)
    assert find("right box", method.trained, scene).column == 2
    with pytest.raises(StageError, match="horse; known are background, left box, right box"):
        find("horse", method.trained, scene)
    with pytest.raises(StageError, match="background"):
        change_of(Edit(object="background", action="remove"), method.trained, scene)


def test_one_object_of_a_class_is_told_by_its_place(method: SemanticFlowMethod, scene: Scene) -> None:
    shared = {"class_names": ["background", "box"], "class_of": {0: 0, 1: 1, 2: 1}, "class_moves": [False, True]}
    method = SemanticFlowMethod(scene, replace(method.trained, facts={**method.trained.facts, **shared}))
    assert find("box", method.trained, scene).index is None
    wanted = find("right box", method.trained, scene)
    assert (wanted.objects, wanted.index) == ([1, 2], 1)
    edited = method.edited([Edit(object="right box", action="remove")], np.ones(3))
    selection = edited.changes[0].selection
    assert selection.centres is not None and selection.index == 1
    assert bool((selection.centres[0, :, 0] < selection.centres[1, :, 0]).all())


def test_centres_of_objects_project_into_their_masks(method: SemanticFlowMethod, scene: Scene) -> None:
    centres = thing_centres(scene, method.trained, [1, 2])
    frames = torch.arange(scene.frame_count)
    for thing, identity in ((0, 1), (1, 2)):
        xy, _ = method.trained.model.bounds.cameras.project(centres[thing], frames)
        column, row = xy.long().numpy().T
        assert (scene.object_ids[frames.numpy(), row, column] == identity).all()
