"""Parity: every operator, and one step of each phase, on the CPU and on the device."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from benchmarks.gpu_parts.results import Results
from benchmarks.gpu_parts.scene import MadeScene
from benchmarks.gpu_parts.steps import CPU, Measured, flow_joint, flow_losses, flow_scene, osn_losses
from models.ops.compaction import places
from models.ops.intervals import inverse_cdf
from models.ops.operators import OPERATORS
from models.ops.region_volume import region_volume
from models.ops.seen_features.reference import sample_maps
from models.ops.space import Cameras, Region
from models.ops.space_planes import SpacePlanes
from models.ops.space_time_planes import SpaceTimePlanes
from models.semantic_flow.attention import WIDTH, FlowAttention
from models.semantic_flow.encoders import pyramid_features
from models.semantic_flow.marching import blend
from pipeline.config import TrainSemanticFlowConfig
from pipeline.semantic_flow.training_scene import begun

Operator = tuple[Callable[..., Sequence[Tensor]], Sequence[Tensor]]
VALUES, GRADIENTS = 1e-5, 1e-4  # relative to the length of each result and gradient
STEP = 1e-2  # of a step, whose samples lie where weights say: a rounding moves some of them


def operators(count: int) -> dict[str, Operator]:
    """Each operator, which gives its results, and the inputs of a seed that gradients are taken by."""
    seeded = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=seeded)

    rays = count // 8
    where, frames = random(count, 2, 2) * torch.tensor([32.0, 24]), torch.randint(3, (count, 2), generator=seeded)
    cameras = Cameras(torch.eye(4).expand(3, 4, 4).clone(), torch.tensor([30.0, 30, 16, 12]), 24, 32)
    region, edges = Region(torch.zeros(3), torch.tensor([1.0, 2, 3]), 0.3), random(rays, 17).cumsum(1)
    visible = torch.rand(count, 3, generator=seeded) > 0.3
    visible[:, 1] = True
    shares = torch.linspace(0.1, 0.9, 7).repeat(rays, 1)
    planes = module(SpacePlanes(4, 16, seeded))
    return {
        "contraction into a region": (lambda x: [region.to(x.device).coordinates(x)], [8 * random(count, 3) - 4]),
        "planes in space": (
            lambda x: planes(x.detach()),  # places are not learned there
            [2 * random(count, 3) - 1],
        ),
        "planes in space and time": (
            module(SpaceTimePlanes(4, 16, 5, seeded)), [2 * random(count, 3) - 1, 2 * random(count) - 1],
        ),
        "trilinear nodes": (
            lambda v, x: [region_volume(v, x.detach(), region.to(x.device).box)],
            [random(9, 10, 11), 8 * random(count, 3) - 4],
        ),
        "blend of two fields": (lambda *x: list(vars(blend(*x)).values()), [random(rays, 16) for _ in range(3)]),
        "samples by the inverse CDF": (
            lambda w: [inverse_cdf(edges.to(w.device), w.detach(), shares.to(w.device))],
            [random(rays, 16)],
        ),
        "compaction": (lambda x: [part.float() for part in places(x > 0.5, count // 3)], [random(count)]),
        "maps of frames": (
            lambda m: [sample_maps(m, cameras.to(m.device), where.to(m.device), frames.to(m.device))],
            [random(3, 12, 16, 8)],
        ),
        "flow attention": (module(FlowAttention(seeded), visible), [random(count, 3, WIDTH)]),
        "feature pyramid": (lambda x: [pyramid_features((255 * x).byte())], [random(48, 64, 3)]),
    }  # fmt: skip


def module(held: nn.Module, *more: Tensor) -> Callable[..., Sequence[Tensor]]:
    """A module as an operator, moved to where its inputs are."""

    def apply(*inputs: Tensor) -> Sequence[Tensor]:
        device = inputs[0].device
        return [deepcopy(held).to(device)(*inputs, *(tensor.to(device) for tensor in more))]

    return apply


def outcome(operator: Operator, device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
    """Results and gradients of a weighted sum of them; no gradients of what passes none."""
    function, given = operator
    inputs = [value.to(device).requires_grad_() for value in given]
    results = list(function(*inputs))
    seeded = torch.Generator().manual_seed(1)
    weighted = [(result * torch.rand(result.shape, generator=seeded).to(device)).sum() for result in results]
    total = torch.stack(weighted).sum()
    found = torch.autograd.grad(total, inputs, allow_unused=True) if total.requires_grad else []
    return [r.detach().cpu() for r in results], [g.detach().cpu() for g in found if g is not None]


def difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest relative difference of two lists of tensors, each by its length; infinite where they do not match."""
    if len(ours) != len(theirs):
        return float("inf")
    pairs = ((a.double(), b.double()) for a, b in zip(ours, theirs, strict=True))
    return max((float((a - b).norm() / b.norm().clamp(min=1e-12)) for a, b in pairs), default=0.0)


