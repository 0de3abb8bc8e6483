"""Edits of a scene that is known exactly: two balls of different classes move before a wall."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from models.ops.space import Cameras, Region
from models.rays import Rays
from models.semantic_flow.decoding import rendering
from models.semantic_flow.editing import Change, Selection, edited_rendering, layer_weights, luminance, measured
from models.semantic_flow.marching import blend, march
from models.semantic_flow.model import SceneBounds, SemanticFlow, Traced

FRAMES, RADIUS, WALL, SPEED = 4, 0.4, 4.0, 0.1
CENTRES = torch.tensor([[-0.8, 0.0, 2.5], [0.8, 0.0, 2.5]])
COLOURS = torch.tensor([[0.4, 0.4, 0.4], [0.8, 0.2, 0.2], [0.2, 0.8, 0.2]])  # wall, left ball, right ball
REGION = Region(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([2.0, 2.0, 2.5]))


class Balls(SemanticFlow):
    """Solid balls that move to the right, in place of trained fields; `classes` says what each ball is."""

    def __init__(self, classes: tuple[int, int] = (1, 2)) -> None:
        nn.Module.__init__(self)
        camera = torch.eye(4).expand(FRAMES, 4, 4)
        cameras = Cameras(camera, torch.tensor([40.0, 40.0, 30.0, 20.0]), 40, 60)
        self.bounds = SceneBounds(cameras, REGION, REGION, 0.5, 5.0)
        self.sizes = SimpleNamespace(coarse_samples=96, fine_samples=48, semantic_samples=8, density_prior=True)
        self.classes = torch.tensor(classes)
        self.static = SimpleNamespace(
            colour=lambda x: COLOURS[:1].logit().expand(len(x), 3), semantics=self.wall_logits
        )
        self.dynamic = SimpleNamespace(colour=lambda x: COLOURS[1 + x[:, 0].long()].logit())

    def wall_logits(self, features: Tensor) -> Tensor:
        return torch.tensor([[9.0, 0.0, 0.0]]).expand(len(features), 3)

    def balls(self, points: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        """Nearest ball of each point, and the distance to its centre."""
        shift = torch.stack([SPEED * times, torch.zeros_like(times), torch.zeros_like(times)], dim=-1)
        return (points[:, None] - shift[:, None] - CENTRES).norm(dim=-1).min(1)[::-1]

    def dynamic_optics(self, points: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
        inside = (self.balls(points, times)[1] < RADIUS).float()
        return 300 * inside, 0.999 * inside

    def static_optics(self, nodes: Tensor, points: Tensor, frames: Tensor) -> Tensor:
        return 300 * (points[..., 2] > WALL).float()

    def trace(self, nodes: Tensor, rays: Rays, generator: torch.Generator | None = None, moving: bool = True) -> Traced:
        pieces = march(lambda coarse: self.optics(nodes, rays, coarse), 0.5, 5.0, 96, 48, rays, None)
        return Traced(rays, pieces, blend(*self.optics(nodes, rays, pieces)))

    def static_features(self, points: Tensor, frames: Tensor, directions: Tensor | None = None) -> Tensor:
        return points

    def dynamic_features(self, points: Tensor, times: Tensor) -> Tensor:
        return self.balls(points, times)[0][:, None].float()

    def dynamic_logits(self, points: Tensor, frames: Tensor, point_features: Tensor) -> Tensor:
        return 9 * torch.eye(3)[self.classes[self.balls(points, frames.float())[0]]]


NODES = torch.zeros(2, 2, 2)


def rays_to(points: Tensor, frame: int) -> Rays:
    """Rays from the camera, which rests at the origin, through points."""
    frames = torch.full((len(points),), frame)
    return Rays(torch.zeros_like(points), points / points[:, 2:], frames)


def place(ball: int, frame: int) -> Tensor:
    return CENTRES[ball] + torch.tensor([SPEED * frame, 0.0, 0.0])


def shift(*offset: float) -> Tensor:
    matrix = torch.eye(4)
    matrix[:3, 3] = torch.tensor(offset)
    return matrix.expand(FRAMES, 4, 4)


def seen(model: SemanticFlow, points: list[Tensor], frame: int, changes: list[Change]) -> tuple[Tensor, Tensor, Tensor]:
    """Colour, class and depth towards points."""
    shown = edited_rendering(model, NODES, rays_to(torch.stack(points), frame), changes)
    return shown.colour, shown.object_weights.argmax(-1), shown.depth


def test_without_changes_the_scene_looks_as_it_did() -> None:
    model = Balls()
    rays = rays_to(torch.cat([torch.rand(200, 2) * 3 - 1.5, torch.full((200, 1), 2.5)], dim=1), 2)
    plain, edited = rendering(model, NODES, rays), edited_rendering(model, NODES, rays, [])
    torch.testing.assert_close(edited.colour, plain.colour, atol=5e-3, rtol=0)
    torch.testing.assert_close(edited.depth, plain.depth, atol=2e-2, rtol=0)
    assert edited.object_weights.argmax(-1).equal(plain.object_weights.argmax(-1))


def test_two_layers_share_a_ray_like_the_two_fields() -> None:
    static, dynamic, blending = (torch.rand(5, 7) for _ in range(3))
    both = blend(static, dynamic, blending)
    weights = layer_weights([-torch.expm1(-static) * (1 - blending), -torch.expm1(-dynamic) * blending])
    torch.testing.assert_close(weights[..., 0], both.static)
    torch.testing.assert_close(weights[..., 1], both.dynamic)


@pytest.mark.parametrize("frame", [0, 3])
def test_a_removed_thing_leaves_the_wall_behind_it(frame: int) -> None:
    colour, told, depth = seen(Balls(), [place(0, frame), place(1, frame)], frame, [Change(Selection(1, True), False)])
    torch.testing.assert_close(colour, COLOURS[[0, 2]], atol=1e-2, rtol=0)
    assert told.tolist() == [0, 2]
    assert float(depth[0]) == pytest.approx(WALL, abs=0.1)


@pytest.mark.parametrize("stays", [False, True])
def test_a_moved_thing_is_seen_in_its_new_place_and_a_repeated_one_in_both(stays: bool) -> None:
    offset = torch.tensor([0.0, -1.0, 0.0])
    change = Change(Selection(2, True), stays, shift(*offset.tolist()))
    colour, told, _ = seen(Balls(), [place(1, 2), place(1, 2) + offset, place(0, 2)], 2, [change])
    assert told.tolist() == [2 if stays else 0, 2, 1]
    torch.testing.assert_close(colour, COLOURS[[2 if stays else 0, 2, 1]], atol=1e-2, rtol=0)


def test_paint_keeps_the_brightness_of_what_is_painted() -> None:
    brightness = float(luminance(COLOURS[1]))
    blue = torch.tensor([0.1, 0.2, 0.9])
    change = Change(Selection(1, True), True, tint=blue, brightness=brightness)
    colour, told, _ = seen(Balls(), [place(0, 1), place(1, 1)], 1, [change])
    torch.testing.assert_close(colour, torch.stack([blue, COLOURS[2]]), atol=1e-2, rtol=0)
    assert told.tolist() == [1, 2]


def test_only_the_copy_of_a_repeated_thing_is_painted() -> None:
    blue = torch.tensor([0.1, 0.2, 0.9])
    change = Change(Selection(1, True), True, shift(0, 1, 0), blue, float(luminance(COLOURS[1])))
    colour, _, _ = seen(Balls(), [place(0, 1), place(0, 1) + torch.tensor([0.0, 1.0, 0.0])], 1, [change])
    torch.testing.assert_close(colour, torch.stack([COLOURS[1], blue]), atol=1e-2, rtol=0)


def test_one_of_two_things_of_a_class_is_removed_by_where_it_is() -> None:
    centres = torch.stack([torch.stack([place(ball, frame) for frame in range(FRAMES)]) for ball in (0, 1)])
    change = Change(Selection(1, True, centres=centres, index=1), False)
    _, told, _ = seen(Balls((1, 1)), [place(0, 3), place(1, 3)], 3, [change])
    assert told.tolist() == [1, 0]


def test_beyond_its_reach_nothing_is_selected() -> None:
    centres = place(0, 0).expand(1, FRAMES, 3)
    change = Change(Selection(1, True, centres=centres, reach=0.2), False, shift(0, 1, 0))
    points = [place(0, 0), place(0, 0) + torch.tensor([0.0, 1.3, 0.0])]
    _, told, _ = seen(Balls(), points, 0, [change])
    assert told.tolist() == [1, 0]


def test_a_sample_belongs_to_the_likeliest_of_the_rivals() -> None:
    rivals = torch.tensor([False, False, True])
    _, told, _ = seen(Balls(), [place(0, 1), place(1, 1)], 1, [Change(Selection(2, True, rivals), False)])
    assert told.tolist() == [0, 0]


def test_the_wall_can_be_painted() -> None:
    change = Change(Selection(0, False), True, tint=torch.tensor([0.1, 0.1, 0.6]), brightness=0.4)
    colour, _, _ = seen(Balls(), [torch.tensor([0.0, 1.5, 4.0]), place(0, 0)], 0, [change])
    torch.testing.assert_close(colour, torch.stack([torch.tensor([0.1, 0.1, 0.6]), COLOURS[1]]), atol=1e-2, rtol=0)


def test_a_thing_is_measured_where_it_is() -> None:
    model = Balls()
    xy = torch.cartesian_prod(torch.linspace(-1.5, 1.5, 40), torch.linspace(-0.8, 0.8, 24))
    rays = [rays_to(torch.cat([xy, torch.full((len(xy), 1), 2.5)], 1), frame) for frame in (0, 2, 3)]
    together = Rays(*(torch.cat([getattr(ray, name) for ray in rays]) for name in ("origins", "directions", "frames")))
    size = measured(model, NODES, Selection(1, True), together)
    assert size.seen.tolist() == [True, False, True, True]
    expected = torch.stack([place(0, frame) for frame in (0, 0, 2, 3)])
    torch.testing.assert_close(size.centres[:, :2], expected[:, :2], atol=0.08, rtol=0)
    assert RADIUS < size.extent < 2 * RADIUS
    assert size.brightness == pytest.approx(float(luminance(COLOURS[1])), abs=0.01)
    assert not bool(measured(model, NODES, Selection(0, True), together).seen.any())
