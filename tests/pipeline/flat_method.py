"""The smallest method there can be: it shows each object in one colour, wherever its mask is. A third method for tests.

In its place, a real one would be a package `pipeline/flat/` with this module as `method.py`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.rays import Rays
from models.rendering import Rendering
from pipeline.cameras import inverse, project, transform
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.rendering.trained_method import Method, TrainedMethod

METHOD, SCHEMA_VERSION = "flat", 1
DEPTH = 2.0


class FlatMethod(TrainedMethod):
    """The mask of the nearest frame's camera, painted."""

    @property
    def colours(self) -> Tensor:
        return torch.linspace(0.2, 0.8, self.scene.object_count)[:, None].expand(-1, 3)

    def render(self, rays: Rays, scales: Tensor | None = None) -> Rendering:
        frame = int(rays.frames[0])
        camera_from_world = inverse(self.scene.object_from_camera[0, frame].astype(np.float64))
        ahead = transform(camera_from_world, (rays.origins + DEPTH * rays.directions).double().numpy())
        column, row = np.nan_to_num(project(self.scene.camera, ahead), posinf=0, neginf=0).astype(int).T
        height, width = self.scene.object_ids.shape[1:]
        owner = self.scene.object_ids[frame, row.clip(0, height - 1), column.clip(0, width - 1)].astype(np.int64)
        owner = torch.from_numpy(np.where(owner < self.scene.object_count, owner, 0))
        weights = torch.nn.functional.one_hot(owner, self.scene.object_count).float()
        return Rendering(self.colours[owner], torch.full((len(owner),), DEPTH), torch.ones(len(owner)), weights)


def train_flat(scene: Path, checkpoint: Path, history: Path) -> None:
    """The stage: there is nothing to learn."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    objects = read_scene(scene).object_count
    torch.save({"method": METHOD, "schema_version": SCHEMA_VERSION, "objects": objects}, checkpoint)
    history.write_text("step,colour_loss\n0,0.5\n10,0.1\n")


def method_from_checkpoint(state: dict[str, Any], scene: Scene, device: torch.device) -> FlatMethod:
    """The trained method in a checkpoint's contents."""
    return FlatMethod(scene, torch.ones(1, state["objects"]), torch.ones(1))


ENTRY = Method(SCHEMA_VERSION, method_from_checkpoint)