def registered_parity(results: Results, device: torch.device) -> None:
    """The operators with kernels, and their gradients, which are operators too: the device's kernel and the reference."""
    from tests.models.ops.operator_calls import calls, tensors

    for call, arguments in calls(0, torch.float32):
        kernel = OPERATORS[call.split(":")[0]]
        moved = [value.to(device) if isinstance(value, Tensor) else value for value in arguments]
        found, wanted = tensors(kernel(*moved)), tensors(kernel.reference(*arguments))
        floats = [(a.cpu(), b) for a, b in zip(found, wanted, strict=True) if b.is_floating_point()]
        off = max((difference([a], [b]) if a.shape == b.shape else float("inf") for a, b in floats), default=0.0)
        verdict = "ok" if off <= (GRADIENTS if "_backward" in call else VALUES) else "DIFFERS"
        results.add(
            "operators",
            call,
            parity=verdict,
            values_off=off,
            by="kernel" if device.type in kernel.kernels else "reference",
        )


def operator_parity(results: Results, device: torch.device, count: int) -> None:
    registered_parity(results, device)
    for name, operator in operators(count).items():
        (values, gradients), (wanted, wanted_gradients) = (outcome(operator, where) for where in (device, CPU))
        off, gradient_off = difference(values, wanted), difference(gradients, wanted_gradients)
        verdict = "ok" if off <= VALUES and gradient_off <= GRADIENTS else "DIFFERS"
        results.add("operators", name, parity=verdict, values_off=off, gradients_off=gradient_off)


def step_parity(
    results: Results, made: MadeScene, device: torch.device, rays: int, config: TrainSemanticFlowConfig
) -> None:
    """One step of each phase of both methods, by the CPU's loops and by the device's tensors."""
    for phase in ("bootstrap", "composite"):
        tell(results, f"OSN, {phase}", osn_losses(made, phase, [device, CPU], rays))
    scene = flow_scene(made, config, CPU)
    tell(results, "Semantic Flow, static", flow_losses(scene, begun(scene, CPU), [device, CPU]))
    tell(results, "Semantic Flow, joint", flow_losses(scene, flow_joint(scene, config, CPU), [device, CPU]))


def tell(results: Results, what: str, found: list[Measured]) -> None:
    (losses, gradients), (wanted, wanted_gradients) = found
    names = sorted(set(gradients) & set(wanted_gradients))
    missing = len(set(gradients) ^ set(wanted_gradients))
    off = max(abs(losses[name] - wanted[name]) / max(abs(wanted[name]), 1e-6) for name in losses.keys() & wanted.keys())
    worst, where = max((difference([gradients[name]], [wanted_gradients[name]]), name) for name in names)
    verdict = "ok" if off <= STEP and worst <= STEP and not missing else "DIFFERS"
    values: dict[str, float | int | str] = {
        "parity": verdict,
        "loss_off": off,
        "gradient_off": worst,
        "worst": where,
        "only_on_one": missing,
    }
    results.add("steps", what, **values)
