"""Structure from motion of every object on its own, background first, with a verdict on each.

An object's reconstruction sees the camera orbit the object. The background calibrates the focal length unless it is given, and
a radial term of the lens: where the tracks show one, all geometry is that of the pinhole view in which it is undone.

Reads   frames/, frames.json   images, their size, focal length where the metadata has it
        tracks.h5              observations of points
        masks.h5, objects.json ids, and what the objects are
        poses                  (optional) the camera's poses before the background: a COLMAP model, a transforms.json,
                               or OSN's own files
Writes  reconstruction/        one folder per object: COLMAP model
        geometry.json          intrinsics, what the camera does, verdicts
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from pipeline.cameras import BACKGROUND_ID, Intrinsics
from pipeline.cli import run_stage
from pipeline.config import ReconstructObjectsConfig
from pipeline.formats.frames_folder import frame_paths, read_frame, read_frames_info
from pipeline.formats.geometry_file import (
    FocalLikelihood,
    Geometry,
    MeasuredRadial,
    write_geometry,
)
from pipeline.formats.lens import Lens, Undistortion, straight_ids
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.formats.source_view import SourceShape
from pipeline.formats.tracks_file import Tracks, read_tracks
from pipeline.runtime.atomic import whole
from pipeline.runtime.progress import progress
from pipeline.runtime.threads import one_thread_each
from pipeline.sfm.background import Reconstructed, focal_doubts
from pipeline.sfm.colmap import write_model
from pipeline.sfm.focal_curve import ONE_SIGMA, TWO_SIGMAS, FocalPrior
from pipeline.sfm.given_poses import imported_background
from pipeline.sfm.guided_matching import ObjectImages, object_images
from pipeline.sfm.imported_poses import ImportedPoses, read_poses
from pipeline.sfm.mapping import MappingOptions
from pipeline.sfm.motion_prior import World
from pipeline.sfm.object_reconstruction import geometry_entry, reconstruct_object
from pipeline.sfm.radial_term import straightened, tracks_of, within_image
from pipeline.sfm.rigid_model import Observations, object_observations
from pipeline.sfm.self_calibration import Calibration
from pipeline.sfm.straight_background import StraightBackground, straight_background

log = logging.getLogger(__name__)
CURVE_POINTS = 160
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
    facts, object_ids, names = read_frames_info(info), read_masks(masks), object_names(objects)
    seen = observations_by_object(read_tracks(tracks), {BACKGROUND_ID, *names}, len(object_ids))
    imported = read_poses(poses, facts) if poses is not None else None

    camera, source = first_camera(facts, config, imported)
    options = mapping_options(camera, source in ("given", "metadata"), config)
    if source == "metadata":
        options = replace(options, focal_prior=FocalPrior.of_metadata(camera.fx))
    before = reconstruct_or_check_background(seen[BACKGROUND_ID], imported, options, config.trust_poses)
    options = replace(mapping_options(before.found.model.camera, True, config), focal_std=before.found.focal_std)
    images, seen, object_ids = straight_inputs(frame_paths(frames), seen, object_ids, before.view)
    world = World.of_background(before.found.model)
    shown = object_images(images, object_ids, config.mask_margin_px, config.patch_radius_px)
    looked_for = shown if config.guided_matching_rounds else lambda k: None
    moving = reconstruct_moving(seen, object_ids, options, looked_for, world)
    results = {BACKGROUND_ID: before.found, **with_doubts_of_camera(moving, before.found)}
    judged = summary(results, names, calibrated_source(source, before.found), before, world)

    write_reconstruction(reconstruction, results)
    write_geometry(geometry, judged)
    report_doubts(judged)


def object_names(objects: Path) -> dict[int, str]:
    """The name of every object of objects.json by its id."""
    return {entry["id"]: entry["name"] for entry in read_objects(objects)["objects"]}


def observations_by_object(tracks: Tracks, ids: set[int], frame_count: int) -> dict[int, Observations]:
    """The observations of each object's points."""
    return {k: object_observations(tracks, k, frame_count) for k in sorted(ids)}


def mapping_options(camera: Intrinsics, focal_known: bool, config: ReconstructObjectsConfig) -> MappingOptions:
    """The options of the stage for a camera."""
    limits = (config.seed, config.mapping_tracks, config.adjustment_tracks, config.guided_matching_rounds)
    return MappingOptions(camera, focal_known, *limits)


def reconstruct_or_check_background(
    seen: Observations, imported: ImportedPoses | None, options: MappingOptions, trust_poses: bool
) -> StraightBackground:
    """The background by structure from motion, or under the poses that a person gave, if the tracks agree with them."""
    if imported is not None:
        return StraightBackground(*imported_background(seen, imported.camera_from_world, options, trust_poses))
    return straight_background(seen, options)


