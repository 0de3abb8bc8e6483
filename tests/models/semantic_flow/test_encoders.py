"""The embedded features."""

import torch

from models.semantic_flow.encoders import embedded_features


def test_features_tell_a_red_square_from_a_blue_ground_and_are_the_same_twice() -> None:
    images = torch.zeros(2, 32, 40, 3, dtype=torch.uint8)
    images[..., 2] = 200
    images[:, 8:24, 10:30] = torch.tensor([200, 0, 0], dtype=torch.uint8)
    features = embedded_features(images, 8)
    assert features.shape == (2, 16, 20, 8)
    assert features.dtype == torch.float16
    inside, outside = features[0, 8, 10].float(), features[0, 1, 1].float()
    assert (inside - outside).norm() > 1
    torch.testing.assert_close(embedded_features(images, 8), features, rtol=0, atol=0)


def test_odd_sizes_are_encoded() -> None:
    assert embedded_features(torch.randint(255, (1, 17, 23, 3), dtype=torch.uint8), 6).shape == (1, 8, 11, 6)
