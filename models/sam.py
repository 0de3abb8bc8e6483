"""Segment Anything (Kirillov et al., 2023) from a checkpoint of any size: the tensors' shapes say what was trained."""

import re
from collections.abc import Mapping
from functools import partial

import torch
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from torch import Tensor, nn

DECODER_HEADS = 8  # of every published size, and in no tensor's shape
PIXEL_MEAN, PIXEL_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


class SamCheckpointError(ValueError):
    """A checkpoint that is not of this network."""


def load_sam(state: Mapping[str, Tensor]) -> Sam:
    """The network of a checkpoint."""
    try:
        network = build_sam(state)
        network.load_state_dict(state)
    except (KeyError, IndexError, AttributeError, ValueError, RuntimeError) as error:
        raise SamCheckpointError(str(error).splitlines()[0]) from error
    return network.eval().requires_grad_(False)


def build_sam(state: Mapping[str, Tensor]) -> Sam:
    """A network whose tensors have the shapes of the checkpoint's."""
    grid = state["image_encoder.pos_embed"].shape[1]
    patch = state["image_encoder.patch_embed.proj.weight"].shape[-1]
    channels = state["image_encoder.neck.0.weight"].shape[0]
    prompts = PromptEncoder(
        embed_dim=channels,
        image_embedding_size=(grid, grid),
        input_image_size=(grid * patch, grid * patch),
        mask_in_chans=state["prompt_encoder.mask_downscaling.3.weight"].shape[0],
    )
    transformer = TwoWayTransformer(
        depth=layer_count(state, r"mask_decoder\.transformer\.layers\.(\d+)\."),
        embedding_dim=channels,
        mlp_dim=state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0],
        num_heads=DECODER_HEADS,
    )
    decoder = MaskDecoder(
        num_multimask_outputs=state["mask_decoder.mask_tokens.weight"].shape[0] - 1,
        transformer=transformer,
        transformer_dim=channels,
        iou_head_depth=layer_count(state, r"mask_decoder\.iou_prediction_head\.layers\.(\d+)\."),
        iou_head_hidden_dim=state["mask_decoder.iou_prediction_head.layers.0.weight"].shape[0],
    )
    return Sam(image_encoder(state, grid, patch, channels), prompts, decoder, PIXEL_MEAN, PIXEL_STD)


def image_encoder(state: Mapping[str, Tensor], grid: int, patch: int, channels: int) -> ImageEncoderViT:
    """The vision transformer; blocks whose relative positions span the whole grid attend globally."""
    depth = layer_count(state, r"image_encoder\.blocks\.(\d+)\.")
    positions = [state[f"image_encoder.blocks.{index}.attn.rel_pos_h"] for index in range(depth)]
    spans = [(len(position) + 1) // 2 for position in positions]
    width = state["image_encoder.pos_embed"].shape[-1]
    return ImageEncoderViT(
        depth=depth,
        embed_dim=width,
        img_size=grid * patch,
        mlp_ratio=state["image_encoder.blocks.0.mlp.lin1.weight"].shape[0] / width,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=width // positions[0].shape[1],
        patch_size=patch,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=tuple(index for index, span in enumerate(spans) if span == grid),
        window_size=min(spans),
        out_chans=channels,
    )


def layer_count(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many layers the names of the tensors tell of."""
    found = [int(match.group(1)) for name in state if (match := re.match(pattern, name))]
    if not found:
        raise KeyError(f"it has no {pattern.replace(chr(92), '')}")
    return max(found) + 1


def read_sam(path: str) -> Sam:
    """The network of a checkpoint file."""
    return load_sam(torch.load(path, map_location="cpu", weights_only=True))
