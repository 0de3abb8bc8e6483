"""Which object every pixel shows: given masks, or what moves, found by geometry and followed through the video.

Reads   frames/       T images; flow.h5; weights/, where SAM's may lie; masks that a person gives, if any, and frames.json,
                      which says what frames of the video they are for (all of them where it is left out)
Writes  masks.h5      object ids, 0 is the background and 255 means ignore
        objects.json  each object's evidence (frames moving, residual, area) and confidence, and the warnings
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.cli import run_stage
from pipeline.config import SegmentObjectsConfig
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import read_frames, read_frames_info
from pipeline.formats.hidden_pixels import hidden_pixels
from pipeline.formats.mask_folder import GivenMasks, read_key_masks, read_mask_folder
from pipeline.formats.masks_file import write_masks, write_objects
from pipeline.runtime.device import stage_device
from pipeline.segmentation.boundary_refinement import refine_masks
from pipeline.segmentation.mask_backend import choose_mask_backend
from pipeline.segmentation.mask_warnings import (
    ahead_warnings,
    doubt_warnings,
    found_warnings,
    given_warnings,
    unsteady_warnings,
)
from pipeline.segmentation.motion_test import own_motion
from pipeline.segmentation.object_confidence import held_confidence, object_rows, steadiness
from pipeline.segmentation.prompts import check_prompts, obeyed
from pipeline.segmentation.propagation import Masks, propagated_ids
from pipeline.segmentation.text_model import TextModel
from pipeline.segmentation.text_model_choice import text_model
from pipeline.segmentation.text_objects import text_objects
from pipeline.segmentation.unexplained_motion import given_back, unexplained_regions, with_ignored
from pipeline.segmentation.video import Video
from pipeline.segmentation.video_model import (
    VideoModel,
    by_object,
    choose_video_model,
    followed_ids,
    hints_from_ids,
    hints_from_prompts,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Segmentation:
    """The objects of a video, the rows of objects.json, what a person should know, and what has found it all."""

    object_ids: UInt8[np.ndarray, "frame height width"]
    rows: list[dict[str, Any]]
    warnings: list[str]
    backend: str


@dataclass(frozen=True)
class Found:
    """Ids of all frames, names that a person gave to some, what found them, and what it has to say."""

    object_ids: UInt8[np.ndarray, "frame height width"]
    names: dict[int, str]
    backend: str
    warnings: list[str]


def segment_objects(
    frames: Path,
    info: Path | None,
    flow: Path,
    mask_folder: Path | None,
    weights: Path | None,
    masks: Path,
    objects: Path,
    config: SegmentObjectsConfig,
) -> None:
    images = read_frames(frames)
    kept = kept_frames(info, len(images))
    hidden = hidden_pixels(frames, info, (len(images), images.shape[1], images.shape[2]))
    video = Video(images, flow, hidden)
    check_prompts(config.prompts, video.images.shape[:3])
    found = (
        found_objects(video, weights, config)
        if mask_folder is None
        else given_objects(video, kept, mask_folder, weights, config)
    )
    found.object_ids[hidden] = IGNORE_ID
    log_objects(found)
    write_masks(masks, found.object_ids, {"backend": found.backend})
    write_objects(objects, found.backend, found.rows, found.warnings)


def kept_frames(info: Path | None, count: int) -> KeptFrames:
    """Which frames of the video the scene has."""
    return KeptFrames.of_info(read_frames_info(info)) if info is not None else KeptFrames.all_of(count)


def found_objects(video: Video, weights: Path | None, config: SegmentObjectsConfig) -> Segmentation:
    """What prompts point at or what moves, with the motion that speaks for it."""
    found = asked_or_moving(video, weights, config)
    ids = found.object_ids
    if video.hidden is not None:
        ids[video.hidden] = 0
    reach = config.boundary_reach
    regions = unexplained_regions(ids, video.images, video.residual, video.chain, config.min_area / 6, reach)
    if not config.prompts:
        ids, regions = given_back(ids, regions, video.images, video.chain, reach)
    moves = own_motion(video.images, ids, video.chain, reach)
    held = held_confidence(video.images, ids, config.with_clicks_only.prompts) if config.prompts else None
    steady = None if config.prompts else steadiness(video.images, ids)
    rows = object_rows(ids, video.residual, found.names, moves, held, steady)
    warnings = (
        found.warnings + found_warnings(ids, config) + doubt_warnings(held or {}) + unsteady_warnings(steady or {})
    )
    if not config.prompts:
        warnings += ahead_warnings(video.chain)
    ids, ignored = with_ignored(ids, regions)
    return Segmentation(ids, rows, warnings + ignored, found.backend)


def asked_or_moving(video: Video, weights: Path | None, config: SegmentObjectsConfig) -> Found:
    """Things by their names, and what clicks point at, which lies on top; what moves where nothing is asked for."""
    clicks = config.with_clicks_only
    names = {prompt.object: prompt.name for prompt in clicks.prompts if prompt.name}
    if not config.texts:
        ids, backend = found_ids(video, weights, clicks)
        return Found(obeyed(ids, clicks.prompts), names, backend, [])
    model = TextModel(text_model(weights), stage_device())
    instances = model.instances(video.images, [prompt.text or "" for prompt in config.texts])
    taken = {prompt.object for prompt in clicks.prompts}
    named = text_objects(instances, config.texts, video.images.shape[:3], taken, config.max_objects)
    if not clicks.prompts:
        return Found(named.object_ids, named.names, f"prompts, text by {model.name}", named.warnings)
    ids, backend = found_ids(video, weights, clicks)
    ids = obeyed(ids, clicks.prompts)
    both = np.where(ids > 0, ids, named.object_ids)
    return Found(both, named.names | names, f"text by {model.name}, {backend}", named.warnings)


def found_ids(
    video: Video, weights: Path | None, config: SegmentObjectsConfig
) -> tuple[UInt8[np.ndarray, "frame height width"], str]:
    """Object ids of all frames, and what found them: a backend, whose masks may then follow a video model."""
    device = stage_device()
    model = choose_video_model(weights, config.propagator, device)
    if model and config.prompts:  # it takes prompts itself
        return followed_ids(model, video.images, hints_from_prompts(config.prompts)), followed("prompts", model)
    backend = choose_mask_backend(weights, config)
    ids = backend.module.find(backend.module.load(backend.checkpoint, device), video, config)
    if model and ids.any():
        ids = followed_ids(model, video.images, hints_from_ids(ids, config.sam_stride))
    return ids, followed(finder_name(backend.name, config), model)


def finder_name(backend: str, config: SegmentObjectsConfig) -> str:
    """Prompts are named beside the backend; motion alone adds nothing to them."""
    if not config.prompts:
        return backend
    return "prompts" if backend == "motion" else f"{backend}, prompts"


def followed(finder: str, model: VideoModel | None) -> str:
    """What objects.json and the report call the backend: the video model that masks followed, if any, is named too."""
    return f"{finder}, followed by {model.name}" if model else finder


def given_objects(
    video: Video, kept: KeptFrames, folder: Path, weights: Path | None, config: SegmentObjectsConfig
) -> Segmentation:
    """The masks of a folder, used exactly; where it has some frames only, those between follow a model or the flow."""
    size = (video.images.shape[1], video.images.shape[2])
    if config.key_frames:
        model = choose_video_model(weights, config.propagator, stage_device())
        keys, some = read_key_masks(folder, kept, size)
        given = replace(some, object_ids=filled_in_between(video, keys, some, model, config))
    else:
        model, given = None, read_mask_folder(folder, kept, size)
    rows, warnings = given_rows(given.object_ids, given.names), given_warnings(given.object_ids, folder, config)
    finder = ", ".join(["masks", *given.decided])
    return Segmentation(given.object_ids, rows, [*given.doubts, *warnings], followed(finder, model))


def filled_in_between(
    video: Video, frames: list[int], given: GivenMasks, model: VideoModel | None, config: SegmentObjectsConfig
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids of all frames from those of some, which stay as they are."""
    keys: dict[int, Masks] = {
        t: {int(k): ids == k for k in np.unique(ids) if k not in (0, IGNORE_ID)}
        for t, ids in zip(frames, given.object_ids, strict=True)
    }
    if model and any(keys.values()):
        ids = followed_ids(model, video.images, by_object(keys))
    else:
        propagated = propagated_ids(video.images, video.chain, keys)
        ids = refine_masks(video.images, propagated, video.chain, config.boundary_reach / 2)
    ids[frames] = given.object_ids
    return ids


def given_rows(ids: UInt8[np.ndarray, "frame height width"], names: list[str]) -> list[dict[str, Any]]:
    """objects.json of masks that a person gave: nothing to doubt."""
    rows: list[dict[str, Any]] = []
    for k, name in enumerate(["background", *names]):
        evidence = {"frames": int((ids == k).any((1, 2)).sum()), "area_percent": float(100 * (ids == k).mean())}
        row = {"id": k, "name": name if k == 0 else f"object {name}", "evidence": evidence, "confidence": 1.0}
        rows.append({**row, "source_id": name} if k else row)
    return rows


def log_objects(found: Segmentation) -> None:
    """One line for every warning, and the number of objects."""
    for warning in found.warnings:
        log.warning("%s", warning)
    log.info("%d objects besides the background (%s)", len(found.rows) - 1, found.backend)


if __name__ == "__main__":
    run_stage(segment_objects)
