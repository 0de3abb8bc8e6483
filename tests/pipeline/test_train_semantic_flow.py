"""Training of Semantic Flow on a tiny scene."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from models.semantic_flow.reference_body import ReferenceFlow
from pipeline import train_semantic_flow as stage
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene, read_scene, write_scene
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow import training as training
from pipeline.semantic_flow.data import camera_rays, scene_cameras, training_pixels, training_points
from pipeline.semantic_flow.labels import training_labels
from pipeline.semantic_flow.method import SemanticFlowMethod, method_from_checkpoint
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import SyntheticScene, write_synthetic_scene

REFERENCE = {
    "body": "reference",
    "image_based_rendering": False,
    "static_steps": 4,
    "static_rays": 32,
    "sparse_points": 8,
    "rays": 32,
    "warped_rays": 8,
    "semantic_rays": 16,
    "coarse_samples": 12,
    "fine_samples": 6,
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("semantic_flow"))


def train(scene: Path, folder: Path, config: TrainSemanticFlowConfig) -> SemanticFlowMethod:
    stage.train_semantic_flow(scene, None, None, None, None, folder / "checkpoint.pt", folder / "history.csv", config)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    return method_from_checkpoint(state, read_scene(scene), torch.device("cpu"))


def view(method: SemanticFlowMethod, scene: Scene, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours and classes of every second pixel of a training view."""
    y, x = torch.meshgrid(
        torch.arange(0, scene.camera.height, 2), torch.arange(0, scene.camera.width, 2), indexing="ij"
    )
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5
    shown = method.render(camera_rays(method.trained.model.bounds.cameras, xy, torch.full((len(xy),), frame)))
    return shown.colour.view(*y.shape, 3).numpy(), shown.object_weights.argmax(-1).view(y.shape).numpy()


