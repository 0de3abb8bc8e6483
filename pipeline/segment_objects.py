"""Which object every pixel shows: given masks, or what moves, found by geometry and followed through the video.

Reads   frames/       T images; flow.h5; masks that a person gives, if any; weights/, where SAM's may lie
Writes  masks.h5      object ids, 0 is the background and 255 means ignore
        objects.json  each object's evidence (frames moving, residual, area) and confidence, and the warnings
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.cli import run_stage
from pipeline.config import SegmentObjectsConfig
from pipeline.correspondence.flow_chain import FlowChain, read_flow_chain
from pipeline.formats.frames_folder import read_frames
from pipeline.formats.mask_folder import GivenMasks, read_key_masks, read_mask_folder
from pipeline.formats.masks_file import write_masks, write_objects
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError
from pipeline.runtime.weights import weights_present
from pipeline.segmentation.boundary_refinement import refine_masks
from pipeline.segmentation.camera_motion_residual import moving_evidence
from pipeline.segmentation.mask_warnings import found_doubts, given_doubts
from pipeline.segmentation.motion_test import own_motion, proven_objects
from pipeline.segmentation.object_confidence import kept_objects, object_rows
from pipeline.segmentation.prompts import check_prompts, prompted_tubes
from pipeline.segmentation.propagation import known_again, propagated_ids
from pipeline.segmentation.sam import SamSegmenter, found_by_sam, prompted_by_sam
from pipeline.segmentation.sam2 import (
    VideoModel,
    by_object,
    choose_video_model,
    followed_ids,
    hints_from_ids,
    hints_from_prompts,
)
from pipeline.segmentation.tubes import find_tubes

log = logging.getLogger(__name__)


def segment_objects(
    frames: Path,
    flow: Path,
    mask_folder: Path | None,
    weights: Path | None,
    masks: Path,
    objects: Path,
    config: SegmentObjectsConfig,
) -> None:
    images = read_frames(frames)
    check_prompts(config.prompts, images.shape[:3])
    if mask_folder is not None:
        model = choose_video_model(weights, config.propagator, stage_device()) if config.key_frames else None
        given = given_masks(images, mask_folder, flow, config, model)
        rows = given_rows(given.object_ids, given.names)
        doubts = given_doubts(given.object_ids, mask_folder, config)
        write_result(masks, objects, followed("masks", model), given.object_ids, rows, doubts)
        return
    model = choose_video_model(weights, config.propagator, stage_device())
    segmenter = None if model and config.prompts else choose_segmenter(weights, config)  # it takes hints itself
    chain = read_flow_chain(flow, images.shape[:3])
    ids, evidence = find_objects(images, chain, config, segmenter, model)
    names = {prompt.object: prompt.name for prompt in config.prompts if prompt.name}
    proofs = own_motion(images, ids, chain, config.boundary_reach)
    rows = object_rows(ids, evidence, names, proofs, prompted=bool(config.prompts))
    backend = ("sam" if segmenter else "motion") if not config.prompts else ("sam, prompts" if segmenter else "prompts")
    write_result(masks, objects, followed(backend, model), ids, rows, found_doubts(ids, config))


def find_objects(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    chain: FlowChain,
    config: SegmentObjectsConfig,
    segmenter: SamSegmenter | None = None,
    model: VideoModel | None = None,
) -> tuple[UInt8[np.ndarray, "frame height width"], Float[np.ndarray, "frame height width"]]:
    """Object ids of all frames, with the evidence of motion behind them."""
    pairs = len(images) > 1
    evidence = moving_evidence(images, chain) if pairs else np.zeros(images.shape[:3], np.float32)
    if config.prompts and model:
        return followed_ids(model, images, hints_from_prompts(config.prompts)), evidence
    tubes = find_tubes(evidence, chain, config.min_area / 6) if pairs else np.zeros(images.shape[:3], np.uint8)
    if config.prompts and segmenter:
        return prompted_by_sam(segmenter, images, tubes, chain, config.prompts), evidence
    if config.prompts:
        tubes = prompted_tubes(images, tubes, chain, config.prompts)
        return refine_masks(images, tubes, chain, config.boundary_reach), evidence
    tubes = kept_objects(tubes, evidence, config.min_area / 4, config.max_objects + 4)
    ids = proven_objects(images, tubes, chain, config.boundary_reach)
    ids = kept_objects(known_again(images, ids), evidence, config.min_area, config.max_objects)
    ids = found_by_sam(segmenter, images, ids, evidence, chain, config) if segmenter else ids
    if model and ids.any():
        ids = followed_ids(model, images, hints_from_ids(ids, config.sam_stride))
    return ids, evidence


def followed(backend: str, model: VideoModel | None) -> str:
    """What objects.json and the report call the backend: the video model that masks followed, if any, is named too."""
    return f"{backend}, followed by {model.name}" if model else backend


def choose_segmenter(weights: Path | None, config: SegmentObjectsConfig) -> SamSegmenter | None:
    """SAM where it is wanted and its weights are there; None for motion alone."""
    present = weights_present(weights, "segment_objects")
    if config.backend == "sam" and not present:
        raise StageError(
            f"segment_objects.backend is sam, but {weights or 'weights/'} holds no SAM weights; "
            "run `snakemake --cores 1 weights`, or choose auto or motion"
        )
    chosen = present[0] if present and config.backend != "motion" and weights is not None else None
    log.info("masks by %s", ", ".join(["prompts"] * bool(config.prompts) + [chosen.file if chosen else "motion"]))
    return SamSegmenter(weights / chosen.file, stage_device()) if chosen and weights else None


def given_masks(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    folder: Path,
    flow: Path,
    config: SegmentObjectsConfig,
    model: VideoModel | None = None,
) -> GivenMasks:
    """The masks of a folder, used exactly; where it has some frames only, those between follow a model or the flow."""
    if not config.key_frames:
        return read_mask_folder(folder, images.shape[:3])
    frames, given = read_key_masks(folder, images.shape[:3])
    keys = {
        t: {int(k): ids == k for k in np.unique(ids) if k not in (0, IGNORE_ID)}
        for t, ids in zip(frames, given.object_ids, strict=True)
    }
    if model and any(keys.values()):
        ids = followed_ids(model, images, by_object(keys))
        ids[frames] = given.object_ids
        return GivenMasks(ids, given.names)
    chain = read_flow_chain(flow, images.shape[:3])
    ids = refine_masks(images, propagated_ids(images, chain, keys), chain, config.boundary_reach / 2)
    ids[frames] = given.object_ids
    return GivenMasks(ids, given.names)


def given_rows(ids: UInt8[np.ndarray, "frame height width"], names: list[str]) -> list[dict[str, Any]]:
    """objects.json of masks that a person gave: nothing to doubt."""
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(["background", *names]):
        evidence = {"frames": int((ids == k).any((1, 2)).sum()), "area_percent": float(100 * (ids == k).mean())}
        row = {"id": k, "name": name if k == 0 else f"object {name}", "evidence": evidence, "confidence": 1.0}
        rows.append({**row, "source_id": name} if k else row)
    return rows


def write_result(
    masks: Path,
    objects: Path,
    backend: str,
    ids: UInt8[np.ndarray, "frame height width"],
    rows: list[dict[str, Any]],
    warnings: list[str],
) -> None:
    """Write both files and log what was found."""
    for warning in warnings:
        log.warning("%s", warning)
    log.info("%d objects besides the background", len(rows) - 1)
    write_masks(masks, ids, {"backend": backend})
    write_objects(objects, backend, rows, warnings)


if __name__ == "__main__":
    run_stage(segment_objects)
