"""Splats in space and in a picture."""

import pytest
import torch

from models.splats.gaussians import BLUR_PX2, Gaussians, project, quaternion, quaternion_product, rotation_matrices

INTRINSICS, SIZE = torch.tensor([50.0, 60.0, 32.0, 24.0]), (48, 64)


def some_splats(count: int = 12, seed: int = 0) -> Gaussians:
    """Splats in front of a camera at the origin."""
    random = torch.Generator().manual_seed(seed)
    return Gaussians(
        torch.randn(count, 3, generator=random) * 0.5 + torch.tensor([0.0, 0.0, 4.0]),
        torch.randn(count, 3, generator=random) * 0.3 - 2,
        torch.randn(count, 4, generator=random),
        torch.randn(count, generator=random),
        torch.randn(count, 3, generator=random),
    )


def similarity() -> torch.Tensor:
    """Twice as large, turned and moved."""
    matrix = torch.eye(4)
    matrix[:3, :3] = 2 * rotation_matrices(torch.tensor([[0.9, 0.2, -0.3, 0.1]]))[0]
    matrix[:3, 3] = torch.tensor([0.3, -0.2, 1.0])
    return matrix


@pytest.mark.parametrize(
    "turn", [[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0], [0.5, -0.5, 0.1, 0.7]]
)
def test_quaternion_of_a_turn_leads_back_to_it(turn: list[float]) -> None:
    wanted = rotation_matrices(torch.tensor([turn]))
    torch.testing.assert_close(rotation_matrices(quaternion(wanted[0])[None]), wanted)


def test_product_of_quaternions_is_one_turn_after_the_other() -> None:
    first, second = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))
    both = rotation_matrices(first) @ rotation_matrices(second)
    torch.testing.assert_close(rotation_matrices(quaternion_product(first, second)), both)


def test_moved_splats_have_the_moved_covariances() -> None:
    splats, matrix = some_splats(), similarity()
    moved = splats.moved(matrix)
    scaled = matrix[:3, :3]
    torch.testing.assert_close(moved.means, splats.means @ scaled.T + matrix[:3, 3])
    torch.testing.assert_close(moved.covariances(), scaled @ splats.covariances() @ scaled.T)


def test_splats_seen_under_a_similarity_are_the_moved_splats_seen() -> None:
    splats, matrix = some_splats(), similarity()
    one = project(splats, matrix, INTRINSICS, SIZE)
    other = project(splats.moved(matrix), torch.eye(4), INTRINSICS, SIZE)
    for name in ("centres", "conics", "depth"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-4)


def test_a_small_splat_covers_what_its_points_project_to() -> None:
    """The covariance of many drawn points in the picture, but for the blur that is added."""
    splat = Gaussians(
        torch.tensor([[0.4, -0.3, 3.0]]), torch.tensor([[0.02, 0.05, 0.03]]).log(), torch.tensor([[0.8, 0.1, 0.5, -0.3]]),
        torch.zeros(1), torch.zeros(1, 3),
    )  # fmt: skip
    drawn = project(splat, torch.eye(4), INTRINSICS, SIZE)
    unit = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0))
    spread = rotation_matrices(splat.rotations)[0] * splat.log_scales.exp()
    x, y, z = (unit @ spread.T + splat.means).unbind(1)
    pixels = torch.stack([50 * x / z + 32, 60 * y / z + 24])
    found = torch.linalg.inv(
        torch.tensor([[drawn.conics[0, 0], drawn.conics[0, 1]], [drawn.conics[0, 1], drawn.conics[0, 2]]])
    )
    torch.testing.assert_close(found - BLUR_PX2 * torch.eye(2), torch.cov(pixels), rtol=0.03, atol=5e-3)
    torch.testing.assert_close(drawn.centres[0], pixels.mean(1), rtol=1e-3, atol=1e-2)


def test_what_is_behind_the_camera_is_not_seen() -> None:
    splats = some_splats(2)
    splats.means[0, 2] = -1.0
    assert project(splats, torch.eye(4), INTRINSICS, SIZE).seen.tolist() == [False, True]
