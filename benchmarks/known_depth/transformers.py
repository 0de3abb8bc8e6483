"""A depth network without weights, in the place of `transformers`: it remembers frames, and gives the depth of the one most alike.

For benchmarks/reliability.py, which is about kills and damage, not about depth: the stage runs where no network is at hand.
Its folder has config.json, and in model.safetensors the arrays `images` and `depths`, written by `remember`.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

WEIGHTS = "model.safetensors"
utils = SimpleNamespace(logging=SimpleNamespace(disable_progress_bar=lambda: None))


def remember(folder: Path, images: np.ndarray, depths: np.ndarray) -> None:
    """Write such a network: frames (frame, height, width, 3), and their depth (frame, height, width)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "depth_pro"}))
    with (folder / WEIGHTS).open("wb") as file:
        np.savez(file, images=images, depths=depths)


class Images(dict[str, torch.Tensor]):
    """What the processor makes of images."""

    def to(self, device: torch.device) -> "Images":
        return self


class AutoImageProcessor:
    @classmethod
    def from_pretrained(cls, folder: Path, **_: Any) -> "AutoImageProcessor":
        return cls()

    def __call__(self, images: list[np.ndarray], **_: Any) -> Images:
        return Images(pixel_values=torch.from_numpy(np.stack(images)).float())

    def post_process_depth_estimation(self, found: torch.Tensor, **_: Any) -> list[dict[str, torch.Tensor]]:
        return [{"predicted_depth": depth} for depth in found]


class AutoModelForDepthEstimation(torch.nn.Module):
    config = SimpleNamespace(model_type="depth_pro")

    def __init__(self, images: np.ndarray, depths: np.ndarray) -> None:
        super().__init__()
        self.images, self.depths = torch.from_numpy(images).float(), torch.from_numpy(depths)

    @classmethod
    def from_pretrained(cls, folder: Path, **_: Any) -> tuple["AutoModelForDepthEstimation", dict[str, list[str]]]:
        with np.load(folder / WEIGHTS) as arrays:
            return cls(arrays["images"], arrays["depths"]), {"missing_keys": []}

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        unlike = torch.cdist(pixel_values.flatten(1), self.images.flatten(1))
        return self.depths[unlike.argmin(1)]
