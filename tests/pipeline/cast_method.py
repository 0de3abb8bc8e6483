"""A method that knows the world of the miniatures (tests/dataset_miniatures.py) and casts it: what it is asked for, it shows.

In the place of a trained one it makes the numbers of test views tell of everything but training: half a pixel, other
axes, another time, another size between a data set and its protocol, and views are no longer alike.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.rays import Rays
from models.rendering import Rendering
from models.simulation.ray_casting import solo_depths
from models.simulation.shading import View, render_image
from pipeline.formats.scene_file import Scene
from pipeline.geometry.similarity_alignment import align_poses
from pipeline.rendering.trained_method import Method, TrainedMethod
from pipeline.simulation.action import poses_with_background
from tests.dataset_miniatures import world, world_from_objects

METHOD, SCHEMA_VERSION = "cast", 1
FEW = 100  # rays that are no view


@dataclass(frozen=True)
class RaysOfView(View):
    """All pixels of a view by its rays in raster order, or a few rays; `across` and `down` lead to the next pixels."""

    origins: Float[Tensor, "ray xyz=3"] = field(kw_only=True)
    directions: Float[Tensor, "ray xyz=3"] = field(kw_only=True)
    across: Float[Tensor, "xyz=3"] = field(kw_only=True)
    down: Float[Tensor, "xyz=3"] = field(kw_only=True)

    @classmethod
    def of(cls, origins: Float[Tensor, "ray xyz=3"], directions: Float[Tensor, "ray xyz=3"]) -> "RaysOfView":
        rays = {"origins": origins, "directions": directions}
        if len(directions) < FEW:
            still = torch.zeros(3)
            return cls(torch.eye(4), 40.0, 1, len(directions), across=still, down=still, **rays)
        across = directions[1] - directions[0]
        width = 1 + int((directions.diff(dim=0) - across).norm(dim=1).gt(0.5 * across.norm()).nonzero()[0])
        down = directions[width] - directions[0]
        focal = float(1 / across.norm())
        return cls(torch.eye(4), focal, len(directions) // width, width, across=across, down=down, **rays)

    def rays(self, shift: tuple[float, float] = (0.0, 0.0)) -> tuple[Tensor, Tensor]:
        return self.origins, self.directions + shift[0] * self.across + shift[1] * self.down


class CastMethod(TrainedMethod):
    """The world as it is at a frame's time; `seen_as` are the mask's ids of its parts, `cameras` the video's true ones."""

    def __init__(self, scene: Scene, state: dict[str, Any]) -> None:
        super().__init__(scene, torch.ones(1, scene.object_count), torch.ones(1))
        column = {int(entry["id"]): index for index, entry in enumerate(scene.objects)}
        self.columns = torch.tensor([column.get(int(identity), 0) for identity in state["seen_as"]])
        self.white = bool(state["white"])
        self.scene_from_world = align_poses(state["cameras"].numpy(), scene.object_from_camera[0].astype(np.float64))

    def render(self, rays: Rays, scales: Tensor | None = None) -> Rendering:
        home = self.scene_from_world.inverse()
        origins = torch.from_numpy(home.points(rays.origins.double().numpy())).float()
        directions = torch.from_numpy(rays.directions.double().numpy() @ home.rotation.T).float()
        view = RaysOfView.of(origins, directions)
        poses = poses_with_background(world_from_objects(int(rays.frames[0])))
        depth, owner = solo_depths(world().lit.parts, poses, origins, directions).min(0)
        colours = render_image(world().lit, poses, view).reshape(-1, 3)
        if self.white:
            colours = torch.where(owner[:, None] > 0, colours, torch.ones_like(colours))
        weights = torch.nn.functional.one_hot(self.columns[owner], self.scene.object_count).float()
        return Rendering(colours, self.scene_from_world.scale * depth, torch.ones(len(depth)), weights)


def train_cast(checkpoint: Path, cameras: np.ndarray, seen_as: tuple[int, ...], white: bool) -> None:
    """The stage: there is nothing to learn."""
    checkpoint.parent.mkdir(parents=True)
    state = {"cameras": torch.from_numpy(cameras), "seen_as": list(seen_as), "white": white}
    torch.save({"method": METHOD, "schema_version": SCHEMA_VERSION, **state}, checkpoint)


def method_from_checkpoint(state: dict[str, Any], scene: Scene, device: torch.device) -> CastMethod:
    """The trained method in a checkpoint's contents."""
    return CastMethod(scene, state)


ENTRY = Method(SCHEMA_VERSION, method_from_checkpoint)
