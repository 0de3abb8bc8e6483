"""SAM 3 with random weights, small enough for tests, as the folder that Hugging Face publishes: it finds and it follows."""

from pathlib import Path
from typing import Any

import torch

SIDE, PATCH, WIDTH = 112, 14, 128  # of the image that the network sees; channels
LAYERS = {"hidden_size": WIDTH, "num_attention_heads": 2, "intermediate_size": 64}


def vision() -> dict[str, Any]:
    """A transformer of two layers, the first one in windows."""
    backbone = {
        "model_type": "sam3_vit_model",
        **LAYERS,
        "num_hidden_layers": 2,
        "image_size": SIDE,
        "patch_size": PATCH,
        "window_size": 4,
        "global_attn_indexes": [1],
        "pretrain_image_size": SIDE // 2,
    }
    return {"model_type": "sam3_vision_model", "backbone_config": backbone, "fpn_hidden_size": WIDTH}


def detector() -> dict[str, Any]:
    """What finds things by a text: six at most."""
    words = {"vocab_size": 520, "max_position_embeddings": 32, "projection_dim": 16, "num_hidden_layers": 1}
    ends = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    return {
        "model_type": "sam3",
        "vision_config": vision(),
        "text_config": {"model_type": "clip_text_model", **LAYERS, **words, **ends},
        "geometry_encoder_config": {**LAYERS, "num_layers": 1},
        "detr_encoder_config": {**LAYERS, "num_layers": 1},
        "detr_decoder_config": {**LAYERS, "num_layers": 2, "num_queries": 6},
        "mask_decoder_config": {"hidden_size": WIDTH, "num_attention_heads": 2},
    }


def tracker() -> dict[str, Any]:
    """What follows them."""
    return {
        "model_type": "sam3_tracker_video",
        "vision_config": vision(),
        "prompt_encoder_config": {"hidden_size": WIDTH, "image_size": SIDE, "patch_size": PATCH},
        "mask_decoder_config": {
            "hidden_size": WIDTH,
            "mlp_dim": 48,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 24,
        },
        "image_size": SIDE,
        "memory_attention_hidden_size": WIDTH,
        "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 48,
        "memory_attention_rope_feat_sizes": [SIDE // PATCH] * 2,
        "memory_encoder_hidden_size": WIDTH,
        "memory_encoder_output_channels": 64,
        "mask_downsampler_embed_dim": WIDTH,
        "memory_fuser_embed_dim": WIDTH,
        "memory_fuser_intermediate_dim": 48,
    }


def write_sam3(folder: Path, seed: int) -> None:
    """A whole folder: config.json, model.safetensors, the processor's files, a tokenizer of single letters."""
    import transformers

    torch.manual_seed(seed)
    sure = {"score_threshold_detection": 0.0, "new_det_thresh": 0.0, "hotstart_delay": 0, "det_nms_thresh": 0.5}
    config = transformers.Sam3VideoConfig(
        detector_config=detector(), tracker_config=tracker(), low_res_mask_size=4 * SIDE // PATCH, **sure
    )
    network = transformers.Sam3VideoModel(config)
    torch.nn.init.ones_(network.tracker_model.mask_decoder.pred_obj_score_head.proj_out.bias)
    network.save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    images = transformers.Sam3ImageProcessor(
        size=size, mask_size={"height": 4 * SIDE // PATCH, "width": 4 * SIDE // PATCH}
    )
    videos = transformers.Sam2VideoVideoProcessor(size=size)
    letters = [chr(code) for code in range(33, 127)]
    words = {token: n for n, token in enumerate([*letters, *(f"{letter}</w>" for letter in letters)])}
    words |= {"<|startoftext|>": 512, "<|endoftext|>": 513}
    tokenizer = transformers.CLIPTokenizer(vocab=words, merges=[])
    transformers.Sam3VideoProcessor(images, videos, tokenizer).save_pretrained(folder)
