"""On the simulated device: training and its resume, rendering, edits, judging of scales, surfaces; and what a step costs.

A budget is (kernels, synchronisations, of these inside the pass forwards and backwards) of one step of the tiny scene with
its three objects. docs/ARCHITECTURE.md states the same table.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

from models.ops import recorded_pass
from models.rays import Rays
from models.rendering import Rendering, in_chunks
from pipeline import train_osn as osn_stage
from pipeline.config import Edit, EvaluateConfig, ExportObjectsConfig, RenderViewsConfig, TrainBaselineConfig
from pipeline.evaluate import evaluate
from pipeline.evaluation.scales import scale_results
from pipeline.export_objects import export_objects
from pipeline.formats.metrics_table import read_metrics
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.osn import training as osn_training
from pipeline.render_views import render_views
from pipeline.rendering.trained_method import TrainedMethod, load_method
from pipeline.runtime.device import choose_algorithms
from pipeline.runtime.sources import ROOT
from pipeline.semantic_flow import training as flow_training
from pipeline.train_baseline import train_baseline
from pipeline.train_osn import train_osn
from pipeline.train_semantic_flow import train_semantic_flow
from tests.pipeline.small_semantic_flow import small
from tests.pipeline.test_train_osn import TINY, frame_rays
from tests.simulated_cuda import Card, Seen, simulated_cuda
from tests.synthetic import write_synthetic_scene

CUDA = torch.device("cuda")
BUDGETS = {
    "OSN, bootstrap": (930, 1, 0),
    "OSN, composite": (930, 1, 0),
    "OSN, composite, recorded": (85, 1, 0),
    "Semantic Flow, static": (940, 1, 0),
    "Semantic Flow, joint": (1440, 1, 0),
    "Semantic Flow, joint, recorded": (120, 1, 0),
}
FEW = {
    "bootstrap_steps": 2,
    "steps": 3,
    "grids": [12],
    "network_steps": 2,
    "scale_samples": 3,
    "samples_per_step": 512,
    "pose_lr": 1e-3,
    "mixed_precision": True,
    "resume_seconds": 0.0,
}
Costs = dict[str, list[tuple[Seen, Seen]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cuda")


@pytest.fixture(scope="module")
def scene(folder: Path) -> Path:
    return write_synthetic_scene(folder).scene


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    monkeypatch.setenv("MONOVERSE_DEVICE", "cuda")
    jaxtyping.config.update("jaxtyping_disable", True)  # checks of wrapped tensors cost more than what they check
    monkeypatch.setattr(osn_stage, "VIEW_RAYS", 256)
    monkeypatch.setattr(osn_stage, "BANK", 64)
    monkeypatch.setattr(osn_stage, "OBJECT_RAYS", 8)
    monkeypatch.setattr(flow_training, "STEPS_PER_ROW", 1)
    monkeypatch.setattr(flow_training, "ACTIVE_SAMPLE", 50)
    try:
        with simulated_cuda() as device:
            yield device
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


@contextmanager
def costs(card: Card, module: ModuleType, phase_of: Any) -> Iterator[Costs]:
    """What each step of training costs, by phase: drawing, pass and update together, and the pass alone."""
    found: Costs = {}
    inside: list[Seen] = []
    begun: list[Seen] = []
    with pytest.MonkeyPatch.context() as patch:

        def accumulate(*arguments: Any, _of: Any = module.accumulate_gradients) -> Any:
            with card.watched() as seen:
                inside.append(seen)
                return _of(*arguments)

        def measured(state: Any, *arguments: Any, _of: Any = module.measured_losses) -> Any:
            inside.append(Seen())  # stays empty where the pass is replayed
            with card.watched() as seen:
                begun.append(seen)
                return _of(state, *arguments)

        def update(state: Any, *arguments: Any, _of: Any = module.update) -> Any:
            with card.watched() as seen:
                values = _of(state, *arguments)
            whole = Seen(
                seen.kernels + begun[-1].kernels,
                seen.kernels_by_line + begun[-1].kernels_by_line,
                seen.waits + begun[-1].waits,
            )
            found.setdefault(phase_of(state, arguments), []).append((whole, inside[-1]))
            return values

        patch.setattr(module, "accumulate_gradients", accumulate)
        patch.setattr(module, "measured_losses", measured)
        patch.setattr(module, "update", update)
        yield found


def check(found: Costs) -> None:
    """The last step of each phase is within its budget."""
    over = []
    for phase, steps in found.items():
        whole, inside = steps[-1]
        cost = whole.kernels, whole.syncs, inside.syncs
        if any(spent > most for spent, most in zip(cost, BUDGETS[phase], strict=True)):
            over.append(f"{phase}: {cost}, budget {BUDGETS[phase]}\n{whole.text()}")
    assert not over, "\n".join(over)


def parameters(checkpoint: Path, part: str) -> dict[str, torch.Tensor]:
    state = torch.load(checkpoint, weights_only=True)[part]["weights"]
    assert all(tensor.device.type == "cpu" for tensor in state.values())
    return state


def osn(scene: Path, out: Path, **changes: Any) -> dict[str, torch.Tensor]:
    config = TINY.model_copy(update={**FEW, **changes})
    train_osn(scene, None, out / "checkpoint.pt", out / "history.csv", out / "scales.csv", config)
    return parameters(out / "checkpoint.pt", "fields")


def semantic_flow(scene: Path, out: Path, **changes: Any) -> dict[str, torch.Tensor]:
    few = {"static_steps": 4, "steps": 4, "rays": 48, "static_rays": 48, "sparse_points": 8}
    config = small(**few, semantic_rays=8, warped_rays=8, **changes)
    train_semantic_flow(scene, None, None, None, None, out / "checkpoint.pt", out / "history.csv", config)
    return parameters(out / "checkpoint.pt", "model")


def test_osn_trains_within_its_budget_and_goes_on_bit_by_bit_recorded_or_not(
    scene: Path, folder: Path, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    with costs(card, osn_training, lambda state, given: f"OSN, {given[1].name}") as found:
        whole = osn(scene, folder / "osn", capture_steps=False)
    note = osn_training.note

    def killed(state: Any, *arguments: Any) -> None:
        if state.field_step == 4:
            raise KeyboardInterrupt
        note(state, *arguments)

    monkeypatch.setattr(recorded_pass, "WARM_UP", 1)
    monkeypatch.setattr(osn_training, "SETTLING", 0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(osn_training, "note", killed)
        osn(scene, folder / "killed_osn", capture_steps=True)
    with costs(card, osn_training, lambda state, given: f"OSN, {given[1].name}, recorded") as of_replays:
        resumed = osn(scene, folder / "killed_osn", capture_steps=True)
    assert len(whole) > 30 and all(torch.equal(whole[name], resumed[name]) for name in whole)
    check(found | of_replays)


def test_semantic_flow_trains_within_its_budget_and_goes_on_bit_by_bit_recorded_or_not(
    scene: Path, folder: Path, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    with costs(card, flow_training, lambda state, given: f"Semantic Flow, {state.stage}") as found:
        whole = semantic_flow(scene, folder / "semantic_flow", capture_steps=False)
    update = flow_training.update

    def killed(state: Any, *arguments: Any) -> dict[str, float]:
        if (state.stage, state.step) == ("joint", 2):
            raise KeyboardInterrupt
        return update(state, *arguments)

    monkeypatch.setattr(recorded_pass, "WARM_UP", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(flow_training, "update", killed)
        semantic_flow(scene, folder / "killed_flow", capture_steps=True)
    with costs(card, flow_training, lambda state, given: f"Semantic Flow, {state.stage}, recorded") as of_replays:
        resumed = semantic_flow(scene, folder / "killed_flow", capture_steps=True)
    assert len(whole) > 20 and all(torch.equal(whole[name], resumed[name]) for name in whole)
    check(found | of_replays)


def test_total_recon_trains_and_shows_on_the_device_what_it_shows_on_the_cpu(
    scene: Path, folder: Path, card: Card
) -> None:
    sizes = {name: FEW[name] for name in ("bootstrap_steps", "steps", "grids")}
    own = {**sizes, "density_channels": 3, "colour_channels": 4, "samples_per_step": 1024}
    config = TrainBaselineConfig.model_validate(
        {"method": "total_recon", "depth_supervision": "sfm", "total_recon": own}
    )
    out, packed = folder / "total_recon", read_scene(scene)
    train_baseline(scene, None, out / "checkpoint.pt", out / "history.csv", config)
    learnt = torch.load(out / "checkpoint.pt", weights_only=True)
    assert not torch.equal(learnt["scales"], learnt["first_scales"])
    on_cpu, on_cuda = (load_method(out / "checkpoint.pt", packed, torch.device(kind)) for kind in ("cpu", "cuda"))
    assert (seen_by(on_cpu, packed) - seen_by(on_cuda, packed)).abs().max() < 2e-3


def seen_by(method: TrainedMethod, scene: Scene) -> torch.Tensor:
    rays = frame_rays(scene, 2)[:300]
    return method.render(rays.to(method.device)).colour.cpu()


@pytest.mark.parametrize("name", ["osn", "semantic_flow"])
def test_a_checkpoint_shows_on_the_device_what_it_shows_on_the_cpu(
    scene: Path, folder: Path, card: Card, name: str
) -> None:
    packed, path = read_scene(scene), folder / name / "checkpoint.pt"
    on_cpu, on_cuda = (load_method(path, packed, torch.device(kind)) for kind in ("cpu", "cuda"))
    assert (seen_by(on_cpu, packed) - seen_by(on_cuda, packed)).abs().max() < 2e-3
    edits = [Edit(object="left box", action="remove"), Edit(object="right box", action="move", offset=(0.2, 0, 0))]
    scales = on_cpu.scales[0].numpy()
    edited = [seen_by(method.edited(edits, scales), packed) for method in (on_cpu, on_cuda)]
    assert (edited[0] - edited[1]).abs().mean() < 2e-3
    results = [scale_results(method, name, None) for method in (on_cpu, on_cuda)]
    assert [row.metric for row in results[0].findings.rows] == [row.metric for row in results[1].findings.rows]
    if name == "osn":
        assert on_cuda.scales.is_cuda and on_cuda.scale_limits() is not None
        on_cuda.surface(1)


@pytest.mark.parametrize("name", ["osn", "semantic_flow"])
def test_views_are_rendered_judged_and_exported(scene: Path, folder: Path, card: Card, name: str) -> None:
    """The stages after training, as a run of the graph calls them."""
    checkpoint, renders = folder / name / "checkpoint.pt", folder / name / "renders"
    views = RenderViewsConfig(observed_frames=1, path_frames=1, scale_samples=1)
    render_views(checkpoint, scene, folder / "frames.json", None, None, renders, views)
    inputs = [folder / file for file in ("frames.json", "flow.h5", "masks.h5", "geometry.json")]
    outputs = folder / name / "metrics.csv", folder / name / "evaluation.json"
    evaluate(scene, *inputs, [checkpoint], [renders], [], [], None, None, None, *outputs, EvaluateConfig())
    table = read_metrics(outputs[0])
    assert (table.method == name).any() and np.isfinite(table["value"]).all()
    assert float(table[(table.metric == "psnr_db") & (table.method == name)]["value"].iloc[0]) > 5
    if name == "osn":
        (folder / "splats").mkdir()
        export_objects(checkpoint, scene, folder / "splats", folder / "objects", ExportObjectsConfig())
        assert set(json.loads((folder / "objects/poses.json").read_text()))


def test_algorithms_are_chosen_for_each_training_anew(card: Card, caplog: pytest.LogCaptureFixture) -> None:
    for wanted, device, on in ((True, "cuda", True), (False, "cuda", False), (True, "cpu", False)):
        choose_algorithms(wanted, torch.device(device))
        assert torch.are_deterministic_algorithms_enabled() == on
    assert caplog.text.count("no such algorithm on GPUs for cumulative sums") == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("train", [osn, semantic_flow])
def test_a_gpu_s_renders_are_the_cpu_s_and_its_training_repeats(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, train: Callable[..., dict[str, torch.Tensor]]
) -> None:
    """On a real device: trained twice with `deterministic`, and rendered by both."""
    monkeypatch.setenv("MONOVERSE_DEVICE", "cuda")
    first, second = (train(scene, tmp_path / name, deterministic=True) for name in ("first", "second"))
    torch.use_deterministic_algorithms(False)
    apart = {name: float((first[name] - second[name]).abs().max()) for name in first}
    assert not any(apart.values()), {name: value for name, value in apart.items() if value}
    packed, path = read_scene(scene), tmp_path / "first" / "checkpoint.pt"
    on_cpu, on_cuda = (load_method(path, packed, torch.device(kind)) for kind in ("cpu", "cuda"))
    assert (seen_by(on_cpu, packed) - seen_by(on_cuda, packed)).abs().max() < 5e-3


def test_a_view_is_rendered_in_few_pieces_on_the_device(card: Card) -> None:
    """Of 10 000 rays one there, three on the CPU, whose caches are small."""
    pieces: dict[str, list[int]] = {"cpu": [], "cuda": []}

    def render(rays: Rays) -> Rendering:
        pieces[rays.origins.device.type].append(len(rays.frames))
        nothing = torch.zeros_like(rays.origins[:, 0])
        return Rendering(torch.zeros_like(rays.origins), nothing, nothing, nothing[:, None])

    for device in pieces:
        ray = torch.zeros(10_000, 3, device=device)
        assert (
            len(in_chunks(render, Rays(ray, ray, torch.zeros(10_000, dtype=torch.int64, device=device))).depth)
            == 10_000
        )
    assert pieces == {"cpu": [4096, 4096, 1808], "cuda": [10_000]}


def test_the_table_of_budgets_is_the_one_that_is_kept() -> None:
    text = (ROOT / "docs/ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| (OSN|Semantic Flow), (\w+(?:, recorded)?) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M)
    assert {f"{method}, {phase}": tuple(map(int, numbers)) for method, phase, *numbers in rows} == BUDGETS
