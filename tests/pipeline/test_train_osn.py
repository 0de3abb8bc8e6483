"""Training of OSN on a tiny exact scene: end to end, killed and resumed, and refused where it must be."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from models.rays import Rays
from pipeline.cameras import directions_at_unit_depth, pixel_centres
from pipeline.config import OsnAblation, TrainOsnConfig
from pipeline.formats.scene_file import Scene, read_scene, write_scene
from pipeline.osn import pixels as osn_pixels
from pipeline.osn import training as osn_field_training
from pipeline.osn.method import OsnMethod
from pipeline.osn.setup import Phase, training_pixels
from pipeline.osn.training import TrainingContext, update
from pipeline.osn.training_state import started
from pipeline.rendering.trained_method import TrainedMethod, load_method, read_checkpoint
from pipeline.runtime.errors import StageError
from pipeline.train_osn import train_osn
from tests.pipeline.small_osn import few_scales
from tests.synthetic import synthetic_truth, write_synthetic_scene

CPU = torch.device("cpu")
TINY = TrainOsnConfig(
    bootstrap_steps=6,
    steps=8,
    rounds=1,
    round_steps=3,
    grids=[16, 20],
    density_channels=3,
    colour_channels=4,
    samples_per_step=4096,
    network_steps=10,
    network_batch=128,
    scale_samples=20,
    resume_seconds=1e6,
    shards=2,
)
KEPT = TINY.model_copy(update={"resume_seconds": 0.0})  # at every step
LEARNING = TINY.model_copy(
    update={
        "bootstrap_steps": 60, "steps": 30, "grids": [24, 32], "density_channels": 8, "colour_channels": 8,
        "samples_per_step": 16384, "network_steps": 200,
    }
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        few_scales(patch)
        yield


@pytest.fixture(scope="module")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_scene(tmp_path_factory.mktemp("synthetic")).scene


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MONOVERSE_DEVICE", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train(scene: Path, folder: Path, config: TrainOsnConfig = TINY) -> Path:
    checkpoint = folder / "checkpoint.pt"
    train_osn(scene, None, checkpoint, folder / "history.csv", folder / "scales.csv", config)
    return checkpoint


@pytest.fixture(scope="module")
def untouched(scene_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The parameters after an uninterrupted run on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    parameters = weights(train(scene_path, tmp_path_factory.mktemp("untouched")))
    torch.set_num_threads(threads)
    return parameters


def changed(scene: Path, path: Path, **arrays) -> Path:
    write_scene(path, replace(read_scene(scene), **arrays), {})
    return path


def one_object(scene: Scene) -> dict:
    """The arrays of the scene without its moving objects."""
    static = scene.observation_object == 0
    return {
        "object_ids": np.where(scene.object_ids == 0, 0, 255).astype(np.uint8),
        **{
            name: getattr(scene, name)[:1]
            for name in ("object_from_camera", "visible", "box_half_extent", "scale_range")
        },
        **{
            f"observation_{name}": getattr(scene, f"observation_{name}")[static]
            for name in ("object", "frame", "xy", "depth", "weight")
        },
        "objects": scene.objects[:1],
    }


def trained(path: Path, folder: Path, config: TrainOsnConfig = TINY) -> TrainedMethod:
    """A scene's method, trained and loaded."""
    return load_method(train(path, folder, config), read_scene(path), CPU)


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    state = read_checkpoint(checkpoint)
    return {**state["fields"]["weights"], **{f"network.{k}": v for k, v in (state["network"] or {}).items()}}


def frame_rays(scene: Scene, frame: int) -> Rays:
    directions = torch.from_numpy(
        directions_at_unit_depth(scene.camera, pixel_centres(*scene.images.shape[1:3]))
    ).float()
    pose = torch.from_numpy(scene.object_from_camera[0, frame])
    directions = directions.reshape(-1, 3) @ pose[:3, :3].T
    frames = torch.full((len(directions),), frame, dtype=torch.int64)
    return Rays(pose[:3, 3].expand(len(directions), 3), directions, frames)


