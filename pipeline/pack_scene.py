"""All that training reads, in one file: images, ids, flow, poses, depths, boxes, bounds, in the units of the background.

Objects whose geometry failed are left out: their pixels are marked "ignore". Where geometry.json tells a lens of the frames,
images, ids and flow are those of the pinhole view in which it is undone.

Reads   frames/, frames.json   images and times
        flow.h5                flow between neighbouring frames with its validity
        masks.h5, objects.json ids, and what the objects are
        reconstruction/        one COLMAP model per object
        geometry.json          intrinsics and verdicts
Writes  scene.h5
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from scipy.spatial.transform import Rotation, Slerp

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID, Intrinsics, inverse
from pipeline.cli import run_stage
from pipeline.config import PackSceneConfig
from pipeline.formats.flow_file import FlowPair, read_flow_pairs, straight_flow
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import read_frames, read_frames_info
from pipeline.formats.geometry_file import CarriedPose, Geometry, ObjectGeometry, read_geometry
from pipeline.formats.lens import straight_ids, straight_images
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.formats.scene_file import Scene, write_scene
from pipeline.runtime.errors import StageError
from pipeline.scene.units import (
    DepthSamples,
    background_bounds,
    depth_inliers,
    object_units,
    observation_weights,
    oriented_box,
    seen_surface,
)
from pipeline.sfm.colmap import read_tracked_model
from pipeline.sfm.rigid_model import Observations, RigidModel, in_camera, reprojection_errors_px, usable

log = logging.getLogger(__name__)
FEWEST_SAMPLES = 8


@dataclass(frozen=True)
class PackedObject:
    """An object in its box's frame and in its own units, in which its scale is 1."""

    object_from_camera: Float[np.ndarray, "frame 4 4"]
    visible: Bool[np.ndarray, "frame"]
    half_extent: Float[np.ndarray, "xyz=3"]
    scale_range: Float[np.ndarray, "bound=2"]
    samples: DepthSamples


def pack_scene(
    frames: Path,
    info: Path,
    flow: Path,
    masks: Path,
    objects: Path,
    reconstruction: Path,
    geometry: Path,
    scene: Path,
    config: PackSceneConfig,
) -> None:
    """Bring everything together."""
    judged, images, object_ids = read_geometry(geometry), read_frames(frames), read_masks(masks)
    check_shapes(masks, object_ids.shape, frames, images.shape[:3])
    images, object_ids = straight_images(judged.view, images), straight_ids(judged.view, object_ids)
    facts = read_frames_info(info)
    times_s = frame_times(facts, len(images))
    names = {entry["id"]: entry["name"] for entry in read_objects(objects)["objects"]}
    pairs = [straight_flow(judged.view, pair) for pair in read_flow_pairs(flow)]
    entries = usable_objects(judged)
    models = {entry.id: read_tracked_model(reconstruction / str(entry.id), len(images)) for entry in entries}

    samples = {k: depth_samples(*model) for k, model in models.items()}
    entries = [entry for entry in entries if entry.id == BACKGROUND_ID or enough(samples[entry.id], entry)]
    camera = Intrinsics.from_values(np.array(judged.intrinsics), *images.shape[1:3])
    near, far, packed = pack_objects(entries, models, samples, object_ids, camera, config)
    made = Scene(
        images=images,
        object_ids=renumbered(object_ids, [entry.id for entry in entries]),
        times_s=times_s,
        **stacked_flow(pairs, images.shape[1:3]),
        intrinsics=camera.values,
        **stacked_objects(packed),
        depth_range=np.array([near, far], np.float32),
        objects=[described(entry, names) for entry in entries],
        source=replace(KeptFrames.of_info(facts), frame_lens=judged.lens),
    )

    write_scene(scene, made, scene_attributes(entries, judged))
    log.info("%d objects in %d frames, depth %.3g to %.3g", len(entries), len(images), near, far)


