"""A video and what is known of it before any object is."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.correspondence.flow_chain import FlowChain, read_flow_chain
from pipeline.segmentation.camera_motion_residual import camera_motion_residual
from pipeline.segmentation.tubes import find_tubes

HIDDEN_MARGIN_PX = 4  # around what is drawn over the frames, where flow is smeared


@dataclass(frozen=True)
class Video:
    """The frames; their flow and what follows from it are made when a backend first asks for them."""

    images: UInt8[np.ndarray, "frame height width rgb=3"]
    flow: Path | FlowChain
    hidden: Bool[np.ndarray, "frame height width"] | None = None  # by text and logos, or transparent

    @cached_property
    def chain(self) -> FlowChain:
        """The flow between all neighbouring frames, not valid in and beside what hides the scene in either of a pair."""
        chain = read_flow_chain(self.flow, self.images.shape[:3]) if isinstance(self.flow, Path) else self.flow
        if self.hidden is None or not self.hidden.any():
            return chain
        size = 2 * HIDDEN_MARGIN_PX + 1
        margin = np.ones((size, size), np.uint8)
        shown = np.stack([cv2.dilate(hidden.astype(np.uint8), margin) == 0 for hidden in self.hidden])
        free = shown[:-1] & shown[1:]
        return replace(chain, forward_valid=chain.forward_valid & free, backward_valid=chain.backward_valid & free)

    @cached_property
    def residual(self) -> Float[np.ndarray, "frame height width"]:
        """How clearly each pixel moves against the background; nothing can be told from a single frame."""
        if len(self.images) < 2:
            return np.zeros(self.images.shape[:3], np.float32)
        return camera_motion_residual(self.images, self.chain)

    def tubes(self, smallest_share: float) -> UInt8[np.ndarray, "frame height width"]:
        """Ids of what moves, in all frames, with borders as smeared as the flow's."""
        if len(self.images) < 2:
            return np.zeros(self.images.shape[:3], np.uint8)
        return find_tubes(self.images, self.residual, self.chain, smallest_share)
