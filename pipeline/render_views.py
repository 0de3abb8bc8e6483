"""Render a trained scene: observed views, a path around it, valid scenes from one new view, held-out views, edits.

Reads   checkpoint.pt, scene.h5, frames.json; depth maps for a baseline and truth.h5, if there are any
Writes  renders/   PNG images and object ids, depth, mp4, listed in renders.json

Truth says only where to look from and which of the valid scenes lie nearest to the true scales (the "best of 1000"
protocol: those nearest are rendered, `evaluate` takes the best; so for each scene where truth has several that show the
same video). Valid scenes from all over the samples, and scenes at fixed scales that a method without a scale network
would take, are rendered to compare with. No image of truth enters a rendering. Its held-out
cameras are moved into the estimated world by the similarity between the estimated and the true training cameras, and
look through the estimated intrinsics, as the training views do.
"""

import logging
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from models.osn.scale_sampling import VALID_SCORE
from models.osn.validity import conflict_text, conflicts
from models.rays import Rays
from models.rendering import Rendering, TrainedMethod
from pipeline.cameras import Intrinsics, directions_at_unit_depth, pixel_centres
from pipeline.cli import run_stage
from pipeline.config import RenderViewsConfig
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.renders_folder import Renders, write_renders, write_set
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.osn.checkpoint import OsnMethod
from pipeline.osn.edits import layered_methods
from pipeline.osn.fixed_scales import fixed_scales
from pipeline.rendering.trained_method import load_method
from pipeline.rendering.view_plans import (
    Plan,
    ValidScales,
    held_out_cameras,
    plan_edit,
    plan_held_out,
    plan_scenes,
    plan_views,
)
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.semantic_flow.checkpoint import SemanticFlowMethod
from pipeline.semantic_flow.edits import edited_methods
from pipeline.truth.truth_file import read_truth

log = logging.getLogger(__name__)


def render_views(
    checkpoint: Path,
    scene: Path,
    info: Path,
    depth: Path | None,
    truth: Path | None,
    renders: Path,
    config: RenderViewsConfig,
) -> None:
    packed = read_scene(scene)
    method = load_method(checkpoint, stage_device())
    valid = valid_scales(method, config.scales)
    if config.scales and isinstance(method, OsnMethod):
        explain_scales(method, packed, config.scales, valid.scales[0])
    plans = plan_views(packed, valid, config)
    if truth:
        known = read_truth(truth)
        views = held_out_cameras(packed, read_frames_info(info), known, config)
        plans += plan_held_out(packed, valid, fixed_scales(method, packed, depth), views, config) if views else []
        plans += plan_scenes(packed, valid, known.scenes, views, config) if views and known.scenes else []
    edited = edits(method, packed, valid.scales[0], config)
    with whole(renders) as partial:
        partial.mkdir()
        render_plans(partial, plans, method, packed, config.rays_per_chunk)
        for plan, other in edited:
            render_plans(partial, [plan], other, packed, config.rays_per_chunk)
        plans += [plan for plan, _ in edited]
        ids = column_ids(method, packed).tolist()
        listed = Renders(
            method=checkpoint.parent.name,
            valid_scales=len(valid.scales),
            object_ids=ids,
            remarks=getattr(method, "remarks", {}),
            sets=[plan.entry for plan in plans],
        )
        write_renders(partial, listed)
    log.info("rendered %d views in %d sets", sum(len(plan.entry.frames) for plan in plans), len(plans))


def edits(
    method: TrainedMethod, scene: Scene, scales: Float[np.ndarray, "object"], config: RenderViewsConfig
) -> list[tuple[Plan, TrainedMethod]]:
    """The edited scenes that were asked for, each with its views, under one scale vector."""
    if not config.edits:
        return []
    edited: list[tuple[str, TrainedMethod]] = []
    if isinstance(method, SemanticFlowMethod):
        edited += edited_methods(method, scene, config.edits)
    if isinstance(method, OsnMethod):
        edited += layered_methods(method, scene, scales, config.edits)
    return [
        (plan_edit(scene, number, caption, config.edit_frames, scales.tolist()), other)
        for number, (caption, other) in enumerate(edited)
    ]


def valid_scales(method: TrainedMethod, wanted: list[float]) -> ValidScales:
    """The valid scenes of a method, the one nearest to wanted scales first; all are clear where a method does not tell."""
    clear = method.clear() if isinstance(method, OsnMethod) else torch.ones_like(method.scores, dtype=torch.bool)
    valid = ValidScales(*(values.cpu().numpy() for values in (method.scales, method.scores, clear)))
    if not wanted or len(valid.scales) == 1:
        return valid
    if len(wanted) != valid.scales.shape[1] - 1:
        raise StageError(f"render_views.scales has {len(wanted)} scales, the scene {valid.scales.shape[1] - 1} objects")
    return valid.nearest_first(np.array([1.0, *wanted]))


