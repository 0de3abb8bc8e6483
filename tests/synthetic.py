"""A tiny scene with exact truth: two boxes that turn and move before a wall, and every file of the pipeline from it.

`synthetic_truth()` is the scene; `write_synthetic_scene(folder)` writes what each stage would have written had it made
no error, so that any later stage can be tested alone.
"""

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from models.simulation.procedural_texture import Paint, random_lattice
from models.simulation.ray_casting import Box
from pipeline.cameras import inverse, look_at, rigid, transform
from pipeline.config import SimulateSceneConfig
from pipeline.formats.flow_file import FlowPair, write_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.geometry_file import Geometry, ObjectGeometry, write_geometry
from pipeline.formats.masks_file import write_masks, write_objects
from pipeline.formats.scene_file import Scene, write_scene
from pipeline.formats.tracks_file import Tracks, write_tracks
from pipeline.simulate_scene import SimulatedWorld, render_truth
from pipeline.simulation.action import Action, world_parts
from pipeline.simulation.motion import DOWN, axis_rotations
from pipeline.simulation.world import Thing, at, painted_scene, random_lighting, random_palette
from pipeline.truth.correspondences import reproject, surface_points, true_flow, truth_intrinsics
from pipeline.truth.truth_file import Truth, write_truth

FRAMES, HEIGHT, WIDTH = 9, 48, 64
FOCAL = 0.95  # over the width
PIXEL = 4.0 / (FOCAL * WIDTH)  # size of a pixel at the boxes
HALF_EXTENTS = ((0.6, 0.5, 0.45), (0.4, 0.55, 0.5))
NAMES = ("background", "left box", "right box")
TRACK_SPACING = 3
CONFIG = SimulateSceneConfig(frames=FRAMES, height=HEIGHT, width=WIDTH, objects=2, fps=10)


class SyntheticScene(NamedTuple):
    """Paths of everything that was written, named as in results/{scene}."""

    frames: Path
    info: Path
    flow: Path
    masks: Path
    objects: Path
    tracks: Path
    reconstruction: Path
    geometry: Path
    scene: Path
    truth: Path


@cache
def synthetic_truth() -> Truth:
    """The rendered scene; the same object every time, so do not write into its arrays."""
    return render_truth(synthetic_world(), CONFIG)


def synthetic_world() -> SimulatedWorld:
    """A wall with a pillar and a bench before it, and two boxes nearer to the camera."""
    random = np.random.default_rng(7)
    shapes = [Box((4.0, 2.0, 4.0), inside=True), Box((0.3, 1.0, 0.3)), Box((0.8, 0.3, 0.4))]
    places = np.stack([at(0.0, -2.0, -1.5, 0.2), at(-1.9, -1.0, 1.2), at(1.6, -0.3, 1.3, 0.4)])
    objects = [
        Thing(name, [Box(half)], at(0.0, 0.0, 0.0)[None]) for name, half in zip(NAMES[1:], HALF_EXTENTS, strict=True)
    ]
    cameras = synthetic_cameras(np.linspace(-0.3, 0.3, FRAMES), -1.6)
    test_cameras = synthetic_cameras(np.linspace(-0.2, 0.4, FRAMES), -1.25)
    parts = world_parts(Thing("background", shapes, places), objects)
    lattice = random_lattice(torch.Generator().manual_seed(7))
    patterns = ("cells", "camouflage", "bricks", "bricks", "cells")
    paints = [
        [Paint(name, random_palette(random, 0.2 * n), 6 * PIXEL, 2.2 * PIXEL, 0.5, lattice)]
        for n, name in enumerate(patterns)
    ]
    stage = painted_scene(parts, paints, random_lighting(random), PIXEL)
    return SimulatedWorld(stage, Action(objects, synthetic_motion(), cameras, test_cameras), FOCAL * WIDTH)


def synthetic_cameras(azimuths: np.ndarray, y: float) -> np.ndarray:
    """Cameras on an arc that look at the boxes."""
    eyes = np.stack([4.2 * np.sin(azimuths), np.full(len(azimuths), y), -4.2 * np.cos(azimuths)], axis=-1)
    return np.stack([look_at(eye, np.array([0.0, -0.9, 0.0]), DOWN) for eye in eyes])


def synthetic_motion() -> np.ndarray:
    """The left box turns about an upright axis and comes nearer, the right one tips over and rises."""
    u = np.linspace(0, 1, FRAMES)
    left = np.stack([-0.95 + 0.3 * u, np.full(FRAMES, -0.75), 0.3 - 0.5 * u], axis=-1)
    right = np.stack([0.95 - 0.2 * u, -0.8 - 0.3 * u, np.full(FRAMES, 0.1)], axis=-1)
    turn = axis_rotations(np.array([0.0, 0.96, 0.28]), 1.3 * u)
    tip = axis_rotations(np.array([0.8, 0.0, 0.6]), 0.4 + 1.2 * u)
    return np.stack([rigid(turn, left), rigid(tip, right)], axis=1)


