"""Depth networks with random weights, small enough for tests, as folders like those that Hugging Face publishes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

HEADS: dict[str, Any] = {"neck_hidden_sizes": [8, 8, 8, 8], "fusion_hidden_size": 8}
LAYERS: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
}


def dinov2(side: int, patch: int) -> dict[str, Any]:
    """A backbone of four layers whose features are all taken."""
    return {
        "model_type": "dinov2",
        **LAYERS,
        "image_size": side,
        "patch_size": patch,
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
        "apply_layernorm": True,
    }


def dpt(transformers: Any) -> tuple[Any, Any]:
    config = transformers.DPTConfig(
        **LAYERS, **HEADS, image_size=32, patch_size=8, backbone_out_indices=[0, 1, 2, 3], head_in_index=-1
    )
    return transformers.DPTForDepthEstimation(config), transformers.DPTImageProcessor(size={"height": 32, "width": 32})


def depth_anything(transformers: Any, kind: str) -> tuple[Any, Any]:
    config = transformers.DepthAnythingConfig(
        backbone_config=dinov2(28, 14),
        **HEADS,
        reassemble_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20,
    )
    images = transformers.DPTImageProcessor(
        size={"height": 28, "width": 28}, ensure_multiple_of=14, keep_aspect_ratio=True
    )
    return transformers.DepthAnythingForDepthEstimation(config), images


def zoedepth(transformers: Any) -> tuple[Any, Any]:
    backbone = {
        "model_type": "beit",
        **LAYERS,
        "image_size": 32,
        "patch_size": 8,
        "use_relative_position_bias": True,
        "reshape_hidden_states": False,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }
    config = transformers.ZoeDepthConfig(
        backbone_config=backbone,
        **HEADS,
        num_relative_features=8,
        bottleneck_features=8,
        bin_embedding_dim=8,
        num_attractors=[4, 2, 2, 1],
        bin_configurations=[{"name": "nyu", "n_bins": 8, "min_depth": 0.001, "max_depth": 10.0}],
    )
    return transformers.ZoeDepthForDepthEstimation(config), transformers.ZoeDepthImageProcessor(
        size={"height": 32, "width": 32}
    )


def glpn(transformers: Any) -> tuple[Any, Any]:
    config = transformers.GLPNConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8
    )
    return transformers.GLPNForDepthEstimation(config), transformers.GLPNImageProcessor(size_divisor=8)


def depth_pro(transformers: Any) -> tuple[Any, Any]:
    encoder = {
        "model_type": "dinov2",
        **LAYERS,
        "image_size": 32,
        "patch_size": 8,
        "apply_layernorm": True,
        "reshape_hidden_states": False,
    }
    config = transformers.DepthProConfig(
        patch_size=32,
        fusion_hidden_size=8,
        intermediate_hook_ids=[3, 1],
        intermediate_feature_dims=[8, 8],
        scaled_images_feature_dims=[16, 16, 8],
        image_model_config=encoder,
        patch_model_config=encoder,
        fov_model_config=encoder,
        use_fov_model=True,
        num_fov_head_layers=1,
    )
    images = transformers.DepthProImageProcessor(size={"height": 128, "width": 128})
    return transformers.DepthProForDepthEstimation(config), images


MAKERS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "dpt": dpt,
    "depth_anything relative": lambda library: depth_anything(library, "relative"),
    "depth_anything metric": lambda library: depth_anything(library, "metric"),
    "zoedepth": zoedepth,
    "glpn": glpn,
    "depth_pro": depth_pro,
}


def write_depth_model(folder: Path, kind: str, seed: int) -> None:
    """A whole folder: config.json, model.safetensors, preprocessor_config.json."""
    import transformers

    torch.manual_seed(seed)
    network, images = MAKERS[kind](transformers)
    network.save_pretrained(folder)
    images.save_pretrained(folder)
