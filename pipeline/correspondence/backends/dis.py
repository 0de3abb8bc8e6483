"""Dense inverse search (Kroeger et al., 2016), OpenCV's: optical flow without weights."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.fast_motion import with_fast_motion
from pipeline.correspondence.flow_backend import Flow, Image, ImagePair

MODEL = "DIS, full resolution, patches of 12 px"
SMALLEST_SIDE = 32
REFINED_FROM = 1  # level of the pyramid


@dataclass(frozen=True)
class DisFlow:
    """DIS from nothing, and from a first guess, which coarse levels would lose."""

    found: cv2.DISOpticalFlow
    refined: cv2.DISOpticalFlow


def load(checkpoint: Path | None, device: torch.device) -> DisFlow:
    """DIS at its most accurate: no coarser than the image, with more overlap and smoothing than any preset.

    Patches of 12 px and alpha 40 halve the outliers of the defaults (8 px, 20) on rendered scenes with weak texture.
    """
    return DisFlow(configured(), configured(coarsest=REFINED_FROM))


def configured(coarsest: int | None = None) -> cv2.DISOpticalFlow:
    """DIS on all levels of the pyramid, or from a level on."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setPatchSize(12)
    dis.setPatchStride(4)
    dis.setGradientDescentIterations(12)
    dis.setVariationalRefinementIterations(10)
    dis.setVariationalRefinementAlpha(40.0)
    if coarsest is not None:
        dis.setCoarsestScale(coarsest)
    return dis


def find(model: DisFlow, pairs: list[ImagePair], config: EstimateFlowConfig) -> list[Flow]:
    """Flow of every pair, one after another."""
    refine = partial(dis_flow, model.refined)
    return [with_fast_motion(*pair, dis_flow(model.found, *pair), refine) for pair in pairs]


def dis_flow(dis: cv2.DISOpticalFlow, first: Image, second: Image, guess: Flow | None = None) -> Flow:
    """Flow from `first` to `second`, pixels; from a first guess, if there is one."""
    height, width = first.shape[:2]
    around = (0, max(SMALLEST_SIDE - height, 0), 0, max(SMALLEST_SIDE - width, 0), cv2.BORDER_REPLICATE)
    grey = [cv2.copyMakeBorder(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), *around) for image in (first, second)]
    start = None if guess is None else cv2.copyMakeBorder(guess, *around)
    flow = dis.calc(*grey, start)  # type: ignore[call-overload]  # OpenCV's stub leaves out that no guess is None
    return np.ascontiguousarray(flow[:height, :width])
