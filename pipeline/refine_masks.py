"""The second pass of masks: what stands in front of the reconstructed background, and has no object, gets one or is ignored.

The camera and the background's depth are known by now, so that pixels tell what they show without flow having to move. What is
given back to an object is looked for by the object's own model, which gets poses in more frames. What is one thing that no
object knows becomes an object. Masks and clicks of a person are not changed, and where the background is not well known
nothing is.

Reads   frames/                images
        frames.json            (optional) what is drawn over them, or transparent: it is no object's
        flow.h5                flow between neighbouring frames
        masks.h5, objects.json ids of the first pass, and what the objects are
        reconstruction/        one COLMAP model per object
        geometry.json          intrinsics and verdicts
Writes  refined/               masks.h5, objects.json, reconstruction/ and geometry.json in their place, from here on
"""

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.cameras import BACKGROUND_ID, Intrinsics
from pipeline.cli import run_stage
from pipeline.config import RefineMasksConfig
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.formats.flow_file import read_flow_pairs, straight_flow
from pipeline.formats.frames_folder import read_frames
from pipeline.formats.geometry_file import Geometry, read_geometry, write_geometry
from pipeline.formats.hidden_pixels import hidden_pixels
from pipeline.formats.lens import changes_in_frames, straight_ids, straight_images
from pipeline.formats.masks_file import read_masks, read_objects, write_masks, write_objects
from pipeline.refinement.masks import Correction, corrected
from pipeline.refinement.new_models import new_models
from pipeline.refinement.new_objects import NewObject
from pipeline.refinement.registered_again import Registered, registered_again
from pipeline.refinement.still_world import KnownCamera
from pipeline.runtime.atomic import whole
from pipeline.runtime.guarded_file import copy_folder
from pipeline.runtime.threads import one_thread_each
from pipeline.segmentation.mask_warnings import NOTHING_FOUND
from pipeline.sfm.colmap import read_tracked_model, write_model
from pipeline.sfm.guided_matching import object_images
from pipeline.sfm.motion_prior import World
from pipeline.sfm.rigid_model import Observations, RigidModel
from pipeline.sfm.verdicts import only_focal_length_doubted

log = logging.getLogger(__name__)
FEWEST_FRAMES = 3
NEAREST_PERCENT = 1.0
LEAST_TOLD = 1e-4  # share of the pixels


@dataclass(frozen=True)
class SecondPass:
    """What changes: masks, and the models of objects that were found in more frames."""

    object_ids: UInt8[np.ndarray, "frame height width"]
    regained: dict[int, list[int]] = field(default_factory=dict)
    registered: dict[int, Registered] = field(default_factory=dict)
    newly_ignored: float = 0.0
    new: dict[int, NewObject] = field(default_factory=dict)


def refine_masks(
    frames: Path,
    info: Path | None,
    flow: Path,
    masks: Path,
    objects: Path,
    reconstruction: Path,
    geometry: Path,
    refined_masks: Path,
    refined_objects: Path,
    refined_reconstruction: Path,
    refined_geometry: Path,
    config: RefineMasksConfig,
) -> None:
    object_ids, listed, judged = read_masks(masks), read_objects(objects), read_geometry(geometry)
    reason = why_unchanged(listed, judged, len(object_ids), config)
    if reason:
        log.info("masks stay as they are: %s", reason)
        found = SecondPass(object_ids)
    else:
        hidden = hidden_pixels(frames, info, (object_ids.shape[0], object_ids.shape[1], object_ids.shape[2]))
        found = second_pass(read_frames(frames), flow, object_ids, hidden, reconstruction, judged, config)
        tell(found, judged)

    write_masks(refined_masks, found.object_ids, {"backend": listed["backend"]})
    rows = rows_after(listed["objects"], found)
    write_objects(refined_objects, listed["backend"], rows, warnings_after(listed["warnings"], found))
    write_reconstruction(refined_reconstruction, reconstruction, found.registered)
    write_geometry(refined_geometry, geometry_after(judged, found.registered))


def why_unchanged(listed: dict[str, Any], judged: Geometry, frame_count: int, config: RefineMasksConfig) -> str | None:
    """What keeps a second pass from being made, in words; None where nothing does."""
    background = judged.objects[0]
    known = background.verdict == "ok" or only_focal_length_doubted(background.reason, background.numbers)
    checks = (
        (not config.enabled, "refine_masks.enabled is false"),
        (is_given(listed), f"a person gave them ({listed['backend']})"),
        (frame_count < FEWEST_FRAMES, f"there are only {frame_count} frames"),
        (judged.camera != "moving", f"the camera is {judged.camera}: the background has no depth"),
        (not known, f"the background is not known well enough ({background.reason})"),
    )
    return next((words for so, words in checks if so), None)


def is_given(listed: dict[str, Any]) -> bool:
    """Whether masks follow what a person drew or clicked."""
    finders = {word.strip() for part in listed["backend"].split(" followed by ")[:1] for word in part.split(",")}
    return bool(finders & {"prompts", "masks"}) or any("source_id" in row for row in listed["objects"])


