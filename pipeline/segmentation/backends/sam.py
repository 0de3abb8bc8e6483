"""Masks by Segment Anything: from hints, from what moves, and along the video by asking again where tracking is poor."""

import logging
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from segment_anything import SamAutomaticMaskGenerator, SamPredictor

from models.sam import SamCheckpointError, read_sam
from pipeline.config import Prompt, SegmentObjectsConfig
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.runtime.weights import Weight
from pipeline.segmentation.backends import motion
from pipeline.segmentation.object_confidence import CLEAR_RESIDUAL
from pipeline.segmentation.prompts import others_clicks
from pipeline.segmentation.propagation import Masks, box_of, inner_points, propagated_ids
from pipeline.segmentation.video import Video

log = logging.getLogger("pipeline.segment_objects")
SAME_THING = 0.5  # IoU of a mask of the automatic generator with a moving region
WEIGHTS = (
    Weight(
        file="sam_vit_h_4b8939.pth",
        model="vit_h",
        address="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth",
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        size_mb=2564.6,
        licence="Apache-2.0",
        origin="facebookresearch/segment-anything",
    ),
    Weight(
        file="sam_vit_l_0b3195.pth",
        model="vit_l",
        address="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_l_0b3195.pth",
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        size_mb=1249.5,
        licence="Apache-2.0",
        origin="facebookresearch/segment-anything",
    ),
    Weight(
        file="sam_vit_b_01ec64.pth",
        model="vit_b",
        address="https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        size_mb=375.0,
        licence="Apache-2.0",
        origin="facebookresearch/segment-anything",
    ),
)


def load(checkpoint: Path | None, device: torch.device) -> "SamSegmenter":
    """SAM from a checkpoint file."""
    assert checkpoint is not None
    return SamSegmenter(checkpoint, device)


def find(model: "SamSegmenter", video: Video, config: SegmentObjectsConfig) -> UInt8[np.ndarray, "frame height width"]:
    """The prompted objects; without prompts, what SAM takes for a thing where motion says that it is one."""
    if config.prompts:
        tubes = video.tubes(config.min_area / 6)
        return prompted_by_sam(model, video.images, tubes, video.chain, config.prompts)
    moving = motion.find(None, video, config)
    return found_by_sam(model, video.images, moving, video.residual, video.chain, config)


class SamSegmenter:
    """SAM behind the interface of `Segmenter`; the last image's embedding is kept, because it costs most."""

    def __init__(self, path: Path, device: torch.device) -> None:
        try:
            self.network = read_sam(str(path)).to(device)
        except (SamCheckpointError, pickle.UnpicklingError, RuntimeError, EOFError, TypeError) as error:
            raise StageError(
                f"{path} is not a SAM checkpoint: {str(error).splitlines()[0]}; "
                "delete it and run `snakemake --cores 1 weights`"
            ) from error
        self.predictor = SamPredictor(self.network)
        self.embedded: bytes | None = None

    @torch.inference_mode()
    def segment(
        self,
        image: UInt8[np.ndarray, "height width rgb=3"],
        points: Float[np.ndarray, "point xy=2"],
        labels: Sequence[int],
        box: Sequence[float] | None,
    ) -> tuple[Bool[np.ndarray, "height width"], float]:
        """Of SAM's three masks for an ambiguous hint the one with the best predicted IoU."""
        key = image.tobytes()
        if key != self.embedded:
            self.predictor.set_image(image)
            self.embedded = key
        masks, scores, _ = self.predictor.predict(
            point_coords=points - 0.5 if len(points) else None,  # SAM's pixel centres are whole numbers
            point_labels=np.array(labels) if len(points) else None,
            box=None if box is None else np.array(box) - 0.5,
            multimask_output=True,
        )
        best = int(np.argmax(scores))
        return masks[best].astype(bool), float(scores[best])

    @torch.inference_mode()
    def everything(
        self, image: UInt8[np.ndarray, "height width rgb=3"], points_per_side: int
    ) -> list[Bool[np.ndarray, "height width"]]:
        """All that SAM takes for a thing, the surest first."""
        self.embedded = None
        generator = SamAutomaticMaskGenerator(self.network, points_per_side=points_per_side)
        found = sorted(generator.generate(image), key=lambda entry: -entry["predicted_iou"])
        return [entry["segmentation"] for entry in found]