def check_shapes(masks: Path, masks_shape: tuple[int, ...], frames: Path, frames_shape: tuple[int, ...]) -> None:
    """Refuse masks of other frames."""
    if frames_shape != masks_shape:
        raise StageError(f"{masks} has shape {masks_shape}, {frames} has {frames_shape}; run them again")


def scene_attributes(entries: list[ObjectGeometry], judged: Geometry) -> dict[str, str]:
    """What scene.h5 says of where it came from: the ids of masks.h5, what the camera does, and who knew its focal length."""
    ids = json.dumps([entry.id for entry in entries])
    return {"object_ids": ids, "camera": judged.camera, "intrinsics_source": judged.intrinsics_source}


def usable_objects(judged: Geometry) -> list[ObjectGeometry]:
    """The objects to use, background first."""
    entries = sorted(judged.objects, key=lambda entry: entry.id)
    if not entries or entries[0].id != BACKGROUND_ID:
        raise StageError("geometry.json has no background; run reconstruct_objects again")
    for entry in entries[1:]:
        if entry.verdict == "failed":
            log.warning("%s is left out, its pixels are ignored", entry.name)
    return [entry for entry in entries if entry.id == BACKGROUND_ID or entry.verdict != "failed"]


def enough(samples: DepthSamples, entry: ObjectGeometry) -> bool:
    """Whether an object has depths to place it by."""
    if len(samples.depth) < FEWEST_SAMPLES:
        log.warning("object %d is left out: only %d of its depths are usable", entry.id, len(samples.depth))
    return len(samples.depth) >= FEWEST_SAMPLES


def frame_times(info: dict[str, Any], frame_count: int) -> Float[np.ndarray, "frame"]:
    """Seconds since the first frame."""
    times = np.array([float(frame["time_s"]) for frame in info["frames"]])
    if len(times) != frame_count:
        raise StageError(
            f"frames.json lists {len(times)} frames, the folder has {frame_count}; run extract_frames again"
        )
    return times - times[0]


def depth_samples(model: RigidModel, seen: Observations) -> DepthSamples:
    """Depth of every observation that lies before its camera, without each frame's outliers."""
    kept = seen.kept(usable(model, seen))
    samples = DepthSamples(
        kept.frame, kept.xy, in_camera(model, kept)[:, 2], observation_weights(reprojection_errors_px(model, kept))
    )
    finite = np.isfinite(samples.weight)
    samples = samples.kept(finite)
    return samples.kept(depth_inliers(samples, 5.0, 95.0))


def pack_objects(
    entries: list[ObjectGeometry],
    models: dict[int, tuple[RigidModel, Observations]],
    samples: dict[int, DepthSamples],
    object_ids: UInt8[np.ndarray, "frame height width"],
    camera: Intrinsics,
    config: PackSceneConfig,
) -> tuple[float, float, list[PackedObject]]:
    """Near, far, and all objects in the background's units."""
    depth = samples[BACKGROUND_ID].depth
    if not len(depth):
        raise StageError("the background has no depth; run reconstruct_objects again")
    near, far, unit = background_bounds(depth, config.near)
    packed = []
    for entry in entries:
        own, bounds = samples[entry.id], np.ones(2)
        if entry.id != BACKGROUND_ID:
            unit, *limits = object_units(own.depth, near, far)
            bounds = np.array(limits)
        pose, registered = filled_poses(models[entry.id][0].camera_from_object, entry.carried)
        visible = bridged(registered, config.max_gap)
        pose[:, :3, 3] *= unit
        own = own.scaled(unit)
        box = oriented_box(seen_surface(own, pose, object_ids == entry.id, camera))
        packed.append(PackedObject(box.box_from_object @ pose, visible, box.half_extent, bounds, own))
    return near, far, packed


