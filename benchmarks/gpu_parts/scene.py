"""The scene that everything is measured on: made by our simulator, with true poses and masks, and its held-out views."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from benchmarks.scene_from_truth import scene_from_truth
from benchmarks.truth_scene import with_flow, with_sparse_depth
from models.rays import Rays
from pipeline.config import SimulateSceneConfig
from pipeline.formats.scene_file import Scene, read_scene, write_scene
from pipeline.rendering.view_pictures import view_rays
from pipeline.simulate_scene import random_world, render_truth
from pipeline.truth.truth_file import Truth, read_truth, write_truth

SEED, OBJECTS = 3, 2
SIZES = {"full": (32, 240, 320), "tiny": (6, 36, 48)}  # frames, height, width
LOOKS = 4  # held-out views that are looked at


@dataclass(frozen=True)
class MadeScene:
    """A packed scene on disk, and held-out views: cameras in its world, frames of time, and what they show."""

    path: Path
    scene: Scene
    world_from_camera: Float[np.ndarray, "view 4 4"]
    frames: list[int]
    images: UInt8[np.ndarray, "view height width rgb=3"]

    def looks(self, device: torch.device) -> list[tuple[Rays, Float[torch.Tensor, "ray rgb=3"]]]:
        """Rays of a few held-out views and the colours that they should see."""
        chosen = np.linspace(0, len(self.frames) - 1, min(LOOKS, len(self.frames))).round().astype(int)
        return [
            (
                view_rays(self.scene.camera, self.world_from_camera[i], self.frames[i]).to(device),
                (torch.from_numpy(self.images[i]).reshape(-1, 3) / 255).to(device),
            )
            for i in chosen
        ]


def made_scene(work: Path, size: str, truth: Path | None) -> MadeScene:
    """The scene of a truth.h5, or the simulated one; made once in a folder."""
    known = read_truth(truth) if truth else simulated(work / f"truth_{size}.h5", size)
    scene, test, centre = scene_from_truth(known)
    poses = test.world_from_camera.astype(np.float64)
    poses[:, :3, 3] -= centre
    path = work / (f"scene_{size}.h5" if truth is None else f"scene_of_{truth.parent.name}.h5")
    if not path.exists():
        write_scene(path, with_flow(with_sparse_depth(scene, 0)), {})
    return MadeScene(path, read_scene(path), poses, [int(time) for time in test.time], test.images)


def simulated(path: Path, size: str) -> Truth:
    """A room with two moving things, rendered on the CPU, once."""
    if not path.exists():
        frames, height, width = SIZES[size]
        config = SimulateSceneConfig(seed=SEED, objects=OBJECTS, frames=frames, height=height, width=width)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_truth(path, render_truth(random_world(config, torch.device("cpu")), config))
    return read_truth(path)