def prompted_by_sam(
    segmenter: SamSegmenter,
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    prompts: list[Prompt],
) -> UInt8[np.ndarray, "frame height width"]:
    """Masks of the hinted objects, followed through the video; all hints to a frame count at once."""
    given: dict[int, Masks] = {}
    for frame in sorted({prompt.frame for prompt in prompts}):
        for prompt in (prompt for prompt in prompts if prompt.frame == frame):
            mask, score = hinted_mask(segmenter, images[frame], prompt, prompts)
            log.info("SAM is %.2f sure of object %d on frame %d", score, prompt.object, frame)
            given.setdefault(frame, {})[prompt.object] = mask
    return each_object_propagated(images, chain, given, segmenter, tubes)


def hinted_mask(
    segmenter: SamSegmenter, image: UInt8[np.ndarray, "height width rgb=3"], prompt: Prompt, prompts: list[Prompt]
) -> tuple[Bool[np.ndarray, "height width"], float]:
    """What a hint points at in its frame, with the clicks on other objects as places beside it; and how sure SAM is."""
    beside = others_clicks(prompt, prompts)
    points = np.array([*prompt.points, *beside], float).reshape(-1, 2)
    labels = [*(prompt.labels or [1] * len(prompt.points)), *[0] * len(beside)]
    return segmenter.segment(image, points, labels, prompt.box)


def found_by_sam(
    segmenter: SamSegmenter,
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    tubes: UInt8[np.ndarray, "frame height width"],
    residual: Float[np.ndarray, "frame height width"],
    chain: FlowChain,
    config: SegmentObjectsConfig,
) -> UInt8[np.ndarray, "frame height width"]:
    """What SAM takes for a thing on key frames, where motion says that it is one, followed through the video."""
    given: dict[int, Masks] = {}
    frames = range(0, len(images), config.sam_stride)
    for t in progress(frames, "SAM", len(frames), "key frames"):
        regions = {int(k): tubes[t] == k for k in np.unique(tubes[t]) if k}
        things = segmenter.everything(images[t], config.sam_points_per_side) if regions else []
        moving = [mask for mask in things if mask.any() and residual[t][mask].mean() > CLEAR_RESIDUAL]
        for k, region in regions.items():
            given.setdefault(t, {})[k] = thing_at(region, moving, segmenter, images[t])
    return each_object_propagated(images, chain, given, segmenter, tubes)


def thing_at(
    region: Bool[np.ndarray, "height width"],
    things: list[Bool[np.ndarray, "height width"]],
    segmenter: SamSegmenter,
    image: UInt8[np.ndarray, "height width rgb=3"],
) -> Bool[np.ndarray, "height width"]:
    """The thing that fits a moving region best; else SAM's answer to points in the region; else the region itself."""
    fits = [(float((mask & region).sum() / (mask | region).sum()), n) for n, mask in enumerate(things)]
    if fits and max(fits)[0] >= SAME_THING:
        return things[max(fits)[1]]
    points = inner_points(region)
    mask, _ = segmenter.segment(image, points, [1] * len(points), box_of(region))
    return mask if (mask & region).sum() >= SAME_THING * (mask | region).sum() else region


def each_object_propagated(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    given: dict[int, Masks],
    segmenter: SamSegmenter,
    tubes: UInt8[np.ndarray, "frame height width"],
) -> UInt8[np.ndarray, "frame height width"]:
    """Every object from its own key frames: one that is hinted at later must not end where others are given."""
    result = np.zeros(images.shape[:3], np.uint8)
    objects = sorted({k for masks in given.values() for k in masks})
    for k in objects:
        own = {t: {k: masks[k]} for t, masks in given.items() if k in masks and masks[k].any()}
        if own:
            ids = propagated_ids(images, chain, own, segmenter, tubes)
            result[(ids == k) & (result == 0)] = k
    return result
