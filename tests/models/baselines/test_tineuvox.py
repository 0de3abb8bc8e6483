"""TiNeuVox by hand, at the paper's size, and standing still."""

import math

import torch
import torch.nn.functional as F

from models.baselines.field import RayPoints
from models.baselines.tineuvox import TiNeuVox, TiNeuVoxSizes, box_nodes, with_ray_inputs

BASE = TiNeuVoxSizes(grids=(8, 160), channels=6, width=256)
SMALL = TiNeuVoxSizes(grids=(5, 9), width=16)


def field(sizes: TiNeuVoxSizes = SMALL, stage: int = 0) -> TiNeuVox:
    return TiNeuVox(sizes, stage, torch.Generator().manual_seed(0))


def points(times: list[float]) -> RayPoints:
    places = (2 * torch.rand(1, 4, 3, generator=torch.Generator().manual_seed(1)) - 1).expand(len(times), -1, -1)
    return RayPoints(places, torch.tensor(times), F.normalize(torch.ones(len(times), 3), dim=1))


def test_the_base_model_has_the_released_number_of_parameters() -> None:
    time, place = 6 * 5, 3 * 21
    of_time = (17 * 256 + 256) + (256 * time + time)
    deformation = ((place + time) * 256 + 256) + (256 * 256 + 256) + (256 * 3 + 3)
    features = (3 * time + place + time) * 256 + 256
    density = 256 + 1
    colour = (256 * 256 + 256) + ((256 + 27) * 128 + 128) + (128 * 3 + 3)
    assert of_time + deformation + features + density + colour == 252_837
    model = field(BASE, 1)
    assert model.voxels.numel() == 6 * 160**3
    assert sum(parameter.numel() for parameter in model.parameters()) == 6 * 160**3 + 252_837


def test_at_the_start_a_voxel_is_as_opaque_as_asked_for() -> None:
    model = field()
    with torch.no_grad():
        for parameter in model.to_density.parameters():
            parameter.zero_()
    density, _ = model.density(points([0.0]))
    voxel = 2 / SMALL.grids[-1]
    torch.testing.assert_close(1 - torch.exp(-density * voxel), torch.full((1, 4), 1e-3))
    assert model.shift == math.log(1 / (1 - 1e-3) - 1)


def test_without_deformation_and_time_nothing_ever_changes() -> None:
    model, seen = field(), points([-1.0, 0.1, 1.0])
    with torch.no_grad():
        model.voxels.normal_(generator=torch.Generator().manual_seed(2))
        model.of_time[-1].weight.zero_()
    density, known = model.density(seen)
    colour = model.colour(seen, torch.arange(12), known).view(3, 4, 3)
    for values in (density, colour):
        torch.testing.assert_close(values[1], values[0])
        torch.testing.assert_close(values[2], values[0])
    with torch.no_grad():
        model.of_time[-1].weight.normal_(generator=torch.Generator().manual_seed(3))
        model.deformation_out[-1].weight.normal_(generator=torch.Generator().manual_seed(4))
    assert (model.density(seen)[0][1] - density[1]).abs().max() > 1e-4


def test_at_the_start_nothing_is_displaced() -> None:
    place, time = torch.randn(8, 63), torch.randn(2, 20)
    assert not field().displacement(place, time).any()


def test_a_box_is_filled_with_as_many_cubes_as_a_cube_would_be() -> None:
    assert box_nodes(65, (3.0, 3.0, 3.0)) == [65, 65, 65]
    assert box_nodes(65, (4.0, 1.0, 2.0)) == [129, 33, 65]  # 64 cells of a cube's side; the mean side is 2
    assert box_nodes(5, (10.0, 1.0, 0.01))[2] == 5  # one cell of the coarsest stride at least


def test_voxels_in_a_long_box_are_refined_and_read_along_each_axis() -> None:
    model = field(TiNeuVoxSizes(grids=(9, 17), width=16, sides=(4.0, 1.0, 2.0)))
    assert model.voxels.shape == (17, 5, 9, 4)
    model.refined(1)
    assert model.voxels.shape == (33, 9, 17, 4) and model.density(points([0.0]))[0].isfinite().all()


def test_a_rays_share_of_a_layer_is_computed_once() -> None:
    layer, generator = torch.nn.Linear(5, 3), torch.Generator().manual_seed(0)
    own, shared = torch.randn(8, 2, generator=generator), torch.randn(4, 3, generator=generator)
    together = torch.cat([own, shared.repeat_interleave(2, dim=0)], dim=1)
    torch.testing.assert_close(with_ray_inputs(layer, own, shared), layer(together))


def test_voxels_of_a_finer_stage_are_those_of_the_coarser_one_between() -> None:
    model = field()
    with torch.no_grad():
        model.voxels.normal_(generator=torch.Generator().manual_seed(2))
    before = model.voxels.detach().clone()
    model.refined(1)
    torch.testing.assert_close(model.voxels[::2, ::2, ::2], before)
