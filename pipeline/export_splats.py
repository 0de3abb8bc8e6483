"""Every trained object as splats: 3D Gaussians that viewers show at once, fitted to the field's own renders.

Reads   checkpoint.pt, scene.h5
Writes  splats/
          {id}.ply        the object's splats in its own frame, as SuperSplat and nerfstudio read them
          poses.json      the scales, and per object and frame the 4x4 world_from_object that holds scale, turn and place
          scales.npz      valid scales, the scale network as its layers, and rays that tell who hides whom
          likeness.json   PSNR of the splats to the field and to the frames

An object whose field is empty gets no file. Units are those of export_objects.
"""

import json
import logging
from pathlib import Path

import numpy as np

from pipeline.cli import run_stage
from pipeline.config import ExportSplatsConfig
from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene
from pipeline.formats.splat_file import Splats
from pipeline.formats.splats_folder import (
    POSES,
    Likeness,
    write_likeness,
    write_object_splats,
    write_scale_record,
)
from pipeline.rendering.trained_method import TrainedMethod, load_method
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.scene.placement import object_poses
from pipeline.splats.field_splats import as_arrays, field_view, likeness_db, object_splats
from pipeline.splats.scale_record import scale_record
from pipeline.splats.views import fitted_size, known_frames, views_to_fit, views_to_judge
from pipeline.splats.whole_scene import scene_likeness

log = logging.getLogger("pipeline.export_splats")
JUDGED_VIEWS = 5


def export_splats(checkpoint: Path, scene: Path, splats: Path, config: ExportSplatsConfig) -> None:
    packed = read_scene(scene, without=FLOW_FIELDS)
    method = load_method(checkpoint, packed, stage_device())
    scales = method.scales[0].cpu().numpy().astype(np.float64)
    made, likeness = all_splats(method, config)
    together = scene_likeness(method, made, scales, fitted_size(packed.camera, config.max_size), JUDGED_VIEWS)
    with whole(splats) as partial:
        partial.mkdir()
        write_object_splats(partial, made)
        write_scale_record(partial, scale_record(method))
        write_likeness(partial, Likeness(objects=likeness, field_db=together.field_db, frames_db=together.frames_db))
        (partial / POSES).write_text(json.dumps(object_poses(packed, scales), indent=1))
    log.info("splats are %.1f dB like the field, %.1f dB like the frames", together.field_db, together.frames_db)


def all_splats(method: TrainedMethod, config: ExportSplatsConfig) -> tuple[dict[int, Splats], dict[int, float]]:
    """The splats of every object that is seen, and how like its field they are, by its id."""
    made, likeness = {}, {}
    for index, entry in enumerate(method.scene.objects):
        found = one_object(method, index, config)
        if found is None:
            log.warning("object %s has no splats: its field is empty wherever it is known", entry["name"])
            continue
        made[int(entry["id"])], likeness[int(entry["id"])] = found
    return made, likeness


def one_object(method: TrainedMethod, index: int, config: ExportSplatsConfig) -> tuple[Splats, float] | None:
    """An object's splats and their likeness to its field in other views; None where nothing of it is seen."""
    scene: Scene = method.scene
    if not len(known_frames(scene, index)):
        return None
    camera, name = fitted_size(scene.camera, config.max_size), scene.objects[index]["name"]
    asked = views_to_fit(scene, index, config.observed_views, config.turned_views)
    views = [field_view(method, index, view, camera) for view in asked]
    count = config.object_splats if index else config.background_splats
    fitted = object_splats(views, camera, count, config.steps, config.seed, f"fitting {name}")
    if fitted is None:
        return None
    judged = [field_view(method, index, view, camera) for view in views_to_judge(scene, index, JUDGED_VIEWS)]
    likeness = likeness_db(fitted, judged, camera)
    log.info("%s: %d splats, %.1f dB like its field", name, len(fitted.means), likeness)
    return as_arrays(fitted), likeness


if __name__ == "__main__":
    run_stage(export_splats)
