"""SAM 3 (Carion et al., 2025), as `transformers` has it: every instance of a text, in every frame, followed through the video."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from pipeline.runtime.model_folders import read_model
from pipeline.runtime.progress import progress
from pipeline.segmentation.sam_video import PreparedFrames
from pipeline.segmentation.text_objects import Instance

WAY_OUT = "or give points or a box in place of the text"


class TextModel:
    """A network that finds things by their name."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.name, self.device = folder.name, device
        self.network, self.processor = read_model(
            folder, "Sam3VideoModel", "Sam3VideoProcessor", "model that finds things by their name", WAY_OUT
        )
        self.network.to(device).eval()
        config = self.network.config.tracker_config
        self.window = max(config.num_maskmem, config.max_object_pointers_in_encoder)

    @torch.inference_mode()
    def instances(
        self, images: UInt8[np.ndarray, "frame height width rgb=3"], texts: Sequence[str]
    ) -> Iterator[tuple[int, list[Instance]]]:
        """What of the texts each frame shows, from the first frame on; numbers of things count from 1."""
        session = self.processor.init_video_session(inference_device=self.device, inference_state_device="cpu")
        session.processed_frames = PreparedFrames(images, self.processor)
        session.video_height, session.video_width = images.shape[1:3]
        self.processor.add_text_prompt(session, list(texts))
        frames = self.network.propagate_in_video_iterator(session)
        for output in progress(frames, "text", len(images), "frames"):
            found = self.processor.postprocess_outputs(session, output)
            forget(session, output.frame_idx - self.window)
            yield output.frame_idx, instances_of(found, texts)


def instances_of(found: dict[str, Any], texts: Sequence[str]) -> list[Instance]:
    """The instances of one frame, of what the processor makes of the network's output."""
    text_of = {k: texts.index(text) for text, numbers in found["prompt_to_obj_ids"].items() for k in numbers}
    rows = zip(found["object_ids"].tolist(), found["scores"].tolist(), found["masks"].cpu().numpy(), strict=True)
    return [Instance(k + 1, text_of[k], score, mask) for k, score, mask in rows]


def forget(session: Any, before: int) -> None:
    """Drop what the memory will not look at again: the whole video of it would not fit."""
    for kept in session.output_dict_per_obj.values():
        for frame in [frame for frame in kept["non_cond_frame_outputs"] if frame < before]:
            del kept["non_cond_frame_outputs"][frame]
