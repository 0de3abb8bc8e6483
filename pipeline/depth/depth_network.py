"""Depth networks as `transformers` has them: DPT (MiDaS 3), Depth Anything, ZoeDepth, Depth Pro, GLPN.

A model is a folder as Hugging Face publishes it (config.json, model.safetensors, preprocessor_config.json) under weights/.
DPT and the relative models of Depth Anything give disparity up to scale and shift (Ranftl et al., 2020); the others depth.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8

from pipeline.runtime.model_folders import read_model


class DepthNetwork:
    """A network that tells the depth, or the disparity, of single images."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.name, self.device = folder.name, device
        self.network, self.processor = read_model(
            folder, "AutoModelForDepthEstimation", "AutoImageProcessor", "depth model", "or take it away"
        )
        self.network.to(device).eval()

    @property
    def kind(self) -> Literal["depth", "disparity"]:
        """What its maps are linear in."""
        config = self.network.config
        relative = getattr(config, "depth_estimation_type", "metric") == "relative"
        return "disparity" if config.model_type == "dpt" or relative else "depth"

    @torch.inference_mode()
    def maps(self, images: UInt8[np.ndarray, "frame height width rgb=3"]) -> Float[np.ndarray, "frame height width"]:
        """A map for each image, at its size; where disparity has no sign it is shifted to be positive, as it may be."""
        sizes = [image.shape[:2] for image in images]
        inputs = self.processor(images=list(images), return_tensors="pt").to(self.device)
        told = {"source_sizes": sizes} if self.network.config.model_type == "zoedepth" else {}
        found = self.processor.post_process_depth_estimation(self.network(**inputs), target_sizes=sizes, **told)
        maps = torch.stack([entry["predicted_depth"] for entry in found]).float().cpu().numpy()
        return positive(maps) if self.kind == "disparity" else maps


def positive(disparity: Float[np.ndarray, "frame height width"]) -> Float[np.ndarray, "frame height width"]:
    """Disparity of unknown shift, shifted so that none of it reads as unknown (0) or as no number."""
    least = disparity.min(axis=(1, 2), keepdims=True)
    reach = disparity.max(axis=(1, 2), keepdims=True) - least
    return disparity - least + 0.01 * np.maximum(reach, np.finfo(np.float32).tiny)
