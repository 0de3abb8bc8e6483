"""Every trained object as a mesh and as coloured points, in its own frame, with its place in the world at each time.

Reads   checkpoint.pt, scene.h5, splats/
Writes  objects/
          {id}.glb     the surface by marching cubes, vertices in the colour of the field
          {id}.ply     its vertices as coloured points
          scenes/      everything at each time as splats in the world, numbered, as SuperSplat plays them
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

from pipeline.cli import run_stage
from pipeline.config import ExportObjectsConfig
from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene
from pipeline.formats.splat_file import Splats, write_splats
from pipeline.formats.splats_folder import read_object_splats
from pipeline.rendering.trained_method import Surface, load_method
from pipeline.rendering.valid_scales import valid_scales
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.scene.placement import object_poses
from pipeline.splats.whole_scene import world_splats

log = logging.getLogger("pipeline.export_objects")


def export_objects(checkpoint: Path, scene: Path, splats: Path, objects: Path, config: ExportObjectsConfig) -> None:
    """Write mesh, points and poses of every object, and the scene as splats at each time."""
    packed = read_scene(scene, without=FLOW_FIELDS)
    method = load_method(checkpoint, packed, stage_device())
    scales = valid_scales(method, config.scales, "export_objects").scales[0].astype(np.float64)
    with whole(objects) as partial:
        partial.mkdir()
        for index, entry in enumerate(packed.objects):
            write_surface(partial, entry["id"], entry["name"], method.surface(index))
        write_scenes(partial / "scenes", packed, read_object_splats(splats), scales)
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


def write_scenes(folder: Path, scene: Scene, splats: dict[int, Splats], scales: Float[np.ndarray, "object"]) -> None:
    """Everything at each time as one file of splats; none where the camera is not known."""
    folder.mkdir()
    for frame in np.flatnonzero(scene.visible[0]).tolist() if splats else []:
        write_splats(folder / f"{frame:06d}.ply", world_splats(scene, splats, scales, frame))


if __name__ == "__main__":
    run_stage(export_objects)
