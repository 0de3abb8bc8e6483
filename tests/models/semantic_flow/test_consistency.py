"""Consistency along the flow: which rays are carried, and that all devices ask the same of them."""

from copy import deepcopy
from dataclasses import replace

import jaxtyping
import pytest
import torch

from models.semantic_flow.batch import Batch, RayBudget, Weights
from models.semantic_flow.consistency import carried_rays
from models.semantic_flow.model import SemanticFlow
from models.semantic_flow.objectives import joint_losses
from tests.models.semantic_flow.test_gradients import WEIGHTS
from tests.models.semantic_flow.tiny_model import FRAMES, tiny_batch, tiny_model
from tests.simulated_cuda import simulated_cuda

BUDGET = RayBudget(24, 8, 1)


def test_rays_are_carried_to_frames_that_exist_and_where_flow_is_confirmed() -> None:
    model, batch = tiny_model(), tiny_batch(40)
    traced = model.trace(model.static.nodes(), batch.rays, None)
    carried = carried_rays(model, model.static.nodes(), traced, batch, BUDGET, torch.Generator().manual_seed(0))
    assert carried is not None and 0 < len(carried.by) <= 8
    frames = batch.rays.frames[carried.chosen] + carried.by
    assert batch.flow_valid[carried.chosen].all() and (frames >= 0).all() and (frames < FRAMES).all()
    nothing = replace(batch, flow_valid=torch.zeros_like(batch.flow_valid))
    assert carried_rays(model, model.static.nodes(), traced, nothing, BUDGET, torch.Generator()) is None


def losses_of(model: SemanticFlow, batch: Batch, weights: Weights) -> dict[str, float]:
    nodes = model.static.nodes().detach()
    generator = torch.Generator(batch.xy.device).manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:  # no jitter: devices draw it in other ways
        patch.setattr(model, "trace", lambda nodes, rays, _: SemanticFlow.trace(model, nodes, rays, None))
        found = joint_losses(model, nodes, batch, weights, BUDGET, generator, lambda depths: None)
    return {name: value.item() for name, value in found.items()}


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_gpu_asks_of_a_batch_what_loops_ask_though_it_decodes_all_at_once(confirmed: bool) -> None:
    model, batch = tiny_model(), tiny_batch(40)
    batch = batch if confirmed else replace(batch, flow_valid=torch.zeros_like(batch.flow_valid))
    weights = replace(WEIGHTS, self_consistency=0.3)
    expected = losses_of(model, batch, weights)
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        with simulated_cuda():
            there = deepcopy(model).to("cuda")
            there.bounds = model.bounds.to("cuda")
            there.velocity.region = there.bounds.dynamic_region
            found = losses_of(there, batch.to("cuda"), weights)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert set(expected) <= set(found)
    for name, value in found.items():
        assert value == pytest.approx(expected.get(name, 0.0), rel=2e-3, abs=1e-5), name
