"""Quality: PSNR of held-out views over seconds of training, looking not counted."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu_parts.results import Results
from benchmarks.gpu_parts.scene import MadeScene
from benchmarks.gpu_parts.steps import flow_scene
from models.ops.parallel import workers
from models.osn.rendering import render_world
from models.rays import Rays
from models.rendering import Rendering, in_chunks
from models.semantic_flow.decoding import rendering
from pipeline.config import TrainOsnConfig, TrainSemanticFlowConfig
from pipeline.osn import training as osn
from pipeline.osn.setup import Phase, training_pixels
from pipeline.osn.training_state import TrainingState as OsnState
from pipeline.osn.training_state import started
from pipeline.semantic_flow.training import train_stage
from pipeline.semantic_flow.training_scene import begun, through_first_stage, training_context
from pipeline.semantic_flow.training_state import TrainingState as FlowState
from pipeline.train_osn import train

FIRST_LOOK, LATER = 2.0, 1.6  # seconds, and the ratio of two times of looking


class TimeIsUpError(Exception):
    """The training has run as long as it may."""


@dataclass
class Looker:
    """Looks at held-out views now and then while a training runs, and ends it when its time is up."""

    looks: list[tuple[Rays, Tensor]]
    seconds: float
    begun: float = field(default_factory=time.monotonic)
    looking: float = 0.0
    next_look: float = FIRST_LOOK
    curve: dict[str, float] = field(default_factory=dict)

    def now(self) -> float:
        return time.monotonic() - self.begun - self.looking

    def __call__(self, render: Callable[[Rays], Rendering]) -> None:
        if self.now() < self.next_look:
            return
        self.look(render)
        if self.now() > self.seconds:
            raise TimeIsUpError

    def look(self, render: Callable[[Rays], Rendering]) -> None:
        """The mean PSNR of the views, under the time of training so far."""
        if self.looks[0][0].origins.is_cuda:
            torch.cuda.synchronize()
        trained, start = self.now(), time.monotonic()
        with torch.no_grad():
            errors = [(render(rays).colour - wanted).square().mean() for rays, wanted in self.looks]
        psnr = float(torch.stack([-10 * error.log10() for error in errors]).mean())
        self.curve[f"dB_at_{trained:.1f}_s"] = psnr
        self.looking += time.monotonic() - start
        self.next_look = min(max(self.next_look * LATER, trained), max(self.seconds, trained + 1e-3))


def osn_quality(
    results: Results, made: MadeScene, device: torch.device, seconds: float, config: TrainOsnConfig
) -> None:
    """All phases with the scale network, at true scales when looked at."""
    state, pixels = started(made.scene, config, device), training_pixels(made.scene, config, device)
    looker, scales = Looker(made.looks(device), seconds), torch.ones(made.scene.object_count, device=device)

    def render(rays: Rays) -> Rendering:
        return render_world(state.fields, state.fields.density_grids(), rays, scales)

    def watch(_: OsnState, phase: Phase) -> None:
        looker(render)

    with tempfile.TemporaryDirectory() as folder, workers(device) as parallel_map:
        resume = Path(folder) / "resume.pt"
        context = osn.TrainingContext(made.scene, lambda step: pixels, config, resume, "", parallel_map, watch)
        ended = finished(lambda: train(state, context))
    looker.look(render)
    results.add("quality", "OSN", **looker.curve, steps=state.field_step, ended=ended)


def flow_quality(
    results: Results, made: MadeScene, device: torch.device, seconds: float, config: TrainSemanticFlowConfig
) -> None:
    """Both stages, the fields alone: no colours of frames."""
    scene = flow_scene(made, config, device)
    looker, last = Looker(made.looks(device), seconds), [begun(scene, device)]

    def render_of(state: FlowState) -> Callable[[Rays], Rendering]:
        with torch.no_grad():
            nodes = state.model.static.nodes()
        return lambda rays: in_chunks(lambda part: rendering(state.model, nodes, part, None), rays)

    def watch(state: FlowState) -> None:
        last[0] = state
        if looker.now() >= looker.next_look:
            looker(render_of(state))

    with tempfile.TemporaryDirectory() as folder:
        resume = Path(folder) / "resume.pt"

        def both_stages() -> None:
            state = through_first_stage(scene, last[0], resume, device, watch)
            train_stage(state, training_context(scene, state, resume, device, watch))

        ended = finished(both_stages)
    looker.look(render_of(last[0]))
    results.add("quality", "Semantic Flow", **looker.curve, stage=last[0].stage, step=last[0].step, ended=ended)


def finished(work: Callable[[], Any]) -> str:
    """Whether a training came to its end or its time was up."""
    try:
        work()
    except TimeIsUpError:
        return "by time"
    return "by steps"
