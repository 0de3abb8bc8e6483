"""EfficientNet-Lite0: sizes and padding as TensorFlow has them, on weights that were never trained."""

import torch

from models.semantic_flow.efficientnet_lite import BLOCKS, lite_features, same_conv, weight_shapes


def random_state(seed: int) -> dict[str, torch.Tensor]:
    """Weights of the right shapes; what was measured in training is positive."""
    draw = torch.Generator().manual_seed(seed)
    return {name: torch.rand(shape, generator=draw) * 0.1 + 0.05 for name, shape in weight_shapes().items()}


def test_padding_is_at_the_right_and_below_where_it_is_odd() -> None:
    """Four pixels by kernel 3 and stride 2: two outputs need five, so one is missing, after the last."""
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    found = same_conv(image, torch.ones(1, 1, 3, 3), stride=2)
    assert found[0, 0].tolist() == [[45.0, 39.0], [66.0, 50.0]]
    assert same_conv(torch.zeros(1, 2, 7, 5), torch.ones(2, 1, 5, 5), stride=2, groups=2).shape == (1, 2, 4, 3)


def test_weights_are_those_of_eleven_blocks() -> None:
    shapes = weight_shapes()
    assert shapes["_blocks.3._depthwise_conv.weight"] == (144, 1, 5, 5)
    assert shapes["_blocks.10._project_conv.weight"] == (112, 672, 1, 1)
    assert "_blocks.0._expand_conv.weight" not in shapes
    assert len(shapes) == 1 + 4 + 11 * (2 + 8) + 10 * 5 and len(BLOCKS) == 11


def test_features_are_at_a_quarter_of_the_size_and_follow_the_image() -> None:
    state, draw = random_state(0), torch.Generator().manual_seed(1)
    image = torch.randint(0, 255, (30, 44, 3), generator=draw, dtype=torch.uint8)
    found = lite_features(state, image)
    assert found.shape == (24 + 40 + 112, 8, 11) and bool(found.isfinite().all())
    changed = image.clone()
    changed[:4, :4] = 255 - changed[:4, :4]
    difference = (lite_features(state, changed) - found).abs()[:24]
    assert difference[:, 0, 0].max() > 0 and difference[:, -1, -1].max() == 0
