"""Masks followed through the video by the trackers of SAM 2, EdgeTAM and SAM 3, which `transformers` has behind one interface.

A model is a folder as Hugging Face publishes it (config.json, model.safetensors, the processor's files) under weights/.
Every object has a session of its own, because objects may be known in different frames; the sessions share the features
of the frame at hand. Frames are prepared when their turn comes, and of the frames gone by only the model's window stays.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from pipeline.runtime.errors import StageError
from pipeline.runtime.model_folders import model_folder, model_type, read_model
from pipeline.runtime.progress import progress
from pipeline.segmentation.video_model import Hint, Hints

log = logging.getLogger("pipeline.segment_objects")
MOST_KEY_FRAMES = 4  # nearest ones that the memory attends to, as in training; all of them would cost too much
WAY_OUT = "take it away, or set segment_objects.propagator to flow"


@dataclass(frozen=True)
class Tracker:
    """A value of `segment_objects.propagator`: its models by config.json's model_type, each a network and its processor."""

    propagator: str
    title: str
    models: dict[str, tuple[str, str]]
    install: str
    fetch: str

    def load(self, weights: Path | None, device: torch.device, required: bool) -> "SamVideo | None":
        """The largest model at hand; None where there is none, or `transformers` is missing, and it is not required."""
        folder = model_folder(weights, self.models)
        if folder is None and required:
            place = weights or "weights"
            raise StageError(
                f"segment_objects.propagator is {self.propagator}, but {place} holds no folder of {self.title} (config.json "
                f"with model_type {' or '.join(self.models)}); {self.fetch.format(place)}, or choose auto or flow"
            )
        if folder is not None and find_spec("transformers") is None:
            if required:
                raise StageError(
                    f"segment_objects.propagator is {self.propagator}, but transformers is not installed: {self.install}"
                )
            log.warning("%s is not used, because transformers is not installed: %s", folder, self.install)
            return None
        return SamVideo(folder, self, device) if folder else None


class SamVideo:
    """A video model of `transformers` behind the interface of `VideoModel`."""

    def __init__(self, folder: Path, tracker: Tracker, device: torch.device) -> None:
        self.name, self.device = folder.name, device
        self.network, self.processor = read_model(
            folder, *tracker.models[model_type(folder)], kind="video model", way_out=WAY_OUT
        )
        self.network.to(device).eval()
        config = self.network.config
        if config.max_cond_frame_num == -1:
            config.max_cond_frame_num = MOST_KEY_FRAMES
        self.window = max(config.num_maskmem, config.max_object_pointers_in_encoder)

    @torch.inference_mode()
    def walk(
        self, images: UInt8[np.ndarray, "frame height width rgb=3"], hints: Hints
    ) -> Iterator[tuple[int, dict[int, Float[np.ndarray, "height width"]]]]:
        """Each object forwards from the first frame in which it is known, then backwards from there."""
        sessions = self.sessions(images, hints)
        starts = {k: min(own) for k, own in hints.items()}
        forwards = [(t, False) for t in range(min(starts.values()), len(images))]
        backwards = [(t, True) for t in range(max(starts.values()) - 1, -1, -1)]
        for t, reverse in progress([*forwards, *backwards], "masks", len(forwards) + len(backwards), "frames"):
            active = [k for k, start in starts.items() if (t < start) == reverse]
            if active:
                yield t, {k: self.step(sessions[k], t, reverse) for k in active}

    def sessions(self, images: UInt8[np.ndarray, "frame height width rgb=3"], hints: Hints) -> dict[int, Any]:
        """One session an object, which has seen the frames in which the object is known."""
        frames, cache, sessions = PreparedFrames(images, self.processor), None, {}
        for k in hints:
            session = self.processor.init_video_session(inference_device=self.device, inference_state_device="cpu")
            session.processed_frames = frames
            session.video_height, session.video_width = images.shape[1:3]
            session.cache = cache = cache or session.cache
            sessions[k] = session
        for t, k in sorted((t, k) for k, own in hints.items() for t in own):
            self.tell(sessions[k], t, k, hints[k][t])
            self.step(sessions[k], t, reverse=False)
        return sessions

    def tell(self, session: Any, frame: int, k: int, hint: Hint) -> None:
        """Give a mask, or clicks and a box, to a session. SAM's pixel centres are whole numbers."""
        told: dict[str, Any] = {}
        if isinstance(hint, np.ndarray):
            told["input_masks"] = hint
        else:
            points = [[x - 0.5, y - 0.5] for prompt in hint for x, y in prompt.points]
            labels = [label for prompt in hint for label in prompt.labels or [1] * len(prompt.points)]
            boxes = [[value - 0.5 for value in prompt.box] for prompt in hint if prompt.box]
            if points:
                told |= {"input_points": [[points]], "input_labels": [[labels]]}
            if boxes:
                told["input_boxes"] = [boxes[-1:]]
        self.processor.add_inputs_to_inference_session(session, frame_idx=frame, obj_ids=k, **told)

    def step(self, session: Any, frame: int, reverse: bool) -> Float[np.ndarray, "height width"]:
        """Logits of one object in one frame; what the model will not look at again is forgotten."""
        output = self.network(session, frame_idx=frame, reverse=reverse)
        kept = session.output_dict_per_obj[0]
        for results in kept.values():
            for result in results.values():
                result.pop("high_res_masks", None)
        tracked = kept["non_cond_frame_outputs"]
        for t in [t for t in tracked if abs(t - frame) > self.window]:
            del tracked[t]
        size = [[session.video_height, session.video_width]]
        logits = self.processor.post_process_masks([output.pred_masks], original_sizes=size, binarize=False)[0]
        return logits[0, 0].float().cpu().numpy()


class PreparedFrames:
    """The frames as the network wants them, each made when it is asked for: the enlarged video would fill the memory."""

    def __init__(self, images: UInt8[np.ndarray, "frame height width rgb=3"], processor: Any) -> None:
        self.images, self.processor = images, processor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, frame: int) -> Float[torch.Tensor, "rgb=3 side side"]:
        image = torch.from_numpy(self.images[frame]).permute(2, 0, 1)
        return self.processor(images=image, return_tensors="pt").pixel_values[0]
