"""Steps that are shared out among cores have the gradients of ordinary ones."""

from concurrent.futures import ThreadPoolExecutor

import torch

from models.ops.parallel import ParallelMap
from models.semantic_flow.batch import RayBudget, Weights
from models.semantic_flow.gradients import accumulate_gradients, plain_gradients, smoothness_gradients
from models.semantic_flow.model import SemanticFlow
from models.semantic_flow.objectives import joint_losses
from tests.models.semantic_flow.tiny_model import tiny_batch, tiny_model

WEIGHTS = Weights(**{name: 0.5 for name in Weights.__dataclass_fields__})
SMOOTH = 0.7


def losses_of(model: SemanticFlow, shards: int):  # type: ignore[no-untyped-def]
    batch = tiny_batch(48)

    def shard(index: int, nodes: torch.Tensor) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(index)
        mine = batch[index::shards]
        return joint_losses(model, nodes, mine, WEIGHTS, RayBudget(24, 8, 1), generator, lambda depth: None)

    return shard


def gradients(shards: int, parallel_map: ParallelMap) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    model = tiny_model()
    losses = accumulate_gradients(model, losses_of(model, shards), shards, SMOOTH, parallel_map)
    return losses, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_gradients_gathered_by_loops_are_those_of_the_graph() -> None:
    model = tiny_model()
    wanted_losses = plain_gradients(model, losses_of(model, 1), None) | smoothness_gradients(model, SMOOTH)
    losses, found = gradients(1, map)
    for name, value in wanted_losses.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-4, atol=1e-6, msg=name)
    wanted = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert set(found) == set(wanted)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-5, msg=name)


def test_gradients_lie_in_memory_as_their_parameters_do() -> None:
    """Fused optimisers on CPU take them as they lie, whatever their strides say."""
    model = tiny_model()
    accumulate_gradients(model, losses_of(model, 2), 2, SMOOTH, map)
    assert not [name for name, p in model.named_parameters() if p.grad is not None and p.grad.stride() != p.stride()]


def test_the_result_does_not_depend_on_how_many_cores_there_are() -> None:
    losses, alone = gradients(4, map)
    with ThreadPoolExecutor(4) as pool:
        again, together = gradients(4, pool.map)
    for name, value in losses.items():
        assert torch.equal(value, again[name]), name
    for name, gradient in alone.items():
        assert torch.equal(gradient, together[name]), name