def second_pass(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    flow: Path,
    object_ids: UInt8[np.ndarray, "frame height width"],
    hidden: Bool[np.ndarray, "frame height width"],
    reconstruction: Path,
    judged: Geometry,
    config: RefineMasksConfig,
) -> SecondPass:
    """Everything in the view in which the background is straight; ids are brought back to the frames."""
    view = judged.view
    pictures, ids = straight_images(view, images), straight_ids(view, object_ids)
    pairs = [straight_flow(view, pair) for pair in read_flow_pairs(flow)]
    models = {e.id: read_tracked_model(reconstruction / str(e.id), len(images)) for e in judged.objects}
    background = models[BACKGROUND_ID][0]
    known = known_camera(background, Intrinsics.from_values(np.array(judged.intrinsics), *ids.shape[1:]))
    nobody = straight_ids(view, hidden.astype(np.uint8)) > 0
    limits = config.min_area, config.boundary_reach, max(models) + 1, config.max_new_objects
    found = corrected(ids, pictures, nobody, FlowChain.of_pairs(pairs), known, *limits)
    world = World.of_background(background)
    registered = registered_objects(found, pictures, models, judged, world, config)
    if found.new:
        shown = object_images(lambda t: pictures[t], found.object_ids, config.mask_margin_px, config.patch_radius_px)
        focal_std = (judged.focal_std_px or 0.0) / known.camera.fx
        registered |= new_models(
            found.new, found.object_ids, pictures, pairs, known.camera, shown, world, focal_std, config
        )
    refined = changes_in_frames(view, ids, found.object_ids, object_ids)
    return SecondPass(refined, found.regained, registered, found.newly_ignored, found.new)


def known_camera(background: RigidModel, camera: Intrinsics) -> KnownCamera:
    """The camera as the background has it; the nearest depth without the few that are off."""
    world = World.of_background(background)
    points = background.points[background.has_point]
    poses = background.camera_from_object[background.registered]
    depth = np.concatenate([points @ pose[2, :3] + pose[2, 3] for pose in poses])
    return KnownCamera(camera, world.world_from_camera, float(np.percentile(depth[depth > 0], NEAREST_PERCENT)))


def registered_objects(
    found: Correction,
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    models: dict[int, tuple[RigidModel, Observations]],
    judged: Geometry,
    world: World,
    config: RefineMasksConfig,
) -> dict[int, Registered]:
    """Objects that got pixels back, by id, with poses in the frames in which they are found."""
    shown = object_images(lambda t: images[t], found.object_ids, config.mask_margin_px, config.patch_radius_px)
    entries = {entry.id: entry for entry in judged.objects if entry.id in found.regained}

    def again(k: int) -> Registered | None:
        frames = np.isin(np.arange(len(images)), found.regained[k])
        return registered_again(entries[k], *models[k], frames, shown(k), world)

    with one_thread_each() as threads, ThreadPoolExecutor(threads) as pool:
        results = dict(zip(entries, pool.map(again, entries), strict=True))
    return {k: result for k, result in results.items() if result is not None}


def tell(found: SecondPass, judged: Geometry) -> None:
    """What changed, in a line each; what is ignored is a doubt that a person must know of."""
    names = {entry.id: entry.name for entry in judged.objects}
    for k, frames in found.regained.items():
        poses = len(found.registered[k].frames) if k in found.registered else 0
        log.info("%s: pixels given back in %d frames, poses in %d more", names[k], len(frames), poses)
    for warning in new_warnings(found):
        log.warning("%s", warning)
    if found.newly_ignored > LEAST_TOLD:
        log.warning(
            "%.2g %% of the pixels stand in front of the background in no object, and are ignored. "
            "What of it is an object can be clicked (python -m pipeline.pick_prompts)",
            100 * found.newly_ignored,
        )


def rows_after(rows: list[dict[str, Any]], found: SecondPass) -> list[dict[str, Any]]:
    """The rows of objects.json, with what the second pass did beside the evidence of the first."""
    result = []
    for row in rows:
        frames = found.regained.get(row["id"], [])
        poses = found.registered[row["id"]].frames if row["id"] in found.registered else []
        more = {"frames_regained": len(frames), "poses_regained": len(poses)} if frames else {}
        result.append({**row, "evidence": {**(row.get("evidence") or {}), **more}} if more else row)
    return result + [new_row(k, thing, len(found.object_ids)) for k, thing in found.new.items()]


def new_row(k: int, thing: NewObject, frame_count: int) -> dict[str, Any]:
    """The row of objects.json of an object that the second pass found."""
    evidence = {
        "frames": len(thing.frames),
        "area_percent": round(thing.area_percent, 3),
        "residual": round(thing.residual, 3),
        "steadiness": round(thing.steadiness, 3),
        "found_in_second_pass": 1,
    }
    return {"id": k, "name": f"object {k}", "evidence": evidence, "confidence": thing.confidence(frame_count)}


def new_warnings(found: SecondPass) -> list[str]:
    """One for each object that only the second pass found: its mask comes from what it hides, and nobody has seen it yet."""
    return [
        f"object {k} was found in the second pass of masks only, in {len(thing.frames)} frames, {thing.frames[0]} to "
        f"{thing.frames[-1]}: it stands in front of the background and moves; look at its mask, and click it where it is "
        "wrong (python -m pipeline.pick_prompts)"
        for k, thing in found.new.items()
    ]


def warnings_after(warnings: list[str], found: SecondPass) -> list[str]:
    """Those of the first pass as far as they still hold, and those of new objects."""
    kept = [warning for warning in warnings if not (found.new and warning == NOTHING_FOUND)]
    return kept + new_warnings(found)


def write_reconstruction(folder: Path, first: Path, registered: dict[int, Registered]) -> None:
    """The models of the first pass, those that have more poses now in their place, and those of new objects."""
    with whole(folder) as partial:
        copy_folder(first, partial)
        for k, result in registered.items():
            shutil.rmtree(partial / str(k), ignore_errors=True)
            write_model(partial / str(k), result.model, result.seen)


def geometry_after(judged: Geometry, registered: dict[int, Registered]) -> Geometry:
    """geometry.json with the entries of objects that have more poses now, and of new ones."""
    before = {entry.id: entry for entry in judged.objects}
    entries = before | {k: result.entry for k, result in registered.items()}
    return judged.model_copy(update={"objects": list(entries.values())})


if __name__ == "__main__":
    run_stage(refine_masks)
