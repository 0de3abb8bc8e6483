"""Render a camera path that was laid in view_scene, by the trained fields: the film that a person asked for.

Reads   checkpoint.pt, scene.h5, a path as JSON (pipeline/formats/camera_path_file.py)
Writes  a folder as render_views writes it, with one set: PNG images and object ids, depth, mp4

Not in the graph: view_scene says the command for each path that it saves.
"""

import logging
from pathlib import Path

import numpy as np

from pipeline.cameras import Intrinsics
from pipeline.cli import run_stage
from pipeline.formats.camera_path_file import CameraPath, read_camera_path
from pipeline.formats.renders_folder import Renders, planned_set, write_renders
from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene
from pipeline.geometry.camera_paths import path_through
from pipeline.rendering.trained_method import TrainedMethod, load_method
from pipeline.rendering.view_pictures import write_views
from pipeline.rendering.view_plans import Plan
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError

log = logging.getLogger("pipeline.render_path")
RAYS_AT_ONCE = 16384


def render_path(checkpoint: Path, scene: Path, path: Path, renders: Path) -> None:
    wanted, packed = read_camera_path(path), read_scene(scene, without=FLOW_FIELDS)
    check_scene(wanted, packed, path)
    method = load_method(checkpoint, packed, stage_device())
    plan = plan_path(wanted, method, path.stem)
    shown = method.edited(wanted.edits, np.array(wanted.scales)) if wanted.edits else method
    listed = Renders(
        method=checkpoint.parent.name, valid_scales=len(method.scales), object_ids=method.object_ids, sets=[plan.entry]
    )
    with whole(renders) as partial:
        partial.mkdir()
        write_views(partial, [(plan, shown)], RAYS_AT_ONCE)
        write_renders(partial, listed)
    log.info("%d views: %s", len(plan.entry.frames), renders / plan.entry.video)


def check_scene(path: CameraPath, scene: Scene, file: Path) -> None:
    """Refuse a path of another scene."""
    if len(path.scales) != scene.object_count or path.views[-1].frame >= scene.frame_count:
        raise StageError(
            f"{file} is of a scene with {len(path.scales)} objects, this one has {scene.object_count} and "
            f"{scene.frame_count} frames; lay the path anew in view_scene"
        )


def plan_path(path: CameraPath, method: TrainedMethod, name: str) -> Plan:
    """The views of a path's film, each at the nearest time whose camera is known."""
    count = max(2, round(path.seconds * path.fps))
    poses, at = path_through(np.stack([view.pose for view in path.views]), count)
    keys = np.arange(len(path.views))
    times = np.interp(at, keys, [view.frame for view in path.views])
    known = np.flatnonzero(method.scene.visible[0])
    frames = known[np.abs(times[:, None] - known).argmin(1)].tolist()
    fovs = np.radians(np.interp(at, keys, [view.fov_y_deg for view in path.views]))
    focal = path.height / 2 / np.tan(fovs / 2)
    cameras = [Intrinsics.centred(float(length), path.height, path.width) for length in focal]
    score = float(method.validity(method.scales.new_tensor([path.scales]))[0])
    return Plan(planned_set(name, "path", path.scales, score, frames, fps=path.fps), poses, cameras)


if __name__ == "__main__":
    run_stage(render_path)