def filled_poses(
    camera_from_object: Float[np.ndarray, "frame 4 4"], carried: Sequence[CarriedPose] = ()
) -> tuple[Float[np.ndarray, "frame 4 4"], Bool[np.ndarray, "frame"]]:
    """object_from_camera of every frame, and whether it was registered; others are carried, or lie between their neighbours."""
    visible = np.isfinite(camera_from_object[:, 0, 0])
    known, frames = np.flatnonzero(visible), np.arange(len(visible))
    pose = inverse(np.where(visible[:, None, None], camera_from_object, np.eye(4)))
    if len(known) > 1 and not visible.all():
        turn = Slerp(known, Rotation.from_matrix(pose[known, :3, :3]))
        pose[:, :3, :3] = turn(np.clip(frames, known[0], known[-1])).as_matrix()
        pose[:, :3, 3] = np.stack([np.interp(frames, known, pose[known, axis, 3]) for axis in range(3)], axis=1)
    elif len(known) == 1:
        pose[:] = pose[known[0]]
    for item in carried:
        pose[item.frame] = inverse(np.concatenate([np.array(item.camera_from_object), [[0, 0, 0, 1.0]]]))
    return pose, visible


def bridged(registered: Bool[np.ndarray, "frame"], longest_gap: int) -> Bool[np.ndarray, "frame"]:
    """Registered frames, and those in gaps between them that are short enough for interpolated poses."""
    known = np.flatnonzero(registered)
    visible = registered.copy()
    for before, after in pairwise(known):
        if after - before - 1 <= longest_gap:
            visible[before:after] = True
    return visible


def renumbered(
    object_ids: UInt8[np.ndarray, "frame height width"], kept: list[int]
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids as indices of the kept objects; pixels of all others are to be ignored."""
    table = np.full(256, IGNORE_ID, np.uint8)
    table[kept] = np.arange(len(kept))
    return table[object_ids]


def stacked_flow(pairs: list[FlowPair], size: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The flow of all pairs by field of the scene."""
    empty = {"flow_forward": (*size, 2), "flow_backward": (*size, 2)}
    fields = {
        "flow_forward": [pair.forward for pair in pairs],
        "flow_backward": [pair.backward for pair in pairs],
        "flow_forward_valid": [pair.forward_valid for pair in pairs],
        "flow_backward_valid": [pair.backward_valid for pair in pairs],
    }
    return {
        name: np.stack(parts)
        if parts
        else np.zeros((0, *empty.get(name, size)), bool if "valid" in name else np.float32)
        for name, parts in fields.items()
    }


def stacked_objects(packed: list[PackedObject]) -> dict[str, np.ndarray]:
    """The objects' arrays by field of the scene."""
    counts = [len(item.samples.frame) for item in packed]
    return {
        "object_from_camera": np.stack([item.object_from_camera for item in packed]).astype(np.float32),
        "visible": np.stack([item.visible for item in packed]),
        "box_half_extent": np.stack([item.half_extent for item in packed]).astype(np.float32),
        "scale_range": np.stack([item.scale_range for item in packed]).astype(np.float32),
        "observation_object": np.repeat(np.arange(len(packed), dtype=np.uint8), counts),
        "observation_frame": np.concatenate([item.samples.frame for item in packed]).astype(np.int32),
        "observation_xy": np.concatenate([item.samples.xy for item in packed]).astype(np.float32),
        "observation_depth": np.concatenate([item.samples.depth for item in packed]).astype(np.float32),
        "observation_weight": np.concatenate([item.samples.weight for item in packed]).astype(np.float32),
    }


def described(entry: ObjectGeometry, names: dict[int, str]) -> dict[str, Any]:
    """What the scene file says of an object."""
    return {
        "id": entry.id,
        "name": names.get(entry.id, entry.name),
        "verdict": entry.verdict,
        "reason": entry.reason,
        "method": entry.method,
        "depth_std_percent": entry.numbers.get("depth_std_percent"),
    }


if __name__ == "__main__":
    run_stage(pack_scene)
