"""The pixel-aligned networks of the paper's sizes, in place of grids."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from models.ops.parallel import workers
from models.semantic_flow.batch import RayBudget, Weights
from models.semantic_flow.decoding import rendering
from models.semantic_flow.gradients import accumulate_gradients
from models.semantic_flow.objectives import joint_losses, static_losses
from models.semantic_flow.reference_body import ReferenceFlow
from tests.models.semantic_flow.tiny_model import FRAMES, tiny_batch, tiny_model, tiny_rays

CHANNELS, CLASSES = 5, 3
WEIGHTS = Weights(**dict.fromkeys(Weights.__dataclass_fields__, 0.1))


@pytest.fixture
def model() -> ReferenceFlow:
    tiny = tiny_model()
    sizes = replace(tiny.sizes, body="reference")
    return ReferenceFlow(sizes, tiny.bounds, tiny.maps, torch.Generator().manual_seed(0))


def points_and_frames(count: int = 40) -> tuple[Tensor, Tensor]:
    rays, _ = tiny_rays(count)
    return rays.origins + 2.5 * rays.directions, rays.frames


def numbers(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_networks_have_the_papers_sizes(model: ReferenceFlow) -> None:
    def layer(fan_in: int, fan_out: int) -> int:
        return fan_in * fan_out + fan_out

    heads = layer(256, 1) + layer(256, 256) + layer(283, 128) + layer(128, 3) + layer(256, 128) + layer(128, CLASSES)
    static = layer(63, 256) + 5 * 2 * layer(256, 256) + 3 * layer(CHANNELS, 256) + heads
    assert numbers(model.static) == static
    code = layer(CHANNELS, 4096) + layer(4096, 256)
    trunk = code + layer(84, 128) + 2 * (layer(384, 128) + 2 * layer(128, 128))
    assert numbers(model.velocity) == trunk + layer(128, 3)
    blocks = 3 * 2 * layer(128, 128) + 4 * layer(CHANNELS, 128) + layer(256, 128)
    assert numbers(model.dynamic) == trunk + blocks + layer(128, 4) + layer(128, 1)


def test_fields_read_what_the_frame_shows_where_a_point_projects(model: ReferenceFlow) -> None:
    points, frames = points_and_frames()
    cameras, features = model.bounds.cameras, model.maps.features
    xy, depth = cameras.project(points, frames)
    assert bool(cameras.inside(xy, depth).all())
    marked = features.clone()
    height, width = features.shape[1:3]
    row, column = int(xy[0, 1] * height / cameras.height), int(xy[0, 0] * width / cameras.width)
    marked[frames[0], row, column] += 3
    before = model.static_optics(model.static.nodes(), points, frames), model.dynamic_optics(points, frames.float())
    model.get_buffer("frame_features").copy_(marked)
    after = model.static_optics(model.static.nodes(), points, frames), model.dynamic_optics(points, frames.float())
    assert before[0][0] != after[0][0] and before[1][0][0] != after[1][0][0]
    far = (frames - frames[0]).abs() > 1  # neither this frame nor its neighbours
    assert bool(far.any())
    torch.testing.assert_close(before[0][frames != frames[0]], after[0][frames != frames[0]], rtol=0, atol=0)
    torch.testing.assert_close(before[1][0][far], after[1][0][far], rtol=0, atol=0)


def test_neighbouring_features_lie_along_the_flow_and_end_with_the_clip(model: ReferenceFlow) -> None:
    points, frames = points_and_frames()
    around = model.shown_around(points, frames)
    torch.testing.assert_close(around[:, 1], model.shown(points, frames), rtol=0, atol=0)
    first, last = frames == 0, frames == FRAMES - 1
    assert bool(first.any()) and bool(last.any())
    torch.testing.assert_close(around[first, 0], around[first, 1])
    torch.testing.assert_close(around[last, 2], around[last, 1])
    inner = ~last
    later = model.moved(points[inner], frames[inner].float(), torch.ones(int(inner.sum())))
    torch.testing.assert_close(around[inner, 2], model.shown(later, frames[inner] + 1))


def test_colour_depends_on_the_direction_of_view_and_classes_do_not(model: ReferenceFlow) -> None:
    points, frames = points_and_frames()
    directions = torch.nn.functional.normalize(torch.randn(2, len(points), 3), dim=-1)
    one, other = (model.static_features(points, frames, looked) for looked in directions)
    assert not torch.allclose(model.static.colour(one), model.static.colour(other))
    torch.testing.assert_close(model.static.semantics(one), model.static.semantics(other))


def test_speed_is_bounded_by_the_region(model: ReferenceFlow) -> None:
    points, frames = points_and_frames()
    with torch.no_grad():
        next(model.velocity.decode.parameters()).mul_(1e4)
        speed = float(model.velocity(points, frames.float()).abs().max())
    assert 0.5 * model.velocity.region.unit < speed <= model.velocity.region.unit


def test_all_fields_learn_in_shards_as_in_one_piece(model: ReferenceFlow) -> None:
    """Gradients that shards add up are those of autograd over the mean of the shards' losses."""
    batch, ray_budget = tiny_batch(24), RayBudget(8, 8, 1)

    def losses(index: int, nodes: Tensor) -> dict[str, Tensor]:
        part, seeded = batch[index::2], torch.Generator().manual_seed(index)
        still = static_losses(model, nodes, part, WEIGHTS, seeded)
        joint = joint_losses(model, nodes, part, WEIGHTS, ray_budget, seeded, lambda depth: None)
        return joint | {f"still_{name}": value for name, value in still.items()}

    with workers(torch.device("cpu")) as parallel_map:
        accumulate_gradients(model, losses, 2, 1.0, parallel_map)
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    assert {"static", "dynamic", "velocity", "head"} == {name.split(".")[0] for name in found}
    model.zero_grad(set_to_none=True)
    nodes = model.static.nodes()
    (sum(sum(losses(index, nodes).values()) for index in range(2)) / 2).backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-6, msg=name)


def test_a_few_steps_bring_what_one_batch_shows_and_means_nearer(model: ReferenceFlow) -> None:
    batch, adam = tiny_batch(24), torch.optim.Adam(model.parameters(), lr=5e-4)
    seen: list[dict[str, float]] = []
    for _ in range(40):
        adam.zero_grad()
        seeded = torch.Generator().manual_seed(0)
        found = joint_losses(
            model, model.static.nodes(), batch, WEIGHTS, RayBudget(24, 8, 1), seeded, lambda depth: None
        )
        torch.stack(list(found.values())).sum().backward()
        adam.step()
        seen.append({name: value.item() for name, value in found.items()})
    for name in ("colour", "semantics", "mask"):
        assert seen[-1][name] < 0.9 * seen[0][name], (name, seen[0][name], seen[-1][name])
    assert sum(seen[-1].values()) < sum(seen[0].values())


def test_renders_in_pieces_as_in_one(model: ReferenceFlow, monkeypatch: pytest.MonkeyPatch) -> None:
    rays, _ = tiny_rays(30)
    with torch.no_grad():
        whole = rendering(model, model.static.nodes(), rays)
        monkeypatch.setattr("models.semantic_flow.reference_body.POINTS_AT_ONCE", 7)
        pieces = rendering(model, model.static.nodes(), rays)
    for name, value in vars(whole).items():
        torch.testing.assert_close(getattr(pieces, name), value, rtol=1e-4, atol=1e-5, msg=name)