def test_training_learns_the_scene_and_its_segmentation(scene_path, tmp_path):
    method, scene = trained(scene_path, tmp_path, LEARNING), read_scene(scene_path)
    rendering = method.render(frame_rays(scene, 4), torch.ones(scene.object_count))
    wanted = torch.from_numpy(scene.images[4]).reshape(-1, 3) / 255
    psnr = -10 * (rendering.colour - wanted).square().mean().log10()
    mean_psnr = -10 * (wanted.mean(0) - wanted).square().mean().log10()
    assert psnr > mean_psnr + 3.5
    ids = torch.from_numpy(scene.object_ids[4]).flatten()
    assert (rendering.object_weights.argmax(1) == ids).float().mean() > 0.9
    table = pd.read_csv(tmp_path / "scales.csv")
    assert (
        list(table.columns) == ["score", "hidden", "certain", "scale_0", "scale_1", "scale_2"]
        and len(table) == LEARNING.scale_samples
    )
    assert method.validity(method.scales).shape == method.scores.shape
    history = pd.read_csv(tmp_path / "history.csv")
    assert history.columns[0] == "step" and history["psnr_db"].dropna().is_monotonic_increasing
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["done_by"]  # until a run of the graph has ended well


def test_no_scene_is_certain_beside_an_object_whose_depth_nothing_tells(scene_path, tmp_path):
    config = LEARNING.model_copy(update={"steps": 5, "network_steps": 10})
    method, scene = trained(scene_path, tmp_path, config), read_scene(scene_path)
    flat = replace(scene, objects=[*scene.objects[:2], scene.objects[2] | {"depth_std_percent": None}])
    kept = (method.fields, method.network, method.views, method.scales, method.scores, method.object_views)
    beside = OsnMethod(flat, *kept)
    assert (beside.hidden_share(beside.scales) > beside.hidden_limit).all()
    assert "nothing tells how far away" in beside.remarks["certain scenes"]
    assert str(scene.objects[2]["name"]) in beside.remarks["certain scenes"]
    judge = beside.scale_judge()
    assert judge is not None and (judge.hiding.depth[judge.hiding.seen == 2, 2] > 100).all()
    assert "nothing tells" not in method.remarks["certain scenes"]


def test_without_depth_the_background_is_found_where_it_is(scene_path, tmp_path):
    """Nothing draws its surfaces towards the cameras: half of its pixels would be nearer than 0.65 of their depth."""
    config = LEARNING.model_copy(update={"depth_supervision": "none", "steps": 5, "network_steps": 10})
    method, scene = trained(scene_path, tmp_path, config), read_scene(scene_path)
    rendering = method.render(frame_rays(scene, 4), torch.ones(scene.object_count))
    background = scene.object_ids[4].flatten() == 0
    ratio = rendering.depth.numpy()[background] / synthetic_truth().train.depth[4].flatten()[background]
    assert 0.9 < np.median(ratio) < 1.1 and np.quantile(ratio, 0.1) > 0.8


@pytest.mark.parametrize("killed_at", [2, 7, 12])
def test_killed_run_ends_with_the_same_parameters_as_one_that_was_not(
    scene_path, untouched, tmp_path, monkeypatch, killed_at
):
    def killed(state, phase, losses):
        if state.field_step == killed_at:
            raise KeyboardInterrupt
        note(state, phase, losses)

    note = osn_field_training.note
    monkeypatch.setattr(osn_field_training, "note", killed)
    with pytest.raises(KeyboardInterrupt):
        train(scene_path, tmp_path / "killed", KEPT)
    assert (tmp_path / "killed" / "resume.pt").exists() and not (tmp_path / "killed" / "checkpoint.pt").exists()
    monkeypatch.setattr(osn_field_training, "note", note)
    resumed = weights(train(scene_path, tmp_path / "killed", KEPT))
    assert untouched.keys() == resumed.keys()
    assert all(torch.equal(untouched[name], resumed[name]) for name in untouched)


def test_result_does_not_depend_on_the_number_of_cores(scene_path, untouched, tmp_path):
    torch.set_num_threads(3)
    three = weights(train(scene_path, tmp_path))
    assert all(torch.equal(untouched[name], three[name]) for name in untouched)


def test_long_video_killed_and_resumed_ends_as_one_that_was_not(scene_path, tmp_path, monkeypatch):
    """Its frames are read by turns; which ones follows from the step."""
    monkeypatch.setattr(osn_pixels, "BYTES_PER_PIXEL", 1e6 / (48 * 64 * 3))
    config = KEPT.model_copy(update={"window_steps": 2, "pixel_memory_mb": 1})
    whole_run = weights(train(scene_path, tmp_path / "whole", config))

    def killed(state, phase, losses):
        if state.field_step == 7:
            raise KeyboardInterrupt
        note(state, phase, losses)

    note = osn_field_training.note
    monkeypatch.setattr(osn_field_training, "note", killed)
    with pytest.raises(KeyboardInterrupt):
        train(scene_path, tmp_path / "killed", config)
    monkeypatch.setattr(osn_field_training, "note", note)
    resumed = weights(train(scene_path, tmp_path / "killed", config))
    assert all(torch.equal(whole_run[name], resumed[name]) for name in whole_run)


