import numpy as np
import pytest
import torch

from models.simulation.ray_casting import Box, Cylinder, Ellipsoid, Part, blocked, nearest_hits, solo_depths

SHAPES = [Box((0.7, 0.4, 0.5)), Ellipsoid((0.7, 0.4, 0.5)), Cylinder((0.5, 0.6, 0.5))]


def inside(shape, points: torch.Tensor) -> torch.Tensor:
    unit = points / torch.tensor(shape.half_extent)
    if isinstance(shape, Box):
        return (unit.abs() <= 1).all(-1)
    if isinstance(shape, Ellipsoid):
        return unit.norm(dim=-1) <= 1
    return (unit[..., ::2].norm(dim=-1) <= 1) & (unit[..., 1].abs() <= 1)


def random_rays(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    origins = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1) * 3
    targets = torch.randn(count, 3, generator=generator) * 0.4
    return origins, targets - origins


@pytest.mark.parametrize("shape", SHAPES)
def test_crossings_agree_with_small_steps_along_the_ray(shape):
    origins, directions = random_rays(60)
    crossing = shape.interval(origins, directions)
    steps = torch.linspace(0, 2.5, 20_001)
    for ray in range(60):
        within = inside(shape, origins[ray] + steps[:, None] * directions[ray])
        if within.sum() < 3:
            assert crossing.leave[ray] - crossing.entry[ray] < 1e-3
            continue
        assert crossing.entry[ray] == pytest.approx(float(steps[within][0]), abs=3e-4)
        assert crossing.leave[ray] == pytest.approx(float(steps[within][-1]), abs=3e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_surface_points_return_through_cube_coordinates(shape):
    origins, directions = random_rays(500)
    crossing = shape.interval(origins, directions)
    hit = crossing.leave > crossing.entry
    points = (origins + crossing.entry.where(hit, torch.tensor(0.0))[:, None] * directions)[hit]
    cube = shape.cube(points)
    np.testing.assert_allclose(cube.abs().amax(-1), 1, atol=1e-4)
    np.testing.assert_allclose(shape.surface(cube), points, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_normals_point_outwards(shape):
    origins, directions = random_rays(500)
    crossing = shape.interval(origins, directions)
    hit = crossing.leave > crossing.entry + 1e-3
    points = (origins + crossing.entry.where(hit, torch.tensor(0.0))[:, None] * directions)[hit]
    normals = shape.normals(points)
    np.testing.assert_allclose(normals.norm(dim=-1), 1, atol=1e-5)
    assert inside(shape, points - 1e-3 * normals).float().mean() > 0.99
    assert inside(shape, points + 1e-3 * normals).float().mean() < 0.01


def test_nearer_of_two_balls_is_hit_and_hides_the_other():
    here, there = torch.eye(4), torch.eye(4)
    here[2, 3], there[2, 3] = 5.0, 9.0
    parts = [Part(Ellipsoid((1.0, 1.0, 1.0)), number, torch.eye(4)) for number in (0, 1)]
    poses = torch.stack([there, here])
    origins, directions = torch.zeros(2, 3), torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    hits = nearest_hits(parts, poses, origins, directions)
    assert hits.depth.tolist() == [4.0, torch.inf] and hits.part[0] == 1
    assert solo_depths(parts, poses, origins, directions)[:, 0].tolist() == [8.0, 4.0]
    targets = torch.tensor([[0.0, 0.0, 20.0], [0.0, 5.0, 0.0]])
    assert blocked(parts, poses, origins, targets).tolist() == [True, False]


def test_room_is_hit_from_inside_and_blocks_nothing():
    room = [Part(Box((2.0, 3.0, 4.0), inside=True), 0, torch.eye(4))]
    origins, directions = torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]])
    assert nearest_hits(room, torch.eye(4)[None], origins, directions).depth.item() == 4.0
    assert not blocked(room, torch.eye(4)[None], origins, directions).any()


def test_ray_along_the_axis_of_a_cylinder_meets_its_cap():
    shape = Cylinder((0.5, 0.6, 0.5))
    origins, directions = torch.tensor([[0.2, -3.0, 0.1], [0.6, -3.0, 0.1]]), torch.tensor([[0.0, 1.0, 0.0]] * 2)
    crossing = shape.interval(origins, directions)
    assert crossing.entry[0].item() == pytest.approx(2.4) and crossing.leave[0].item() == pytest.approx(3.6)
    assert crossing.leave[1] < crossing.entry[1]
