"""Training of Semantic Flow on a tiny scene."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from models.semantic_flow.attention import WIDTH
from models.semantic_flow.decoding import class_weights
from models.semantic_flow.model import SemanticFlow
from models.semantic_flow.ndc import NdcRegion
from models.semantic_flow.reference_body import ReferenceFlow
from pipeline import train_semantic_flow as stage
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene, SceneFlow, read_scene, write_scene
from pipeline.rendering.trained_method import load_training
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow import training, training_scene
from pipeline.semantic_flow.labels import training_labels
from pipeline.semantic_flow.method import SemanticFlowMethod, method_from_checkpoint
from pipeline.semantic_flow.pixels import Video
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import SyntheticScene, write_synthetic_scene

REFERENCE = {
    "body": "reference",
    "image_based_rendering": False,
    "static_steps": 4,
    "steps": 6,
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
    shown = method.render(method.trained.model.bounds.cameras.rays(xy, torch.full((len(xy),), frame)))
    return shown.colour.view(*y.shape, 3).numpy(), shown.object_weights.argmax(-1).view(y.shape).numpy()


@pytest.fixture(scope="module")
def trained(written: SyntheticScene, tmp_path_factory: pytest.TempPathFactory) -> tuple[SemanticFlowMethod, Path]:
    folder = tmp_path_factory.mktemp("trained")
    return train(written.scene, folder, small(static_steps=60, steps=100, resume_seconds=1e6)), folder


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
    assert torch.load(folder / "resume.pt", weights_only=True)["done_by"]  # until a run of the graph has ended well


def test_the_reference_body_learns_from_step_to_step(
    written: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "STEPS_PER_ROW", 10)
    monkeypatch.setattr(training, "ACTIVE_SAMPLE", 100)
    more = {"static_rays": 64, "static_steps": 50, "steps": 10, "resume_seconds": 1e6}
    method = train(written.scene, tmp_path, small(**{**REFERENCE, **more}))
    assert isinstance(method.trained.model, ReferenceFlow)
    rows = pd.read_csv(tmp_path / "history.csv").groupby("stage")["colour"].apply(list)
    assert rows["static"][-1] < 0.85 * rows["static"][0] and np.isfinite(rows["joint"]).all(), rows
    xy = torch.rand(200, 2) * torch.tensor(
        [method.trained.model.bounds.cameras.width, method.trained.model.bounds.cameras.height]
    )
    shown = method.render(method.trained.model.bounds.cameras.rays(xy, torch.full((200,), 4)))
    assert bool(shown.colour.isfinite().all()) and float(shown.colour.std()) > 0.02


def test_probabilities_of_classes_sum_to_the_opacity(trained: tuple[SemanticFlowMethod, Path]) -> None:
    method, _ = trained
    cameras = method.trained.model.bounds.cameras
    xy = torch.rand(50, 2) * torch.tensor([cameras.width, cameras.height])
    shown = method.render(cameras.rays(xy, torch.full((50,), 2)))
    torch.testing.assert_close(shown.object_weights.sum(-1), shown.opacity)
    assert bool((shown.depth > 0).all())


@pytest.mark.parametrize(
    "killed_at,body", [(("static", 5), {}), (("joint", 10), {}), (("joint", 2), REFERENCE)], ids=str
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

    def kill(state: training.TrainingState, parts: dict[str, torch.Tensor]) -> dict[str, float]:
        if (state.stage, state.step) == (killed_at[0], killed_at[1] + 3):
            raise KeyboardInterrupt
        return update(state, parts)

    with monkeypatch.context() as patch:
        patch.setattr(training, "update", kill)
        with pytest.raises(KeyboardInterrupt):
            train(written.scene, tmp_path / "killed", config)
    assert not (tmp_path / "killed" / "checkpoint.pt").exists()
    shown = load_training(
        tmp_path / "killed" / "resume.pt", "semantic_flow", read_scene(written.scene), torch.device("cpu")
    )
    assert isinstance(shown, SemanticFlowMethod)
    torch.testing.assert_close(shown.trained.model.maps.features, whole.trained.model.maps.features)
    resumed = train(written.scene, tmp_path / "killed", config)
    for name, value in whole.trained.model.state_dict().items():
        torch.testing.assert_close(resumed.trained.model.state_dict()[name], value, rtol=0, atol=0, msg=name)
    assert (tmp_path / "killed" / "history.csv").read_text() == (tmp_path / "whole" / "history.csv").read_text()


def test_a_state_of_other_settings_is_not_gone_on_from(written: SyntheticScene, tmp_path: Path) -> None:
    (tmp_path / "resume.pt").write_bytes(b"torn")
    config = small(static_steps=2, steps=2, rays=32)
    assert stage.resumed(tmp_path / "resume.pt", "fingerprint", torch.zeros(0), config, torch.device("cpu")) is None


@dataclass(frozen=True)
class Switched:
    """A short training with a switch: the method, its semantic head as stage 2 began, and the history."""

    method: SemanticFlowMethod
    head_before: dict[str, torch.Tensor]
    history: pd.DataFrame

    @property
    def model(self) -> SemanticFlow:
        return self.method.trained.model

    def learned(self, part: str) -> bool:
        """Whether training changed every parameter of a part of the head; none may be changed in the middle."""
        after = {name: value for name, value in self.model.head.state_dict().items() if name.startswith(part)}
        (changed,) = {bool((value != self.head_before[name]).any()) for name, value in after.items()}
        return changed

    def logits_depend_on(self, module: nn.Module) -> bool:
        """Whether a gradient path leads from the logits of moving points to a module."""
        self.model.requires_grad_(True)
        inside = 0.6 * (2 * torch.rand(40, 3, generator=torch.Generator().manual_seed(0)) - 1)
        points, frames = self.model.bounds.dynamic_region.points(inside), torch.full((40,), 3)
        features = self.model.dynamic_features(points, frames.float())
        logits = self.model.dynamic_logits(points, frames, features)
        found = torch.autograd.grad(logits.square().sum(), list(module.parameters()), allow_unused=True)
        return any(gradient is not None and bool((gradient != 0).any()) for gradient in found)


Switch = Callable[..., Switched]


@pytest.fixture
def switched(written: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Switch:
    """Trains with a switch for a few steps, and renders."""

    def trained_with(**switch: object) -> Switched:
        heads = []

        def watched(*arguments: object) -> training.TrainingState:
            state: training.TrainingState = second_stage(*arguments)
            heads.append({name: value.clone() for name, value in state.model.head.state_dict().items()})
            return state

        second_stage = training_scene.second_stage
        monkeypatch.setattr(training_scene, "second_stage", watched)
        monkeypatch.setattr(training, "STEPS_PER_ROW", 1)
        method = train(written.scene, tmp_path, small(static_steps=2, steps=3, rays=64, **switch))
        colour, _ = view(method, read_scene(written.scene), 1)
        assert np.isfinite(colour).all()
        return Switched(method, heads[0], pd.read_csv(tmp_path / "history.csv"))

    return trained_with


def test_attention_is_used_and_learned(switched: Switch) -> None:
    whole = switched()
    assert whole.learned("attention") and whole.learned("network") and whole.learned("embed")
    assert whole.logits_depend_on(whole.model.head.attention) and whole.logits_depend_on(whole.model.velocity)
    assert not whole.logits_depend_on(whole.model.dynamic)


def test_untrained_attention_is_used_and_stays_as_it_was(switched: Switch) -> None:
    ablated = switched(ablation={"head": "untrained_attention"})
    assert not ablated.learned("attention") and ablated.learned("network")
    assert ablated.logits_depend_on(ablated.model.head.attention)


def test_flow_features_alone_know_no_attention(switched: Switch) -> None:
    ablated = switched(ablation={"head": "flow_features"})
    assert ablated.learned("network") and not ablated.learned("attention")
    assert not ablated.logits_depend_on(ablated.model.head.attention)
    assert ablated.logits_depend_on(ablated.model.head.embed) and ablated.logits_depend_on(ablated.model.velocity)


def test_the_point_head_knows_no_flow(switched: Switch) -> None:
    baseline = switched(ablation={"head": "point"})
    head = baseline.model.head
    assert not any(baseline.logits_depend_on(part) for part in (baseline.model.velocity, head.embed, head.attention))
    assert baseline.logits_depend_on(baseline.model.dynamic.appearance)


def test_without_displacement_tokens_are_the_same_wherever_points_move(switched: Switch) -> None:
    ablated = switched(ablation={"displacement": False})
    generator = torch.Generator().manual_seed(0)
    features, visible = torch.randn(9, 3, 8, generator=generator), torch.ones(9, 3, dtype=torch.bool)
    one, other = (torch.randn(9, 3, 4, generator=generator) for _ in range(2))
    tokens = ablated.model.head.tokens
    torch.testing.assert_close(tokens(features, one, visible), tokens(features, other, visible), rtol=0, atol=0)
    assert not ablated.logits_depend_on(ablated.model.velocity)  # features pass no gradient to where they are read


def test_without_density_prior_one_sample_says_what_a_ray_means(switched: Switch) -> None:
    ablated = switched(ablation={"density_prior": False})
    model = ablated.model
    assert not model.sizes.density_prior
    xy = torch.rand(60, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([64.0, 48.0])
    weights = model.trace(
        ablated.method.trained.nodes, model.bounds.cameras.rays(xy, torch.full((60,), 2)), None
    ).weights
    counted = sum(class_weights(weights, part, model.sizes.density_prior) for part in (weights.static, weights.dynamic))
    assert bool(((counted > 0).sum(1) == 1).all())
    torch.testing.assert_close(counted.sum(1), torch.ones(60))
    assert bool((counted.argmax(1) == weights.both.argmax(1)).all())


def test_longer_trajectories_finer_steps_and_the_fields_features_reach_the_head(switched: Switch) -> None:
    extended = switched(ablation={"geometry_feature": True}, reach=2, consistency_frames=2, integrator="midpoint")
    model = extended.model
    assert model.head.network[0].in_features == 5 * WIDTH + model.dynamic.channels
    assert extended.logits_depend_on(model.dynamic.appearance)
    points, times = torch.zeros(4, 3), torch.arange(4.0)
    half = points + model.velocity(points, times) / 2
    later = model.moved(points, times, torch.ones(4))
    torch.testing.assert_close(later, points + model.velocity(half, times + 0.5))


def test_frames_without_labels_give_no_colour_where_they_may_not_and_believe_their_neighbours(
    switched: Switch, written: SyntheticScene
) -> None:
    config = {"task": "tracking", "unlabelled_rgb": False, "label_propagation_frames": 0}
    tracked = switched(**config, loss_weights={"self_consistency": 0.1})
    assert tracked.method.trained.facts["labelled_frames"] == [0, 1]
    scene = read_scene(written.scene)
    area = scene.camera.height * scene.camera.width
    labels = training_labels(scene, None, small(**config))
    for everywhere, frames in ((False, 2), (True, scene.frame_count)):
        video = Video.of(scene, SceneFlow.of(scene), labels, small(unlabelled_rgb=everywhere))
        drawn = video.pixels(list(range(scene.frame_count))).anywhere // area
        assert drawn.unique().tolist() == list(range(frames))
    joint = tracked.history[tracked.history["stage"] == "joint"]
    assert joint["self_consistency"].notna().any() and (joint["self_consistency"].dropna() >= 0).all()


def test_in_ndc_both_regions_are_of_the_middle_view(switched: Switch, written: SyntheticScene) -> None:
    bounds = switched(space="ndc").model.bounds
    still, moving = bounds.static_region, bounds.dynamic_region
    assert isinstance(still, NdcRegion) and isinstance(moving, NdcRegion)
    middle = bounds.cameras.world_from_camera[bounds.cameras.frame_count // 2]
    torch.testing.assert_close(still.world_from_view, middle)
    torch.testing.assert_close(moving.world_from_view, middle)
    nearest, farthest = (middle[:3, 3] + depth * middle[:3, 2] for depth in (still.near, 1e6))
    expected = torch.tensor([[0.0, 0, -1], [0.0, 0, 1]]) / (1 + still.shell)
    torch.testing.assert_close(still.coordinates(torch.stack([nearest, farthest])), expected, atol=1e-4, rtol=0)


def test_a_scene_without_cameras_is_refused(written: SyntheticScene, tmp_path: Path) -> None:
    scene = read_scene(written.scene)
    blind = replace(scene, visible=np.zeros_like(scene.visible))
    write_scene(tmp_path / "scene.h5", blind, {})
    with pytest.raises(StageError, match="known camera"):
        train(tmp_path / "scene.h5", tmp_path, small(static_steps=1, steps=1))
