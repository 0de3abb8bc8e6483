"""Patches are found where they went: moved, turned, brighter, beside other objects."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from pipeline.correspondence import lucas_kanade as patch_registration
from pipeline.correspondence.lucas_kanade import (
    Registration,
    centred,
    cut_patches,
    ids_at,
    patch_offsets,
    register_in_parts,
    register_patches,
    sample_image,
    shape_is_plausible,
)

SIZE = 64
SEEDS = torch.tensor([[20.5, 22.5], [40.5, 30.5], [31.5, 45.5]])


def texture(matrix: np.ndarray | None = None) -> torch.Tensor:
    """A smooth texture in three channels, seen through an affine map of pixel centres."""
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    if matrix is not None:
        inverse = cv2.invertAffineTransform(matrix)
        x, y = (
            inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2],
            inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2],
        )
    waves = [
        128 + 50 * np.sin(0.7 * x + k) * np.cos(0.6 * y - k) + 20 * np.sin(0.3 * x * (1 + 0.1 * k) - 0.5 * y)
        for k in range(3)
    ]
    return torch.from_numpy(np.stack(waves).astype(np.float32))


def plain_ids() -> torch.Tensor:
    return torch.zeros((SIZE, SIZE), dtype=torch.uint8)


def found_after(matrix: np.ndarray, guess: torch.Tensor, gain: float = 1.0, offset: float = 0.0) -> Registration:
    patches = cut_patches(texture(), plain_ids(), SEEDS, 5)
    eye = torch.eye(2).expand(len(SEEDS), 2, 2).clone()
    return register_patches(patches, gain * texture(matrix) + offset, plain_ids(), guess, eye)


def test_a_moved_patch_is_found_to_a_twentieth_of_a_pixel() -> None:
    found = found_after(np.array([[1, 0, 1.3], [0, 1, -0.7]]), SEEDS + torch.tensor([0.6, -0.2]))
    torch.testing.assert_close(found.xy, SEEDS + torch.tensor([1.3, -0.7]), atol=0.05, rtol=0)
    assert (found.correlation > 0.99).all() and (found.sigma_px < 0.2).all()


def test_a_turned_and_grown_patch_is_found_with_its_shape() -> None:
    matrix = cv2.getRotationMatrix2D((32, 32), 8, 1.1)
    expected = SEEDS.numpy() @ matrix[:, :2].T + matrix[:, 2]
    found = found_after(matrix, torch.from_numpy(expected).float() + 0.3)
    np.testing.assert_allclose(found.xy.numpy(), expected, atol=0.05)
    np.testing.assert_allclose(found.affine[0].numpy(), matrix[:, :2], atol=0.03)


@pytest.mark.parametrize(("gain", "offset"), [(1.4, 0.0), (0.8, 25.0)])
def test_brightness_does_not_move_a_patch(gain: float, offset: float) -> None:
    matrix = np.array([[1, 0, 0.5], [0, 1, 0.5]])
    found = found_after(matrix, SEEDS.clone(), gain, offset)
    torch.testing.assert_close(found.xy, SEEDS + 0.5, atol=0.05, rtol=0)


def test_a_patch_without_texture_is_uncertain() -> None:
    flat = torch.full((3, SIZE, SIZE), 90.0)
    patches = cut_patches(flat, plain_ids(), SEEDS, 5)
    found = register_patches(patches, flat, plain_ids(), SEEDS, torch.eye(2).expand(3, 2, 2).clone())
    assert (found.sigma_px > 1.0).all()


def test_a_patch_does_not_see_across_the_border_of_its_object() -> None:
    ids = plain_ids()
    ids[:, 22:] = 1
    patches = cut_patches(texture(), ids, SEEDS[:1], 5)
    offsets = patch_offsets(5)
    beyond = SEEDS[0, 0] + offsets[:, 0] >= 22
    assert (patches.weights[0, beyond] == 0).all() and (patches.weights[0, ~beyond] > 0).all()


def test_a_patch_that_went_behind_another_object_is_not_recognised() -> None:
    patches = cut_patches(texture(), plain_ids(), SEEDS, 5)
    eye = torch.eye(2).expand(3, 2, 2).clone()
    found = register_patches(patches, texture(), torch.ones((SIZE, SIZE), dtype=torch.uint8), SEEDS, eye)
    assert (found.correlation == 0).all()


def test_points_are_sampled_at_pixel_centres() -> None:
    image = torch.arange(12, dtype=torch.float32).reshape(1, 3, 4)
    at = torch.tensor([[0.5, 0.5], [3.5, 2.5], [1.0, 0.5]])
    torch.testing.assert_close(sample_image(image, at, "bilinear")[0], torch.tensor([0.0, 11.0, 0.5]))


def test_outside_the_image_there_is_nothing() -> None:
    ids = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8)
    at = torch.tensor([[0.0, 0.0], [1.99, 0.5], [0.5, 1.5], [-0.01, 0.5], [0.5, 2.0]])
    assert ids_at(ids, at).tolist() == [1, 2, 3, 255, 255]


def test_centred_values_have_no_weighted_mean() -> None:
    values, weights = torch.tensor([[[1.0, 3.0, 50.0]]]), torch.tensor([[1.0, 3.0, 0.0]])
    torch.testing.assert_close(centred(values, weights)[0, 0, :2], torch.tensor([-1.5, 0.5]))


def test_mirrored_and_stretched_patches_are_refused() -> None:
    shapes = torch.tensor([[[1.0, 0], [0, 1]], [[-1, 0], [0, 1]], [[2, 0], [0, 1]], [[0.5, 0], [0, 1]]])
    assert shape_is_plausible(shapes, 1.8).tolist() == [True, False, False, False]


def test_parts_on_many_cores_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_registration, "PART", 2)
    patches, eye = cut_patches(texture(), plain_ids(), SEEDS, 5), torch.eye(2).expand(3, 2, 2).clone()
    inputs = (patches, texture(np.array([[1, 0, 0.4], [0, 1, 0.3]])), plain_ids(), SEEDS, eye)
    with ThreadPoolExecutor(2) as pool:
        found = register_in_parts(pool, *inputs)
    torch.testing.assert_close(found.xy, register_patches(*inputs).xy, atol=1e-3, rtol=0)
    assert found.sigma_px.shape == (3,)
