"""Models of objects that the second pass found: their points are followed, and each is reconstructed as any object is."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import UInt8

from pipeline.cameras import IGNORE_ID, Intrinsics
from pipeline.config import ReconstructObjectsConfig, RefineMasksConfig, TrackPointsConfig
from pipeline.correspondence.lucas_kanade import smooth_image
from pipeline.correspondence.point_tracks import collect, follow
from pipeline.formats.flow_file import FlowPair
from pipeline.formats.tracks_file import Tracks
from pipeline.refinement.registered_again import Registered
from pipeline.runtime.threads import one_thread_each
from pipeline.sfm.guided_matching import ObjectImages
from pipeline.sfm.mapping import MappingOptions
from pipeline.sfm.motion_prior import World
from pipeline.sfm.object_reconstruction import geometry_entry, reconstruct_object
from pipeline.sfm.rigid_model import object_observations


def new_models(
    new: Iterable[int],
    ids: UInt8[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    pairs: Iterable[FlowPair],
    camera: Intrinsics,
    shown: Callable[[int], ObjectImages],
    world: World,
    focal_std: float,
    config: RefineMasksConfig,
) -> dict[int, Registered]:
    """By id, with the frames that it has poses in; points are followed and fitted as the stages before do by default.

    `focal_std` is how uncertain the focal length is, as a share of it.
    """
    tracks = tracks_of(set(new), ids, images, pairs, config)
    usual = ReconstructObjectsConfig()
    limits = usual.mapping_tracks, usual.adjustment_tracks, usual.guided_matching_rounds
    options = MappingOptions(camera, True, usual.seed, *limits, focal_std=focal_std)
    found = {}
    for k in new:
        seen = object_observations(tracks, k, len(ids))
        result = reconstruct_object(seen, ids == k, options, shown(k), world)
        entry = geometry_entry(k, f"object {k}", result, world)
        found[k] = Registered(result.model, result.seen, entry, np.flatnonzero(result.model.registered).tolist())
    return found


def tracks_of(
    new: set[int],
    ids: UInt8[np.ndarray, "frame height width"],
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    pairs: Iterable[FlowPair],
    config: RefineMasksConfig,
) -> Tracks:
    """The points of these objects only."""
    own = np.where(np.isin(ids, list(new)), ids, IGNORE_ID).astype(np.uint8)
    settings = TrackPointsConfig(patch_radius_px=config.patch_radius_px, mask_margin_px=config.mask_margin_px)
    with one_thread_each() as threads, ThreadPoolExecutor(threads) as pool:
        followed = follow((smooth_image(image) for image in images), own, iter(pairs), settings, pool)
        return collect(followed, settings.min_length)
