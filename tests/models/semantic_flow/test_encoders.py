"""Features of frames."""

import torch
from torch import Tensor
from torchvision.models import resnet18

from models.semantic_flow.encoders import fitted_basis, pyramid_features, reduced, resnet_features


def square(shift: int = 0) -> Tensor:
    image = torch.zeros(32, 40, 3, dtype=torch.uint8)
    image[..., 2] = 200
    image[8:24, 10 + shift : 30 + shift] = torch.tensor([200, 0, 0], dtype=torch.uint8)
    return image


def test_features_tell_a_red_square_from_a_blue_ground_and_are_the_same_twice() -> None:
    maps = [pyramid_features(square()), pyramid_features(square(3))]
    features = reduced(maps[0], fitted_basis(maps, 8))
    assert features.shape == (16, 20, 8)
    assert features.dtype == torch.float16
    assert (features[8, 10].float() - features[1, 1].float()).norm() > 1
    torch.testing.assert_close(reduced(maps[0], fitted_basis(maps, 8)), features, rtol=0, atol=0)


def test_odd_sizes_are_encoded() -> None:
    assert pyramid_features(torch.randint(255, (17, 23, 3), dtype=torch.uint8)).shape[1:] == (8, 11)


def test_principal_components_have_unit_spread_and_do_not_go_together() -> None:
    maps = [torch.randn(6, 30, 30).cumsum(0) + 5]
    kept = reduced(maps[0], fitted_basis(maps, 3)).float().flatten(0, 1)
    torch.testing.assert_close(torch.cov(kept.T), torch.eye(3), atol=0.02, rtol=0)


def test_few_channels_are_all_kept() -> None:
    maps = [torch.randn(4, 9, 9) * 3 + 1]
    kept = reduced(maps[0], fitted_basis(maps, 10)).float()
    standard = (maps[0] - maps[0].mean((1, 2), keepdim=True)) / maps[0].flatten(1).std(1)[:, None, None]
    torch.testing.assert_close(kept, standard.permute(1, 2, 0), atol=5e-3, rtol=0)


def test_a_resnet_gives_its_stem_and_three_layers_and_keeps_its_statistics() -> None:
    torch.manual_seed(0)
    network = resnet18(weights=None).eval()
    before = network.bn1.running_mean.clone()
    features = resnet_features(network, square())
    assert features.shape == (64 + 64 + 128 + 256, 8, 10)
    assert not features.requires_grad
    torch.testing.assert_close(network.bn1.running_mean, before, rtol=0, atol=0)
    torch.testing.assert_close(resnet_features(network, square()), features, rtol=0, atol=0)