@pytest.mark.parametrize("name", ["bootstrap", "composite"])
def test_tensor_code_of_gpus_has_the_losses_and_gradients_of_the_loops(scene_path, name):
    """One batch, the same jitter and scales, fields that a few steps have shaped: a relative 1e-3, of gradients' length."""
    scene, config = read_scene(scene_path), TINY.model_copy(update={"grids": [16]})
    state, pixels = started(scene, config, CPU), training_pixels(scene, config, CPU)
    context = TrainingContext(scene, lambda step: pixels, config, Path("unused"), "", map)
    phase = Phase(name, 100)
    for _ in range(6):
        update(state, osn_field_training.measured_losses(state, phase, context), phase, config)
    drawn, found = state.generator.get_state(), []
    for state.fields.loops in (True, False):
        state.generator.set_state(drawn)
        losses = osn_field_training.measured_losses(state, phase, context)
        # Fused optimisers on CPU take gradients as they lie in memory, whatever their strides say.
        assert all(p.grad is None or p.grad.stride() == p.stride() for p in state.fields.parameters())
        gradients = {
            name: parameter.grad.clone()
            for name, parameter in state.fields.named_parameters()
            if parameter.grad is not None
        }
        found.append((losses, gradients))
    (loops, by_loops), (tensors, by_tensors) = found
    for part in ("colour", "depth", "objects", "distortion", "samples"):
        assert float(getattr(loops, part)) > 0
        assert float(getattr(loops, part)) == pytest.approx(float(getattr(tensors, part)), rel=1e-3), part
    assert by_loops.keys() == by_tensors.keys() and len(by_loops) > 30
    for parameter, gradient in by_tensors.items():
        assert (by_loops[parameter] - gradient).norm() <= 1e-3 * gradient.norm() + 1e-7, parameter


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_trains_with_mixed_precision(scene_path, tmp_path, monkeypatch):
    monkeypatch.setenv("MONOVERSE_DEVICE", "cuda")
    checkpoint = train(scene_path, tmp_path, TINY.model_copy(update={"mixed_precision": True, "pose_lr": 1e-3}))
    method = load_method(checkpoint, read_scene(scene_path), torch.device("cuda"))
    rendering = method.render(frame_rays(read_scene(scene_path), 2).to(torch.device("cuda")))
    assert torch.isfinite(rendering.colour).all()


def test_state_of_other_settings_is_not_gone_on_from(scene_path, tmp_path, caplog):
    (tmp_path / "resume.pt").write_bytes(b"torn")
    train(scene_path, tmp_path)
    assert "training begins anew" in caplog.text


def test_scene_without_moving_objects_trains_and_has_one_scale(scene_path, tmp_path):
    still = changed(scene_path, tmp_path / "still.h5", **one_object(read_scene(scene_path)))
    method = trained(still, tmp_path)
    assert method.scales.tolist() == [[1.0]] and method.validity(method.scales).tolist() == [1.0]
    rendering = method.render(frame_rays(read_scene(still), 0))
    assert rendering.object_weights.shape[1] == 1 and torch.isfinite(rendering.colour).all()


def test_colours_that_nothing_was_seen_of_fade(scene_path, tmp_path):
    """The corners of planes lie outside of what the cameras saw; decay leaves them the object's own tint."""
    sizes = []
    for decay in (0.0, 0.5):
        config = TINY.model_copy(update={"colour_weight_decay": decay, "total_variation_weight": 0.0})
        state = weights(train(scene_path, tmp_path / str(decay), config))
        sizes.append([state[f"fields.1.colour_planes.{i}"].abs().median() for i in range(3)])
    assert all(faded < kept for kept, faded in zip(*sizes, strict=True))


@pytest.mark.parametrize(("scales", "count"), [("uniform", 1024), ("middle", 1)])
def test_baselines_train_without_a_scale_network(scene_path, tmp_path, scales, count):
    method = trained(scene_path, tmp_path, TINY.model_copy(update={"ablation": OsnAblation(scales=scales)}))
    assert method.scales.shape == (count, 3) and (method.validity(method.scales) == 1).all()