def explain_scales(method: OsnMethod, scene: Scene, wanted: list[float], shown: Float[np.ndarray, "object"]) -> None:
    """Say which valid scene is shown for wanted scales, and what the video contradicts where these are not valid."""
    scales = method.scales.new_tensor([1.0, *wanted])
    if method.views is None or float(method.validity(scales[None])[0]) >= VALID_SCORE:
        log.info("the scales %s are valid; the nearest sampled scene has %s", wanted, shown[1:].round(3).tolist())
        return
    found = conflicts(method.views, scales, unlike=method.scales.new_tensor(shown))
    names = [str(entry["name"]) for entry in scene.objects]
    why = "; ".join(conflict_text(conflict, names) for conflict in found) or "the scale network rejects them"
    log.warning(
        "the scales %s do not explain the video: %s. The valid scene nearest to them is shown, %s",
        wanted,
        why,
        shown[1:].round(3).tolist(),
    )


def render_plans(folder: Path, plans: list[Plan], method: TrainedMethod, scene: Scene, chunk: int) -> None:
    """Render all sets and write each as soon as it is done."""
    device = method.scales.device
    total = sum(len(plan.entry.frames) for plan in plans)
    views = progress((view for plan in plans for view in plan.views), "rendering", total, "views")
    ids = column_ids(method, scene)
    for plan in plans:
        scales = torch.tensor(plan.entry.scale, dtype=torch.float32, device=device)
        pictures = []
        for _ in plan.views:
            frame, pose = next(views)
            rays = view_rays(scene.camera, pose, frame).to(device)
            pictures.append(as_picture(render_chunks(method, rays, scales, chunk), scene.camera, ids))
        images, object_ids, depth = (np.stack(arrays) for arrays in zip(*pictures, strict=True))
        write_set(folder, plan.entry, images, object_ids, depth)


def view_rays(camera: Intrinsics, world_from_camera: Float[np.ndarray, "4 4"], frame: int) -> Rays:
    """The rays of all pixels of a view, row by row."""
    directions = directions_at_unit_depth(camera, pixel_centres(camera.height, camera.width)).reshape(-1, 3)
    turned = torch.from_numpy(directions @ world_from_camera[:3, :3].T).float()
    origin = torch.from_numpy(world_from_camera[:3, 3].astype(np.float32))
    return Rays(origin.expand_as(turned), turned, torch.full((len(turned),), frame, dtype=torch.int64))


def render_chunks(method: TrainedMethod, rays: Rays, scales: Float[Tensor, "object"], chunk: int) -> Rendering:
    """Render rays in pieces that fit into memory."""
    with torch.no_grad():
        parts = [method.render(rays[start : start + chunk], scales) for start in range(0, len(rays.frames), chunk)]
    return Rendering(
        torch.cat([part.colour for part in parts]),
        torch.cat([part.depth for part in parts]),
        torch.cat([part.opacity for part in parts]),
        torch.cat([part.object_weights for part in parts]),
    )


def as_picture(
    rendering: Rendering, camera: Intrinsics, ids: UInt8[np.ndarray, "object"]
) -> tuple[
    UInt8[np.ndarray, "height width rgb=3"], UInt8[np.ndarray, "height width"], Float[np.ndarray, "height width"]
]:
    """Image, object ids and depth of one view; a pixel belongs to the object that most of its weight fell on."""
    size = (camera.height, camera.width)
    image = (255 * rendering.colour.clamp(0, 1)).round().to(torch.uint8).cpu().numpy().reshape(*size, 3)
    owner = rendering.object_weights.argmax(-1).cpu().numpy().reshape(size)
    return image, ids[owner], rendering.depth.float().cpu().numpy().reshape(size)


def column_ids(method: TrainedMethod, scene: Scene) -> UInt8[np.ndarray, "object"]:
    """The ids shown for the columns of `object_weights`: the method's own where its columns are classes."""
    own = getattr(method, "column_ids", None)
    return original_ids(scene) if own is None else np.array(own, np.uint8)


def original_ids(scene: Scene) -> UInt8[np.ndarray, "object"]:
    """The ids of masks.h5 by the scene's own object index."""
    return np.array([entry["id"] for entry in scene.objects], np.uint8)


if __name__ == "__main__":
    run_stage(render_views)
