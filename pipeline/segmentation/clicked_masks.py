"""What segment_objects will make of clicks, in the clicked frame and in a few around it, by its own backends.

The stage sees the whole video: of a thing that moves as a whole it also knows the motion, and may draw a better mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.correspondence.flow_backend import choose_flow_backend
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.correspondence.flow_warping import consistent_pixels
from pipeline.runtime.backends import Backend
from pipeline.runtime.device import stage_device
from pipeline.segmentation.mask_backend import choose_mask_backend
from pipeline.segmentation.mask_warnings import doubt_warnings
from pipeline.segmentation.object_confidence import held_confidence
from pipeline.segmentation.prompts import obeyed, others_clicks
from pipeline.segmentation.video import Video
from pipeline.segmentation.video_model import VideoModel, choose_video_model, followed_ids, hints_from_prompts


@dataclass(frozen=True)
class ClickedMasks:
    """An object in some frames, empty where it is lost; how sure the masks are, and what a person should know."""

    masks: Bool[np.ndarray, "frame height width"]
    confidence: float
    warnings: list[str]


@dataclass(frozen=True)
class ClickSegmenter:
    """The backends that the settings ask for, each loaded when it is first needed, and kept."""

    weights: Path | None
    masks: SegmentObjectsConfig
    flow: EstimateFlowConfig

    def load(self) -> str:
        """Load what cuts out masks; its name."""
        return self.video_model.name if self.video_model else self.mask_backend[0].name

    def clicked_masks(
        self, images: UInt8[np.ndarray, "frame height width rgb=3"], k: int, prompts: Sequence[Prompt]
    ) -> ClickedMasks:
        """An object in frames of which one at least has a prompt of it; what others are clicked at is beside it."""
        own = [with_others_beside(prompt, prompts) for prompt in prompts if prompt.object == k]
        ids = obeyed(self.found_ids(images, own), own)
        held = held_confidence(images, ids, own)
        return ClickedMasks(ids == k, held.get(k, 0.0), doubt_warnings(held))

    def found_ids(
        self, images: UInt8[np.ndarray, "frame height width rgb=3"], prompts: list[Prompt]
    ) -> UInt8[np.ndarray, "frame height width"]:
        """Ids of all frames, by whatever finds prompted objects in the stage."""
        if self.video_model:
            return followed_ids(self.video_model, images, hints_from_prompts(prompts))
        backend, model = self.mask_backend
        video = Video(images, self.flow_chain(images))
        found: np.ndarray = backend.module.find(model, video, self.masks.model_copy(update={"prompts": prompts}))
        return found

    def flow_chain(self, images: UInt8[np.ndarray, "frame height width rgb=3"]) -> FlowChain:
        """The flow between neighbouring frames, and which of it returns when followed there and back."""
        ahead = list(pairwise(images))
        flows = np.zeros((2, len(ahead), *images.shape[1:3], 2), np.float32)
        if ahead:
            backend, model = self.flow_backend
            found = backend.module.find(model, ahead + [(after, before) for before, after in ahead], self.flow)
            flows = np.stack(found).reshape(flows.shape)
        valid = np.zeros(flows.shape[:-1], bool)
        for n, (forward, backward) in enumerate(zip(*flows, strict=True)):
            valid[0, n] = consistent_pixels(forward, backward, self.flow.consistency_px)
            valid[1, n] = consistent_pixels(backward, forward, self.flow.consistency_px)
        return FlowChain(flows[0].astype(np.float16), flows[1].astype(np.float16), valid[0], valid[1])

    @cached_property
    def video_model(self) -> VideoModel | None:
        """It takes prompts itself."""
        return choose_video_model(self.weights, self.masks.propagator, stage_device())

    @cached_property
    def mask_backend(self) -> tuple[Backend, Any]:
        """The backend and what it has loaded."""
        backend = choose_mask_backend(self.weights, self.masks)
        return backend, backend.module.load(backend.checkpoint, stage_device())

    @cached_property
    def flow_backend(self) -> tuple[Backend, Any]:
        """The backend and what it has loaded."""
        backend = choose_flow_backend(self.weights, self.flow)
        return backend, backend.module.load(backend.checkpoint, stage_device())


def with_others_beside(prompt: Prompt, prompts: Sequence[Prompt]) -> Prompt:
    """A prompt to which what others are clicked at in its frame is beside it: each object can then be cut out alone."""
    others = others_clicks(prompt, list(prompts))
    labels = [*(prompt.labels or [1] * len(prompt.points)), *[0] * len(others)]
    return prompt.model_copy(update={"points": [*prompt.points, *others], "labels": labels})
