"""Structure from motion of every object on its own, background first, with a verdict on each.

An object's reconstruction sees the camera orbit the object. The background calibrates the focal length unless it is given.

Reads   frames/, frames.json   size of the frames, focal length where the metadata has it
        tracks.h5              observations of points
        masks.h5, objects.json ids, and what the objects are
        poses                  (optional) the camera's poses before the background: a COLMAP model, a transforms.json,
                               or OSN's own files
Writes  reconstruction/        one folder per object: COLMAP model
        geometry.json          intrinsics, what the camera does, verdicts
"""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.atomic import whole
from pipeline.background import Reconstructed, imported_background, reconstruct_background
from pipeline.cameras import BACKGROUND_ID, Intrinsics
from pipeline.cli import run_stage
from pipeline.colmap import write_model
from pipeline.config import ReconstructObjectsConfig
from pipeline.frames_folder import read_frames_info
from pipeline.geometry_file import Geometry, Motion, ObjectGeometry, write_geometry
from pipeline.imported_poses import ImportedPoses, read_poses
from pipeline.masks_file import read_masks, read_objects
from pipeline.model_search import Search
from pipeline.object_model import reconstruct_object
from pipeline.progress import progress
from pipeline.rigid_model import object_observations
from pipeline.tracks_file import read_tracks
from pipeline.verdicts import frame_points, frame_residuals_px

log = logging.getLogger(__name__)
Source = Literal["given", "metadata", "self_calibrated", "default"]


def reconstruct_objects(
    frames: Path,
    info: Path,
    tracks: Path,
    masks: Path,
    objects: Path,
    poses: Path | None,
    reconstruction: Path,
    geometry: Path,
    config: ReconstructObjectsConfig,
) -> None:
    """Reconstruct the background, then each object with the background's intrinsics."""
    object_ids, found, points = read_masks(masks), read_objects(objects)["objects"], read_tracks(tracks)
    facts = read_frames_info(info)
    imported = read_poses(poses, facts) if poses is not None else None
    camera, source = first_camera(facts, config, imported)
    search = Search(
        camera, source in ("given", "metadata"), config.seed, config.mapping_tracks, config.adjustment_tracks
    )
    still = object_observations(points, BACKGROUND_ID, len(object_ids))
    if imported is not None:
        background, motion = imported_background(still, imported.camera_from_world, search)
    else:
        background, motion = reconstruct_background(still, search)
    if source == "default" and background.focal_std_px is not None:
        source = "self_calibrated"
    results = {BACKGROUND_ID: background}
    search = Search(background.model.camera, True, config.seed, config.mapping_tracks, config.adjustment_tracks)
    moving = [entry["id"] for entry in found if entry["id"] != BACKGROUND_ID]
    for k in progress(moving, "reconstructing object"):
        results[k] = reconstruct_object(object_observations(points, k, len(object_ids)), object_ids == k, search)
    write_reconstruction(reconstruction, results)
    judged = summary(results, {entry["id"]: entry["name"] for entry in found}, source, motion)
    write_geometry(geometry, judged)
    report_doubts(judged)


def first_camera(
    info: dict[str, Any], config: ReconstructObjectsConfig, imported: ImportedPoses | None
) -> tuple[Intrinsics, Source]:
    """The camera as given, else with the poses, else from metadata, else a common one for self-calibration to start from."""
    height, width = int(info["height"]), int(info["width"])
    stored = info.get("source") or {}
    if config.intrinsics is not None:
        original = (int(stored.get("height", height)), int(stored.get("width", width)))
        return Intrinsics.from_values(np.array(config.intrinsics), *original).resized(height, width), "given"
    if imported is not None and imported.camera is not None:
        return imported.camera, "given"
    if info.get("focal_px"):
        return Intrinsics.centred(float(info["focal_px"]), height, width), "metadata"
    return Intrinsics.centred(config.default_focal * max(height, width), height, width), "default"


def write_reconstruction(folder: Path, results: dict[int, Reconstructed]) -> None:
    """One COLMAP model per object that has one."""
    with whole(folder) as partial:
        partial.mkdir()
        for k, result in results.items():
            write_model(partial / str(k), result.model, result.seen)


def summary(results: dict[int, Reconstructed], names: dict[int, str], source: Source, motion: Motion) -> Geometry:
    """The contents of geometry.json."""
    background = results[BACKGROUND_ID]
    return Geometry(
        intrinsics=tuple(background.model.camera.values),
        intrinsics_source=source,
        focal_std_px=background.focal_std_px,
        camera=motion,
        objects=[
            ObjectGeometry(
                id=k,
                name=names.get(k, "background" if k == BACKGROUND_ID else f"object {k}"),
                verdict=result.judgement.verdict,
                reason=result.judgement.reason,
                method=result.model.method,
                numbers=dict(result.judgement.numbers),
                residual_px=frame_residuals_px(result.model, result.seen),
                points=frame_points(result.model, result.seen),
            )
            for k, result in sorted(results.items())
        ],
    )


def report_doubts(geometry: Geometry) -> None:
    """A warning for each object that is not ok."""
    for entry in geometry.objects:
        if entry.verdict != "ok":
            log.warning("%s", entry.doubt)
        else:
            log.info("geometry of %s is ok (%s)", entry.name, entry.method)


if __name__ == "__main__":
    run_stage(reconstruct_objects)