def straight_inputs(
    paths: list[Path],
    seen: dict[int, Observations],
    object_ids: UInt8[np.ndarray, "frame height width"],
    view: Undistortion | None,
) -> tuple[Callable[[int], np.ndarray], dict[int, Observations], UInt8[np.ndarray, "frame height width"]]:
    """Images by frame, observations of each object, and masks, in the view in which the background is straight."""
    if view is None:
        return lambda frame: read_frame(paths[frame]), seen, object_ids
    tracks = {k: tracks_of(within_image(straightened(own, view), view.camera)) for k, own in seen.items()}
    return lambda frame: view.apply(read_frame(paths[frame])), tracks, straight_ids(view, object_ids)


def reconstruct_moving(
    seen: dict[int, Observations],
    object_ids: UInt8[np.ndarray, "frame height width"],
    options: MappingOptions,
    images: Callable[[int], ObjectImages | None],
    world: World,
) -> dict[int, Reconstructed]:
    """Every object but the background on its own, as many at once as there are threads."""
    moving = [k for k in seen if k != BACKGROUND_ID]

    def reconstructed(k: int) -> Reconstructed:
        return reconstruct_object(seen[k], object_ids == k, options, images(k), world)

    with one_thread_each() as threads, ThreadPoolExecutor(threads) as pool:
        models = progress(pool.map(reconstructed, moving), "reconstructing object", total=len(moving))
        return dict(zip(moving, models, strict=True))


def with_doubts_of_camera(moving: dict[int, Reconstructed], background: Reconstructed) -> dict[int, Reconstructed]:
    """Objects under a camera that is no pinhole with one focal length and one time: weak, as the background is."""
    if not focal_doubts(background.calibration):
        return moving
    words = "the camera is not the one that its poses are computed with (see the background)"
    return {k: replace(found, judgement=found.judgement.doubted(words)) for k, found in moving.items()}


def first_camera(
    info: dict[str, Any], config: ReconstructObjectsConfig, imported: ImportedPoses | None
) -> tuple[Intrinsics, Source]:
    """The camera as given, else with the poses, else from metadata, else a common one for self-calibration to start from."""
    height, width = int(info["height"]), int(info["width"])
    if info.get("camera"):  # the pinhole that frames were undistorted to
        return Intrinsics.from_values(np.array(info["camera"], float), height, width), "given"
    if config.intrinsics is not None:
        shape = SourceShape.of_info(info)
        stored = Lens.pinhole(Intrinsics.from_values(np.array(config.intrinsics), *shape.stored))
        return shape.lens_of_frames(stored).camera.resized(height, width), "given"
    if imported is not None and imported.camera is not None:
        return imported.camera, "given"
    if info.get("focal_px"):
        return Intrinsics.centred(float(info["focal_px"]), height, width), "metadata"
    return Intrinsics.centred(config.default_focal * max(height, width), height, width), "default"


def calibrated_source(source: Source, background: Reconstructed) -> Source:
    """Where the focal length is from in the end: a common one to start from was calibrated by the background, if it could be."""
    return "self_calibrated" if source == "default" and background.focal_std_px is not None else source


def write_reconstruction(folder: Path, results: dict[int, Reconstructed]) -> None:
    """One COLMAP model per object that has one."""
    with whole(folder) as partial:
        partial.mkdir()
        for k, result in results.items():
            write_model(partial / str(k), result.model, result.seen)


def summary(
    results: dict[int, Reconstructed], names: dict[int, str], source: Source, before: StraightBackground, world: World
) -> Geometry:
    """The contents of geometry.json."""
    background = results[BACKGROUND_ID]
    return Geometry(
        intrinsics=tuple(background.model.camera.values),
        intrinsics_source=source,
        focal_std_px=background.focal_std_px,
        focal_curve=stored_curve(background.calibration) if background.calibration else None,
        radial=measured_radial(before),
        lens=before.view.lens.values if before.view else None,
        camera=before.motion,
        objects=[
            geometry_entry(
                k,
                names.get(k, "background" if k == BACKGROUND_ID else f"object {k}"),
                result,
                world if k != BACKGROUND_ID else None,
            )
            for k, result in sorted(results.items())
        ],
    )


def measured_radial(before: StraightBackground) -> MeasuredRadial | None:
    """The radial term that was measured, undone or not."""
    term = before.term
    if term is None:
        return None
    camera = before.view.lens.camera if before.view else before.found.model.camera
    term = term.at(camera.fx)
    return MeasuredRadial(
        k1=round(term.k1, 6), k1_std=round(min(term.std, 1e6), 6), corner_px=round(term.corner_px(camera), 3)
    )


def stored_curve(calibration: Calibration) -> FocalLikelihood:
    """The curve over focal lengths in as many points as a figure shows."""
    curve = calibration.curve
    shown = np.linspace(0, len(curve.focal_px) - 1, CURVE_POINTS).round().astype(int)
    return FocalLikelihood(
        focal_px=curve.focal_px[shown].round(2).tolist(),
        log_likelihood=curve.likelihood[shown].round(4).tolist(),
        log_posterior=curve.posterior[shown].round(4).tolist(),
        interval_68=curve.interval(ONE_SIGMA),
        interval_95=curve.interval(TWO_SIGMAS),
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
