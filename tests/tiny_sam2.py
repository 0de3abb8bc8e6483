"""SAM 2 and EdgeTAM with random weights, small enough for tests, as folders like those that Hugging Face publishes."""

from pathlib import Path
from typing import Any

import torch

SIDE = 128  # of the image that the network sees


def vision(width: int) -> dict[str, Any]:
    """Four stages of a block or two each; features at a quarter, an eighth and a sixteenth of the side."""
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [SIDE, SIDE],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64],
        "num_attention_heads_per_stage": [1, 1, 2, 2],
        "window_size_per_stage": [8, 4, 4, 2],
        "window_positional_embedding_background_size": [4, 4],
        "global_attention_blocks": [3],
    }
    return {
        "model_type": "sam2_vision_model",
        "backbone_config": backbone,
        "backbone_channel_list": [64, 32, 16, 8],
        "backbone_feature_sizes": [[SIDE // 4] * 2, [SIDE // 8] * 2, [SIDE // 16] * 2],
        "fpn_hidden_size": width,
    }


def shared(width: int, memory: int) -> dict[str, Any]:
    """What both models are made with: channels of the features and of what is remembered of a frame."""
    return {
        "vision_config": vision(width),
        "prompt_encoder_config": {"hidden_size": width, "image_size": SIDE},
        "mask_decoder_config": {
            "hidden_size": width,
            "mlp_dim": 48,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 24,
        },
        "image_size": SIDE,
        "memory_attention_hidden_size": width,
        "memory_attention_num_layers": 1,
        "memory_attention_rope_feat_sizes": [SIDE // 16] * 2,
        "memory_encoder_hidden_size": width,
        "memory_encoder_output_channels": memory,
        "mask_downsampler_embed_dim": width,
        "memory_fuser_embed_dim": width,
        "memory_fuser_intermediate_dim": 48,
    }


def write_video_model(folder: Path, kind: str, seed: int) -> None:
    """A whole folder of `kind` sam2_video or edgetam_video: config.json, model.safetensors, the processor's files."""
    import transformers

    torch.manual_seed(seed)
    if kind == "sam2_video":
        config = transformers.Sam2VideoConfig(**shared(128, 64), memory_attention_feed_forward_hidden_size=48)
        network = transformers.Sam2VideoModel(config)
    else:
        perceiver = {
            "perceiver_resampler_num_latents": 16,
            "perceiver_resampler_num_latents_2d": 16,
            "perceiver_resampler_hidden_size": 64,
            "perceiver_resampler_mlp_intermediate_size": 32,
            "perceiver_resampler_attention_head_dim": 64,
            "memory_attention_rope_k_sizes": [4, 4],
        }
        config = transformers.EdgeTamVideoConfig(**shared(128, 64), **perceiver, memory_attention_mlp_hidden_size=48)
        network = transformers.EdgeTamVideoModel(config)
    torch.nn.init.ones_(network.mask_decoder.pred_obj_score_head.proj_out.bias)  # objects count as in sight
    network.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    images = transformers.Sam2ImageProcessor(size=size, mask_size={"height": SIDE // 4, "width": SIDE // 4})
    videos = transformers.Sam2VideoVideoProcessor(size=size)
    transformers.Sam2VideoProcessor(image_processor=images, video_processor=videos).save_pretrained(folder)
