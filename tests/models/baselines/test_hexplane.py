"""HexPlane by hand, at the paper's size, and standing still."""

import torch
import torch.nn.functional as F

from models.baselines.field import RayPoints, total_variation
from models.baselines.hexplane import HexPlane, HexPlaneSizes

PAPER = HexPlaneSizes(grids=(64, 200), time_grids=(16, 128))
SMALL = HexPlaneSizes(
    (5, 9), (3, 5), density_channels=2, colour_channels=2, width=8, density_shift=-1.0, density_scale=2.0
)


def field(sizes: HexPlaneSizes = SMALL, stage: int = 0) -> HexPlane:
    return HexPlane(sizes, stage, torch.Generator().manual_seed(0))


def points(times: list[float]) -> RayPoints:
    """The same samples along a few rays, at other times."""
    places = (2 * torch.rand(1, 4, 3, generator=torch.Generator().manual_seed(1)) - 1).expand(len(times), -1, -1)
    views = F.normalize(torch.ones(len(times), 3), dim=1)
    return RayPoints(places, torch.tensor(times), views)


def test_the_papers_size_has_the_papers_number_of_parameters() -> None:
    planes = 3 * (24 + 48) * (200 * 200 + 200 * 128)
    projections = 3 * 24 + 3 * 48 * 27
    network = (27 * 5 + 3 * 5) * 128 + 128 + 128 * 128 + 128 + 128 * 3 + 3  # features and view, each encoded twice
    assert planes + projections + network == 14_209_787
    assert sum(parameter.numel() for parameter in field(PAPER, 1).parameters()) == 14_209_787


def test_density_is_the_sum_of_three_products_of_a_plane_in_space_and_one_in_time() -> None:
    hexplane = field()
    with torch.no_grad():
        for number, (space, time) in enumerate(((0.5, 2.0), (0.25, 1.0), (-0.5, 3.0))):
            hexplane.shape.space[number], hexplane.shape.time[number] = space, time
    density, _ = hexplane.density(points([0.3]))
    feature = 2 * (0.5 * 2.0 + 0.25 * 1.0 - 0.5 * 3.0)  # two channels
    torch.testing.assert_close(density, torch.full((1, 4), 2.0 * F.softplus(torch.tensor(feature - 1.0)).item()))


def test_where_planes_in_time_are_constant_nothing_ever_changes() -> None:
    hexplane, seen = field(), points([-1.0, -0.2, 1.0])
    density, known = hexplane.density(seen)
    colour = hexplane.colour(seen, torch.arange(12), known).view(3, 4, 3)
    for values in (density, colour):
        torch.testing.assert_close(values[1], values[0])
        torch.testing.assert_close(values[2], values[0])
    with torch.no_grad():
        hexplane.shape.time[:, :, 1] += 1.0
    assert (hexplane.density(seen)[0][1] - density[1]).abs().max() > 1e-3


def test_total_variation_by_hand() -> None:
    plane = torch.tensor([[0.0, 1.0], [2.0, 5.0]])[None, None]
    # down: 4 and 16, mean 10; right: 1 and 9, mean 5
    assert total_variation(plane).item() == 2 * (10 + 5)
    assert total_variation(plane, 2.0).item() == 2 * (2 * 10 + 5)
    assert field().penalty().item() > 0


def test_a_finer_stage_is_the_same_function_at_the_coarser_nodes() -> None:
    hexplane = field()
    corners = torch.tensor([[[-1.0, -0.5, 0.0], [0.5, 1.0, -1.0]]])
    seen = RayPoints(corners, torch.tensor([0.0]), torch.tensor([[0.0, 0.0, 1.0]]))
    before, _ = hexplane.density(seen)
    hexplane.refined(1)
    assert hexplane.shape.space.shape[2:] == (9, 9) and hexplane.shape.time.shape[2:] == (5, 9)
    torch.testing.assert_close(hexplane.density(seen)[0], before)
