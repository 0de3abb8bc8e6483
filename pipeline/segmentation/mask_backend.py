"""What every backend that finds objects offers, and which one is taken."""

import logging
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import UInt8

from pipeline.config import SegmentObjectsConfig
from pipeline.runtime.backends import Backend, choose_backend
from pipeline.runtime.weights import Weight
from pipeline.segmentation import backends
from pipeline.segmentation.video import Video

log = logging.getLogger("pipeline.segment_objects")
AUTO = ("sam", "motion")  # the paper's, where its weights lie; else the one that needs none


class MaskBackend(Protocol):
    """A module in segmentation/backends/. Its name is a value of `SegmentObjectsConfig.backend`."""

    WEIGHTS: tuple[Weight, ...]  # the files that it can use, best first; left out where it needs none

    def load(self, checkpoint: Path | None, device: torch.device) -> Any:
        """Whatever `find` needs."""

    def find(self, model: Any, video: Video, config: SegmentObjectsConfig) -> UInt8[np.ndarray, "frame height width"]:
        """Object ids of all frames, 0 is the background.

        With `config.prompts` the objects that they point at, under the ids that they give; else what it finds itself.
        """


def choose_mask_backend(weights: Path | None, config: SegmentObjectsConfig) -> Backend:
    """The backend that the settings ask for, with its weights."""
    backend = choose_backend(backends.__name__, "segment_objects.backend", config.backend, AUTO, weights)
    model = backend.weight.file if backend.weight else backend.name
    log.info("masks by %s", ", ".join(["prompts"] * bool(config.prompts) + [model]))
    return backend
