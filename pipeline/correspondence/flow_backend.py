"""What every backend of optical flow offers, and which one is taken."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8

from pipeline.config import EstimateFlowConfig
from pipeline.correspondence import backends
from pipeline.runtime.backends import Backend, choose_backend
from pipeline.runtime.weights import Weight

AUTO = ("raft", "dis")  # the paper's, where its weights lie; else the one that needs none
Image = UInt8[np.ndarray, "height width rgb=3"]
ImagePair = tuple[Image, Image]
Flow = Float[np.ndarray, "height width xy=2"]


class FlowBackend(Protocol):
    """A module in correspondence/backends/. Its name is a value of `EstimateFlowConfig.backend`."""

    WEIGHTS: tuple[Weight, ...]  # the files that it can use, best first; left out where it needs none
    MODEL: str  # what the report calls a backend without weights; weights have names of their own

    def load(self, checkpoint: Path | None, device: torch.device) -> Any:
        """Whatever `find` needs, made once a run."""

    def find(self, model: Any, pairs: list[ImagePair], config: EstimateFlowConfig) -> list[Flow]:
        """Flow from the first to the second image of every pair, in pixels; all images have one size."""


def choose_flow_backend(weights: Path | None, config: EstimateFlowConfig) -> Backend:
    """The backend that the settings ask for, with its weights."""
    package, setting = backends.__name__, "estimate_flow.backend"
    return choose_backend(package, setting, config.backend, AUTO, weights, config.weights_file)


def described(backend: Backend) -> dict[str, str]:
    """What flow.h5 and the report say of a backend: its name, the model and the file of its weights."""
    if backend.weight is None:
        return {"backend": backend.name, "model": backend.module.MODEL, "weights": ""}
    return {"backend": backend.name, "model": backend.weight.model, "weights": backend.weight.file}
