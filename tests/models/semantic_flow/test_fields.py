"""The fields as they begin."""

import torch
from torch.nn import functional as F

from models.ops.space import Region
from models.semantic_flow.fields import BLEND_SHIFT, DYNAMIC_SHIFT, DynamicField, StaticField

CUBE = Region(torch.zeros(3), torch.ones(3), 0.0)  # in which coordinates are places


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_where_planes_are_empty_little_is_there_and_less_of_it_moves() -> None:
    field = DynamicField(4, 5, 3, generator())
    with torch.no_grad():
        field.shape.space.zero_()
        density, blending = field.density_and_blend(CUBE, torch.zeros(2, 3), torch.zeros(2), 3)
    torch.testing.assert_close(density, F.softplus(torch.tensor(DYNAMIC_SHIFT)).expand(2))
    torch.testing.assert_close(blending, torch.sigmoid(torch.tensor(BLEND_SHIFT)).expand(2))


def test_a_density_is_the_sum_of_its_planes_products() -> None:
    field = DynamicField(4, 5, 3, generator())
    with torch.no_grad():
        field.shape.space.fill_(0.25)  # two channels on three planes, times 1 in time
        density, _ = field.density_and_blend(CUBE, torch.zeros(1, 3), torch.zeros(1), 3)
    torch.testing.assert_close(density, F.softplus(torch.tensor([DYNAMIC_SHIFT + 6 * 0.25])))


def test_a_finer_static_field_takes_over_what_a_coarser_one_shows() -> None:
    coarse, fine = StaticField((4, 4, 4), 4, 2, 3, generator()), StaticField((7, 7, 7), 7, 2, 3, generator())
    fine.take(coarse)
    corners = torch.tensor([[-1.0, 1, -1], [1, 1, 1]])
    torch.testing.assert_close(fine.density(fine.nodes(), CUBE, corners), coarse.density(coarse.nodes(), CUBE, corners))
    features, finer = coarse.appearance(corners), fine.appearance(corners)
    torch.testing.assert_close(fine.semantics(finer), coarse.semantics(features))
    torch.testing.assert_close(fine.colour(finer), coarse.colour(features))
