"""RAFT (Teed and Deng, 2020): optical flow by a network, with torchvision's or Princeton's weights."""

import pickle
from pathlib import Path

import numpy as np
import torch

from models.raft import CheckpointError, load_raft, predict_flow
from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.flow_backend import Flow, ImagePair
from pipeline.runtime.errors import StageError
from pipeline.runtime.weights import Weight

WEIGHTS = (
    Weight(
        file="raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        model="raft_large",
        address="https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        sha256="ff5fadd5",
        size_mb=20.1,
        licence="BSD-3-Clause",
        origin="torchvision",
    ),
    Weight(
        file="raft_large_C_T_V2-1bb1363a.pth",
        model="raft_large",
        address="https://download.pytorch.org/models/raft_large_C_T_V2-1bb1363a.pth",
        sha256="1bb1363a",
        size_mb=20.1,
        licence="BSD-3-Clause",
        origin="torchvision",
    ),
    Weight(
        file="raft_small_C_T_V2-01064c6d.pth",
        model="raft_small",
        address="https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth",
        sha256="01064c6d",
        size_mb=3.8,
        licence="BSD-3-Clause",
        origin="torchvision",
    ),
    Weight(
        file="raft-small.pth",
        model="raft_small",
        address=None,  # published inside models.zip by princeton-vl/RAFT (its download_models.sh)
        sha256="c7d41b9cc88442bb8aa911dbb33086dac55a226394b142937ff22d5578717332",
        size_mb=4.0,
        licence="BSD-3-Clause",
        origin="princeton-vl/RAFT",
    ),
)


def load(checkpoint: Path | None, device: torch.device) -> torch.nn.Module:
    """The network of a checkpoint file."""
    assert checkpoint is not None
    try:
        return load_raft(torch.load(checkpoint, map_location="cpu", weights_only=True)).to(device)
    except (CheckpointError, pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise StageError(
            f"{checkpoint} is not a RAFT checkpoint: {reason}; delete it and run `snakemake --cores 1 weights`"
        ) from error


def find(model: torch.nn.Module, pairs: list[ImagePair], config: EstimateFlowConfig) -> list[Flow]:
    """Flow of all pairs as one batch; small images are enlarged, because RAFT works at an eighth of the size.

    The mean over two enlargements is better than either: their errors have little in common.
    """
    device = next(model.parameters()).device
    first, second = (torch.from_numpy(np.stack(images)).to(device) for images in zip(*pairs, strict=True))
    enlargements = config.enlargements if max(first.shape[1:3]) < config.enlarge_below_px else [1.0]
    flows = [predict_flow(model, first, second, by, config.iterations) for by in enlargements]
    return list(torch.stack(flows).mean(0).cpu().numpy())