@pytest.fixture(scope="module")
def trained(written: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> tuple[SemanticFlowMethod, Path]:
    folder = tmp_path_factory.mktemp("trained")
    return train(written.scene, folder, small(static_steps=100, steps=130)), folder


def test_a_short_training_shows_the_scene_and_its_objects(
    trained: tuple[SemanticFlowMethod, Path], written: SyntheticScene
) -> None:
    method, folder = trained
    scene = read_scene(written.scene)
    assert method.scales.tolist() == [[1.0] * scene.object_count]
    colour, classes = view(method, scene, 4)
    seen, ids = scene.images[4, ::2, ::2] / 255, scene.object_ids[4, ::2, ::2]
    assert ((colour - seen) ** 2).mean() < 0.7 * seen.var()
    for k in range(3):
        both, either = ((classes == k) & (ids == k)).sum(), ((classes == k) | (ids == k)).sum()
        assert both / either > 0.5, f"object {k}"
    rows = pd.read_csv(folder / "history.csv")
    assert set(rows["stage"]) == {"static", "joint"}
    assert not (folder / "resume.pt").exists()


def test_the_reference_body_learns_from_step_to_step(
    written: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STEPS_PER_ROW", 10)
    monkeypatch.setattr(training, "ACTIVE_SAMPLE", 100)
    method = train(written.scene, tmp_path, small(**{**REFERENCE, "static_rays": 64, "static_steps": 50, "steps": 10}))
    assert isinstance(method.trained.model, ReferenceFlow)
    rows = pd.read_csv(tmp_path / "history.csv").groupby("stage")["colour"].apply(list)
    assert rows["static"][-1] < 0.85 * rows["static"][0] and np.isfinite(rows["joint"]).all(), rows
    xy = torch.rand(200, 2) * torch.tensor(
        [method.trained.model.bounds.cameras.width, method.trained.model.bounds.cameras.height]
    )
    shown = method.render(camera_rays(method.trained.model.bounds.cameras, xy, torch.full((200,), 4)))
    assert bool(shown.colour.isfinite().all()) and float(shown.colour.std()) > 0.02


def test_probabilities_of_classes_sum_to_the_opacity(trained: tuple[SemanticFlowMethod, Path]) -> None:
    method, _ = trained
    cameras = method.trained.model.bounds.cameras
    xy = torch.rand(50, 2) * torch.tensor([cameras.width, cameras.height])
    shown = method.render(camera_rays(cameras, xy, torch.full((50,), 2)))
    torch.testing.assert_close(shown.object_weights.sum(-1), shown.opacity)
    assert bool((shown.depth > 0).all())


@pytest.mark.parametrize(
    "killed_at,body", [(("static", 5), {}), (("joint", 10), {}), (("joint", 10), REFERENCE)], ids=str
)
def test_a_killed_run_that_goes_on_ends_like_one_that_was_not(
    written: SyntheticScene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: tuple[str, int],
    body: dict[str, object],
) -> None:
    monkeypatch.setattr(training, "STEPS_PER_ROW", 5)
    monkeypatch.setattr(training, "ACTIVE_SAMPLE", 100)
    config = small(**{"static_steps": 12, "steps": 14, "rays": 64, "warped_rays": 8, "semantic_rays": 16, **body})
    whole = train(written.scene, tmp_path / "whole", config)
    update = training.update

    def kill(state: training.TrainingState, parts: dict[str, torch.Tensor]) -> None:
        if (state.stage, state.step) == (killed_at[0], killed_at[1] + 3):
            raise KeyboardInterrupt
        update(state, parts)

    with monkeypatch.context() as patch:
        patch.setattr(training, "update", kill)
        with pytest.raises(KeyboardInterrupt):
            train(written.scene, tmp_path / "killed", config)
    assert not (tmp_path / "killed" / "checkpoint.pt").exists()
    resumed = train(written.scene, tmp_path / "killed", config)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=0, atol=0, msg=name)
    assert (tmp_path / "killed" / "history.csv").read_text() == (tmp_path / "whole" / "history.csv").read_text()


def test_a_state_of_other_settings_is_not_gone_on_from(written: SyntheticScene, tmp_path: Path) -> None:
    (tmp_path / "resume.pt").write_bytes(b"torn")
    config = small(static_steps=2, steps=2, rays=32)
    assert stage.resumed(tmp_path / "resume.pt", "fingerprint", config, torch.device("cpu")) is None


@pytest.mark.parametrize(
    "switch",
    [
        {"ablation": {"head": "flow_features"}},
        {"ablation": {"head": "untrained_attention"}},
        {"ablation": {"head": "point"}},
        {"ablation": {"displacement": False}},
        {"ablation": {"density_prior": False}},
        {"ablation": {"geometry_feature": True}, "reach": 2, "consistency_frames": 2, "integrator": "midpoint"},
        {"task": "tracking", "loss_weights": {"self_consistency": 0.1}, "unlabelled_rgb": False},
        {"space": "ndc"},
    ],
)
def test_every_switch_trains_and_renders(written: SyntheticScene, tmp_path: Path, switch: dict[str, object]) -> None:
    method = train(written.scene, tmp_path, small(static_steps=2, steps=3, rays=64, **switch))
    colour, _ = view(method, read_scene(written.scene), 1)
    assert np.isfinite(colour).all()


def test_held_out_labels_cannot_reach_training_through_masks_or_points(written: SyntheticScene, tmp_path: Path) -> None:
    scene = read_scene(written.scene)
    config = small(task="tracking", labelled_fraction=0.5)
    labels = training_labels(scene, None, config)
    hidden = ~labels.labelled
    other = scene.object_ids.copy()
    other[hidden] = 0
    changed = replace(scene, object_ids=other)
    pixels = training_pixels(scene, labels, True)
    same = training_pixels(changed, training_labels(changed, None, config), True)
    for name in ("label", "moving", "anywhere", "still", "active"):
        torch.testing.assert_close(getattr(same, name), getattr(pixels, name), rtol=0, atol=0)
    points = training_points(scene, labels, np.ones(scene.object_count))
    moving = points.moving > 0
    assert not hidden[points.frame[moving].numpy()].any()
    assert bool((points.moving[torch.from_numpy(hidden)[points.frame]] == -1).all())
    known = points.motion_known.any(dim=1)
    assert bool(known.any())
    forward = points.motion_known[:, 0]
    assert not hidden[(points.frame[forward] + 1).numpy()].any()


def test_known_motion_carries_points_to_where_the_object_is_next(written: SyntheticScene) -> None:
    """Moved points project to where the true flow leads."""
    scene = read_scene(written.scene)
    labels = training_labels(scene, None, small())
    points = training_points(scene, labels, np.ones(scene.object_count))
    cameras = scene_cameras(scene)
    chosen = points.motion_known[:, 0]
    frame, xy = points.frame[chosen], points.xy[chosen]
    rays = camera_rays(cameras, xy, frame)
    later = rays.origins + points.depth[chosen][:, None] * rays.directions + points.motion[chosen, 0]
    landed, _ = cameras.project(later, frame + 1)
    flow = scene.flow_forward[frame.numpy(), xy[:, 1].long().numpy(), xy[:, 0].long().numpy()]
    error = (landed - xy - torch.from_numpy(flow)).norm(dim=-1)
    assert float(error.median()) < 0.1


def test_a_scene_without_cameras_is_refused(written: SyntheticScene, tmp_path: Path) -> None:
    scene = read_scene(written.scene)
    blind = replace(scene, visible=np.zeros_like(scene.visible))
    write_scene(tmp_path / "scene.h5", blind, {})
    with pytest.raises(StageError, match="known camera"):
        train(tmp_path / "scene.h5", tmp_path, small(static_steps=1, steps=1))
