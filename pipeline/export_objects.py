"""Every trained object as a mesh and as coloured points, in its own frame, with its place in the world at each time.

Reads   checkpoint.pt, scene.h5
Writes  objects/
          {id}.glb     the surface by marching cubes, vertices in the colour of the field
          {id}.ply     its vertices as coloured points
          poses.json   the scales, and per object and frame the 4x4 world_from_object that holds scale, turn and place

The scene is the checkpoint's first valid one, or the one nearest to given scales. Units are the background's; null
where an object was not registered.
"""

import json
import logging
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float

from pipeline.cameras import inverse
from pipeline.cli import run_stage
from pipeline.config import ExportObjectsConfig
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.rendering.trained_method import Surface, load_method
from pipeline.rendering.valid_scales import valid_scales
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device

log = logging.getLogger("pipeline.export_objects")


def export_objects(checkpoint: Path, scene: Path, objects: Path, config: ExportObjectsConfig) -> None:
    """Write mesh, points and poses of every object."""
    packed = read_scene(scene)
    method = load_method(checkpoint, packed, stage_device())
    scales = valid_scales(method, config.scales, "export_objects").scales[0].astype(np.float64)
    with whole(objects) as partial:
        partial.mkdir()
        for index, entry in enumerate(packed.objects):
            write_surface(partial, entry["id"], entry["name"], method.surface(index))
        (partial / "poses.json").write_text(json.dumps(object_poses(packed, scales), indent=1))
    log.info("%d objects are in %s, at scales %s", packed.object_count, objects, scales[1:].round(3).tolist())


def write_surface(folder: Path, identity: int, name: str, surface: Surface) -> None:
    """A surface as a mesh, and its vertices as coloured points; no file for an object that has none."""
    if not len(surface.vertices):
        log.warning("object %s has no surface: its field is empty", name)
        return
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, vertex_colors=surface.colours, process=False)
    mesh.export(folder / f"{identity}.glb")
    trimesh.PointCloud(surface.vertices, surface.colours).export(folder / f"{identity}.ply")


def object_poses(scene: Scene, scales: Float[np.ndarray, "object"]) -> dict[str, object]:
    """Where each object is at each time, under the scales: x_world = P0 (s camera_from_object X)."""
    listed = []
    for k, entry in enumerate(scene.objects):
        placed: list[object] = []
        for t in range(len(scene.images)):
            if not (scene.visible[k, t] and scene.visible[0, t]):
                placed.append(None)
                continue
            grown = np.diag([scales[k], scales[k], scales[k], 1.0])
            own = inverse(scene.object_from_camera[k, t].astype(np.float64))
            placed.append((scene.object_from_camera[0, t].astype(np.float64) @ grown @ own).tolist())
        listed.append({"id": entry["id"], "name": entry["name"], "scale": scales[k], "world_from_object": placed})
    return {"intrinsics": scene.intrinsics.tolist(), "objects": listed}


if __name__ == "__main__":
    run_stage(export_objects)