def write_synthetic_scene(folder: Path, truth: Truth | None = None) -> SyntheticScene:
    """Write frames, flow, masks, tracks, reconstructions, geometry and scene.h5 as exact as truth has them."""
    names = ("frames", "frames.json", "flow.h5", "masks.h5", "objects.json", "tracks.h5")
    paths = SyntheticScene(
        *(folder / name for name in (*names, "reconstruction", "geometry.json", "scene.h5", "truth.h5"))
    )
    folder.mkdir(parents=True, exist_ok=True)
    if truth is None:
        shutil.copytree(Path(written_once().name), folder, dirs_exist_ok=True)
    else:
        write_all(paths, truth)
    return paths


@cache
def written_once() -> tempfile.TemporaryDirectory[str]:
    """The files of `synthetic_truth()`, to be copied: that is faster than to write them again."""
    folder = tempfile.TemporaryDirectory(prefix="synthetic")
    write_synthetic_scene(Path(folder.name), synthetic_truth())
    return folder


def write_all(paths: SyntheticScene, truth: Truth) -> None:
    """Every file of a scene."""
    write_true_frames(paths, truth)
    write_flow(paths.flow, true_pairs(truth), len(truth.train.images) - 1, truth.size, {"backend": "truth"})
    write_masks(paths.masks, truth.train.object_ids, {"backend": "truth"})
    objects = [{"id": k, "name": name(k), "evidence": {}, "confidence": 1.0} for k in range(truth.object_count)]
    write_objects(paths.objects, "truth", objects, [])
    tracks, points = true_tracks(truth)
    write_tracks(paths.tracks, tracks, {"backend": "truth"})
    for number in range(truth.object_count):
        write_true_model(paths.reconstruction / str(number), truth, tracks, points, number)
    write_geometry(paths.geometry, true_geometry(truth, tracks))
    write_scene(
        paths.scene, true_scene(truth, tracks, points), {"object_ids": json.dumps(list(range(truth.object_count)))}
    )
    write_truth(paths.truth, truth)


def name(number: int) -> str:
    return NAMES[number] if number < len(NAMES) else f"object {number}"


def write_true_frames(paths: SyntheticScene, truth: Truth) -> None:
    """frames/ and frames.json."""
    for number, image in enumerate(truth.train.images):
        write_image(paths.frames / frame_name(number), image)
    frames = [
        {"file": frame_name(n), "time_s": n / CONFIG.fps, "source_index": int(time), "sharpness": 1.0}
        for n, time in enumerate(truth.train.time)
    ]
    height, width = truth.size
    info = {"frames": frames, "height": height, "width": width, "source": {}, "dropped": [], "focal_px": None}
    paths.info.write_text(json.dumps(info))


def true_pairs(truth: Truth):
    """Exact flow with exact visibility."""
    for frame in range(len(truth.train.images) - 1):
        forward, forward_valid = true_flow(truth, frame, frame + 1)
        backward, backward_valid = true_flow(truth, frame + 1, frame)
        yield FlowPair(forward.astype(np.float32), backward.astype(np.float32), forward_valid, backward_valid)


def true_tracks(truth: Truth) -> tuple[Tracks, np.ndarray]:
    """Points of a pixel grid of every third frame, followed while they are seen; and the points in objects' frames."""
    frames, spacing = len(truth.train.images), TRACK_SPACING
    points, ids, starts = [], [], []
    for start in range(0, frames, 3):
        points.append(surface_points(truth, truth.train, start)[::spacing, ::spacing].reshape(-1, 3))
        ids.append(truth.train.object_ids[start, ::spacing, ::spacing].ravel())
        starts.append(np.full(len(ids[-1]), start))
    all_points, all_ids, born = np.concatenate(points), np.concatenate(ids), np.concatenate(starts)
    reprojections = [reproject(truth, all_points, all_ids, frame) for frame in range(frames)]
    seen = np.stack([reprojection.visible for reprojection in reprojections], axis=1)
    unbroken = np.stack(
        [np.logical_and.accumulate(row[b:]).tolist() + [False] * b for row, b in zip(seen, born, strict=True)]
    )
    kept = unbroken.sum(1) >= 3
    lengths = unbroken[kept].sum(1)
    track = np.repeat(np.arange(kept.sum()), lengths)
    frame = np.concatenate([born_at + np.arange(n) for born_at, n in zip(born[kept], lengths, strict=True)])
    xy = np.stack([reprojection.xy for reprojection in reprojections], axis=1)[kept][track, frame]
    tracks = Tracks(
        object_ids=all_ids[kept],
        observation_track=track.astype(np.int32),
        observation_frame=frame.astype(np.int32),
        observation_xy=xy.astype(np.float32),
        observation_covariance=np.tile(np.float32([0.01, 0, 0.01]), (len(track), 1)),
    )
    return tracks, all_points[kept]


def camera_from_object(truth: Truth, number: int) -> np.ndarray:
    """(frame, 4, 4) for one object."""
    camera_from_world = inverse(truth.train.world_from_camera)
    return camera_from_world if number == 0 else camera_from_world @ truth.train.world_from_object[:, number - 1]


