"""The compiled loops against blending written out over all splats and pixels."""

import torch

from models.splats.gaussians import Gaussians, project
from models.splats.kernels import LEAST_ALPHA, MOST_ALPHA
from models.splats.rasteriser import picture, rasterise
from tests.models.splats.test_gaussians import INTRINSICS, SIZE, some_splats


def slow(splats: Gaussians, camera: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """3D Gaussian Splatting, eq. 3, over all pixels, splat by splat in order of depth."""
    drawn = project(splats, camera, INTRINSICS, SIZE)
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    image, left = torch.zeros(*SIZE, 3), torch.ones(SIZE)
    for k in drawn.depth.argsort().tolist():
        dx, dy = columns + 0.5 - drawn.centres[k, 0], rows + 0.5 - drawn.centres[k, 1]
        a, b, c = drawn.conics[k]
        alpha = splats.opacities[k].sigmoid() * torch.exp(-0.5 * (a * dx * dx + c * dy * dy) - b * dx * dy)
        alpha = torch.where(alpha >= float(LEAST_ALPHA), alpha.clamp(max=float(MOST_ALPHA)), torch.zeros(()))
        image = image + (alpha * left)[..., None] * splats.rgb()[k]
        left = left * (1 - alpha)
    return image, left


def test_picture_and_gradients_are_those_of_the_slow_reference() -> None:
    splats = some_splats(14).map(lambda tensor: tensor.requires_grad_())
    leaves = [getattr(splats, name) for name in Gaussians.__dataclass_fields__]
    weights = torch.randn(*SIZE, 4, generator=torch.Generator().manual_seed(3))
    found = []
    for image, left in (rasterise(splats, torch.eye(4), INTRINSICS, SIZE), slow(splats, torch.eye(4))):
        loss = (torch.cat([image, left[..., None]], dim=-1) * weights).sum()
        found.append([image.detach(), left.detach(), *torch.autograd.grad(loss, leaves)])
    assert found[1][1].min() < 0.5  # something is seen
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-3, atol=2e-3)


def test_the_nearer_splat_hides_the_other_one() -> None:
    splats = some_splats(2)
    splats.means.copy_(torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 3.0]]))
    splats.log_scales.fill_(-1.0)
    splats.opacities.fill_(9.0)
    splats.colours.copy_(torch.tensor([[1.7, -1.7, -1.7], [-1.7, 1.7, -1.7]]))
    red, green, _ = picture(splats, torch.eye(4).numpy(), INTRINSICS.numpy(), SIZE)[24, 32]
    assert green > 0.9 and red < 0.1


def test_nothing_in_view_is_black_and_clear() -> None:
    splats = some_splats(3)
    splats.means[:, 2] = -2.0
    image, left = rasterise(splats, torch.eye(4), INTRINSICS, SIZE)
    assert not image.any() and bool((left == 1).all())
