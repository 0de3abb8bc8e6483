"""Dense inverse search (Kroeger et al., 2016), OpenCV's: optical flow without weights."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.flow_backend import Flow, Image, ImagePair

MODEL = "DIS, full resolution, patches of 12 px"
SMALLEST_SIDE = 32


def load(checkpoint: Path | None, device: torch.device) -> Any:
    """DIS at its most accurate: no coarser than the image, with more overlap and smoothing than any preset.

    Patches of 12 px and alpha 40 halve the outliers of the defaults (8 px, 20) on rendered scenes with weak texture.
    """
    dis: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchSize(12)
    dis.setPatchStride(4)
    dis.setGradientDescentIterations(12)
    dis.setVariationalRefinementIterations(10)
    dis.setVariationalRefinementAlpha(40.0)
    return dis


def find(model: Any, pairs: list[ImagePair], config: EstimateFlowConfig) -> list[Flow]:
    """Flow of every pair, one after another."""
    return [dis_flow(model, first, second) for first, second in pairs]


def dis_flow(dis: Any, first: Image, second: Image) -> Flow:
    """Flow from `first` to `second`, pixels."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (first, second)]
    height, width = grey[0].shape
    bottom, right = max(SMALLEST_SIDE - height, 0), max(SMALLEST_SIDE - width, 0)
    padded = [cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE) for image in grey]
    return np.ascontiguousarray(dis.calc(padded[0], padded[1], None)[:height, :width])