def test_baseline_with_the_released_codes_sampling_trains_and_is_rendered_as_trained(scene_path, tmp_path):
    method = trained(scene_path, tmp_path, TINY.model_copy(update={"ablation": OsnAblation(sampling="even_depth")}))
    assert method.fields.shape.even_depth
    rendering = method.render(frame_rays(read_scene(scene_path), 2))
    assert torch.isfinite(rendering.colour).all() and rendering.object_weights[:, 1:].max() > 0.1


def test_refined_poses_come_nearer_to_the_true_ones(scene_path, tmp_path):
    """Across the view; along it a small image says little. What all frames share belongs to the field, not the poses."""
    scene = read_scene(scene_path)
    true, shaken, rng = scene.object_from_camera[1:], scene.object_from_camera.copy(), np.random.default_rng(0)
    shaken[1:, :, :3, 3] += 0.1 * rng.standard_normal(shaken[1:, :, :3, 3].shape) * scene.box_half_extent[1:, None]
    config = TINY.model_copy(
        update={"pose_lr": 1e-2, "bootstrap_steps": 60, "steps": 40, "grids": [24], "samples_per_step": 16384}
    )
    shaken_path = changed(scene_path, tmp_path / "scene.h5", object_from_camera=shaken)
    method = trained(shaken_path, tmp_path, config)

    def off(poses: np.ndarray) -> float:
        error = (poses - true)[..., :3, 3]
        in_camera = np.einsum("ktji,ktj->kti", true[..., :3, :3], error - error.mean(1, keepdims=True))
        return float(np.square(in_camera[..., :2]).mean() ** 0.5)

    assert off(method.fields.poses().numpy()[1:]) < 0.92 * off(shaken[1:])


def test_object_seen_in_few_frames_is_absent_in_the_others(scene_path, tmp_path):
    visible = np.ones_like(read_scene(scene_path).visible)
    visible[1, 3:] = False
    method = trained(changed(scene_path, tmp_path / "scene.h5", visible=visible), tmp_path)
    scene = read_scene(scene_path)
    assert method.render(frame_rays(scene, 0)).object_weights[:, 1].max() > 0.1
    assert method.render(frame_rays(scene, 6)).object_weights[:, 1].max() == 0


def test_scene_without_sparse_points_learns_its_colours_without_depth(scene_path, tmp_path, monkeypatch):
    scene = read_scene(scene_path)
    none = {
        f"observation_{name}": getattr(scene, f"observation_{name}")[:0]
        for name in ("object", "frame", "xy", "depth", "weight")
    }
    monkeypatch.setattr(osn_field_training, "STEPS_PER_ROW", 1)
    config = TINY.model_copy(update={"bootstrap_steps": 20, "steps": 10})
    method = trained(changed(scene_path, tmp_path / "scene.h5", **none), tmp_path, config)
    history = pd.read_csv(tmp_path / "history.csv").dropna(subset="colour_loss")
    assert len(history) == 30 and (history["depth_loss"] == 0).all()
    assert history["colour_loss"].tail(5).mean() < 0.7 * history["colour_loss"].iloc[0]
    wanted = torch.from_numpy(scene.images[4]).reshape(-1, 3) / 255
    rendering = method.render(frame_rays(scene, 4), torch.ones(scene.object_count))
    assert (rendering.colour - wanted).square().mean() < (wanted.mean(0) - wanted).square().mean()


def test_loss_that_is_no_number_names_the_step_and_keeps_the_last_good_state(scene_path, tmp_path, monkeypatch):
    losses_of = osn_field_training.measured_losses

    def broken(state, phase, context):
        losses = losses_of(state, phase, context)
        return replace(losses, colour=losses.colour * float("nan")) if state.field_step == 4 else losses

    monkeypatch.setattr(osn_field_training, "measured_losses", broken)
    with pytest.raises(StageError, match=r"step 4 of phase bootstrap .* has loss nan \(colour nan, depth"):
        train(scene_path, tmp_path, KEPT)
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["field_step"] == 4
    assert not (tmp_path / "checkpoint.pt").exists()


def test_object_without_pixels_or_poses_is_refused(scene_path, tmp_path):
    scene = read_scene(scene_path)
    visible = scene.visible.copy()
    visible[2] = False
    with pytest.raises(StageError, match="right box has no pixel"):
        train(changed(scene_path, tmp_path / "a.h5", visible=visible), tmp_path)
