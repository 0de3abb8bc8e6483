"""Splats fitted to pictures."""

import torch

from models.splats.fitting import START_SIZE, View, fitted, placed
from models.splats.gaussians import Gaussians
from models.splats.rasteriser import rasterise
from tests.models.splats.test_gaussians import INTRINSICS, SIZE, some_splats

STEPS = 60


def views_of(splats: Gaussians) -> list[View]:
    """From three places along a line."""
    found = []
    for shift in (-0.4, 0.0, 0.4):
        camera = torch.eye(4)
        camera[0, 3] = shift
        image, left = rasterise(splats, camera, INTRINSICS, SIZE)
        found.append(View(camera, image, 1 - left))
    return found


def errors(splats: Gaussians, views: list[View]) -> float:
    images = [rasterise(splats, view.camera_from_object, INTRINSICS, SIZE)[0] for view in views]
    return float(
        torch.stack([(image - view.colour).square().mean() for image, view in zip(images, views, strict=True)]).mean()
    )


def fit(start: Gaussians, views: list[View]) -> Gaussians:
    return fitted(start, views, INTRINSICS, STEPS, torch.Generator().manual_seed(0), map)


def test_fitting_comes_nearer_to_the_pictures_and_is_the_same_each_time() -> None:
    true = some_splats(40)
    true.opacities.add_(2.0)
    views = views_of(true)
    start = placed(true.means + 0.02 * torch.randn(40, 3, generator=torch.Generator().manual_seed(5)), true.rgb())
    done = fit(start, views)
    assert errors(done, views) < 0.3 * errors(start, views)
    again = fit(start, views)
    assert all(torch.equal(getattr(done, name), getattr(again, name)) for name in Gaussians.__dataclass_fields__)


def test_splats_where_nothing_is_grow_clear() -> None:
    true = some_splats(30)
    true.opacities.add_(3.0)
    stray = torch.tensor([[0.0, 1.2, 4.0], [-1.5, 0.0, 4.0]])
    views = views_of(true)
    start = placed(torch.cat([true.means, stray]), torch.ones(32, 3) * 0.5)
    done = fit(start, views)
    assert start.opacities[-2:].sigmoid().min() > 0.7
    kept = done.opacities.sigmoid()[(done.means[:, None] - stray).norm(dim=2).amin(1) < 0.2]
    assert not len(kept) or float(kept.max()) < 0.4


def test_placed_splats_are_in_proportion_to_the_distance_to_their_neighbours() -> None:
    points = torch.stack(torch.meshgrid(*[torch.arange(4.0)] * 2, torch.zeros(1), indexing="ij"), dim=-1).view(-1, 3)
    splats = placed(points, torch.full((16, 3), 0.25))
    inner = splats.log_scales[5].exp()
    torch.testing.assert_close(inner, START_SIZE * torch.ones(3))
    torch.testing.assert_close(splats.rgb(), torch.full((16, 3), 0.25))


def test_a_single_point_is_a_splat() -> None:
    assert torch.isfinite(placed(torch.zeros(1, 3), torch.zeros(1, 3)).log_scales).all()
