"""Render a trained scene: observed views, a path around it, valid scenes from one new view, held-out views, edits.

Reads   checkpoint.pt, scene.h5, frames.json; depth maps for a baseline and truth.h5, if there are any
Writes  renders/   PNG images and object ids, depth, mp4, listed in renders.json

Truth says only where to look from and which of the valid scenes lie nearest to the true scales (the "best of 1000"
protocol: those nearest are rendered, `evaluate` takes the best; so for each scene where truth has several that show the
same video). Valid scenes from all over the samples, and scenes at fixed scales that a method without a scale network
would take, are rendered to compare with. No image of truth enters a rendering. Its held-out
cameras are moved into the estimated world by the similarity between the estimated and the true training cameras, and
look through the estimated intrinsics, changed as the true ones of a data set's test camera differ from its video's.
"""

import logging
from pathlib import Path

from pipeline.cli import run_stage
from pipeline.config import RenderViewsConfig
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.renders_folder import Renders, write_renders
from pipeline.formats.scene_file import FLOW_FIELDS, read_scene
from pipeline.rendering.trained_method import load_method
from pipeline.rendering.valid_scales import valid_scales
from pipeline.rendering.view_pictures import write_views
from pipeline.rendering.view_plans import plan_edits, plan_judged, plan_views
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.truth.shown_truth import shown_truth
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
    packed = read_scene(scene, without=FLOW_FIELDS)
    method = load_method(checkpoint, packed, stage_device())
    valid = valid_scales(method, config.scales, "render_views")
    plans = plan_views(packed, valid, config)
    if truth:
        shown = shown_truth(read_truth(truth), packed.kept.view)
        plans += plan_judged(method, valid, read_frames_info(info), depth, shown, config)
    edits = plan_edits(method, valid.scales[0], config)
    listed = Renders(
        method=checkpoint.parent.name,
        valid_scales=len(valid.scales),
        object_ids=method.object_ids,
        remarks=method.remarks,
        knows_objects=method.knows_objects,
        sets=[plan.entry for plan in [*plans, *(plan for plan, _ in edits)]],
    )
    with whole(renders) as partial:
        partial.mkdir()
        write_views(partial, [*((plan, method) for plan in plans), *edits], config.rays_per_chunk)
        write_renders(partial, listed)
    log.info("rendered %d views in %d sets", sum(len(entry.frames) for entry in listed.sets), len(listed.sets))


if __name__ == "__main__":
    run_stage(render_views)