def write_true_model(folder: Path, truth: Truth, tracks: Tracks, points: np.ndarray, number: int) -> None:
    """A COLMAP model of one object, in the object's frame, with every frame registered; none where COLMAP is absent."""
    try:
        import pycolmap
    except ImportError:  # a machine that only trains; no method reads reconstruction/
        return
    folder.mkdir(parents=True, exist_ok=True)
    height, width = truth.size
    model = pycolmap.Reconstruction()
    parameters = [truth.focal_px, truth.focal_px, width / 2, height / 2]
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(camera_id=1, model="PINHOLE", width=width, height=height, params=parameters)
    )
    chosen = np.flatnonzero(tracks.object_ids[tracks.observation_track] == number)
    elements: dict[int, list[pycolmap.TrackElement]] = {}
    for frame, pose in enumerate(camera_from_object(truth, number)):
        here = chosen[tracks.observation_frame[chosen] == frame]
        image = pycolmap.Image(
            image_id=frame + 1,
            camera_id=1,
            name=frame_name(frame),
            points2D=pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in tracks.observation_xy[here].astype(float)]),
        )
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
        for place, track in enumerate(tracks.observation_track[here]):
            elements.setdefault(int(track), []).append(pycolmap.TrackElement(frame + 1, place))
    for track, seen in sorted(elements.items()):
        model.add_point3D(points[track], pycolmap.Track(elements=seen), np.array([128, 128, 128], np.uint8))
    model.update_point_3d_errors()
    model.write_binary(folder)


def true_geometry(truth: Truth, tracks: Tracks) -> Geometry:
    """Every object is `ok`."""
    objects = [
        ObjectGeometry(
            id=k,
            name=name(k),
            verdict="ok",
            reason="made from truth",
            method="imported",
            numbers={"registered_frames": len(truth.train.images), "tracks": int((tracks.object_ids == k).sum())},
        )
        for k in range(truth.object_count)
    ]
    values = tuple(truth_intrinsics(truth).values.tolist())
    return Geometry(intrinsics=values, intrinsics_source="given", focal_std_px=0.0, camera="moving", objects=objects)


def box_frames(truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Each object's box: (object, 4, 4) box_from_object, and (object, 3) half extents around all that is seen of it."""
    lows, highs = [], []
    for number in range(truth.object_count):
        seen = [
            surface_points(truth, truth.train, frame)[truth.train.object_ids[frame] == number]
            for frame in range(len(truth.train.images))
        ]
        cloud = np.concatenate(seen)
        lows.append(cloud.min(0))
        highs.append(cloud.max(0))
    centres, halves = (np.array(lows) + highs) / 2, (np.array(highs) - lows) / 2
    identity = np.broadcast_to(np.eye(3), (truth.object_count, 3, 3))
    return rigid(identity, -centres), 1.05 * halves


def true_scene(truth: Truth, tracks: Tracks, points: np.ndarray) -> Scene:
    """The scene as pack_scene would make it, all objects at their true scale of 1."""
    box_from_object, half_extent = box_frames(truth)
    frames = len(truth.train.images)
    cameras = np.stack([camera_from_object(truth, number) for number in range(truth.object_count)])
    pairs = list(true_pairs(truth))
    owner = tracks.object_ids[tracks.observation_track]
    in_camera = transform(cameras[owner, tracks.observation_frame], points[tracks.observation_track])
    near, far = 0.5 * truth.train.depth.min(), 1.2 * truth.train.depth.max()
    scale_range = np.array([[1, 1]] + [[0.3, 2.0]] * (truth.object_count - 1))
    objects = [
        {"id": k, "name": name(k), "verdict": "ok", "reason": "made from truth", "depth_std_percent": 0.0}
        for k in range(truth.object_count)
    ]
    return Scene(
        images=truth.train.images,
        object_ids=truth.train.object_ids,
        times_s=np.arange(frames) / CONFIG.fps,
        flow_forward=np.stack([pair.forward for pair in pairs]),
        flow_backward=np.stack([pair.backward for pair in pairs]),
        flow_forward_valid=np.stack([pair.forward_valid for pair in pairs]),
        flow_backward_valid=np.stack([pair.backward_valid for pair in pairs]),
        intrinsics=truth_intrinsics(truth).values,
        object_from_camera=(box_from_object[:, None] @ inverse(cameras)).astype(np.float32),
        visible=np.ones((truth.object_count, frames), bool),
        box_half_extent=half_extent.astype(np.float32),
        scale_range=scale_range.astype(np.float32),
        depth_range=np.array([near, far], np.float32),
        observation_object=owner,
        observation_frame=tracks.observation_frame,
        observation_xy=tracks.observation_xy,
        observation_depth=in_camera[:, 2].astype(np.float32),
        observation_weight=np.full(len(owner), 2.0, np.float32),
        objects=objects,
    )


def unit_of_scene(scene: Scene, truth: Truth) -> float:
    """World units of the scene in one of truth's."""
    chosen = scene.observation_object == 0
    column, row = scene.observation_xy[chosen].astype(int).T
    return float(
        np.median(scene.observation_depth[chosen] / truth.train.depth[scene.observation_frame[chosen], row, column])
    )
