"""What baselines reach on scenes of their own kind, filmed by many cameras at once, and on one video of the same scene.

    python -m benchmarks.baselines --methods hexplane tineuvox --cameras 30
    python -m benchmarks.baselines --cameras 1 --size 96 128 --options '{"hexplane": {"steps": 500}}'

HexPlane and TiNeuVox were made for scenes that cameras see from all around. With --cameras above 1 every camera of a rig
films all moments of a simulated scene; with 1 the simulator's own moving camera does, with its true poses. Prints steps a
second, PSNR of the training views and of held-out cameras at the end, and how much the loss still falls.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from models.baselines.model import SceneExtent
from models.ops.space import Cameras
from models.rendering import in_chunks
from pipeline.baselines.data import TrainingViews
from pipeline.baselines.method import shown
from pipeline.baselines.setup import own_settings
from pipeline.baselines.training import TrainingContext, train
from pipeline.baselines.training_state import TrainingState, started
from pipeline.cameras import Intrinsics, look_at, transform, unproject
from pipeline.config import BASELINES, SimulateSceneConfig, TrainBaselineConfig
from pipeline.evaluation.image_metrics import psnr_db, to_unit
from pipeline.rendering.view_pictures import view_rays
from pipeline.runtime.device import stage_device
from pipeline.scene.region import STATIC_BOUNDS, STATIC_SHELL, box
from pipeline.simulate_scene import random_world
from pipeline.simulation.filming import SimulatedWorld, shoot_plainly
from pipeline.simulation.motion import DOWN

AZIMUTH_DEG, ELEVATION_DEG, NEARER, FARTHER = 40.0, 12.0, 0.85, 1.1
LEAST_CLEARANCE = 0.25  # of the distance to the middle of the action: nothing is nearer to a camera of the rig
JUDGED = 8  # training views that are judged


@dataclass(frozen=True)
class Film:
    """Views of a world, each by a camera at a moment, and what they see."""

    world_from_camera: Float[np.ndarray, "view 4 4"]
    frames: list[int]
    images: UInt8[np.ndarray, "view height width rgb=3"]
    depth: Float[np.ndarray, "view height width"]


def rig(world: SimulatedWorld, count: int, random: np.random.Generator, size: tuple[int, int]) -> list[np.ndarray]:
    """Cameras that look at the middle of the action from around the video's own camera, none of them in the furniture."""
    middle = world.action.world_from_object[..., :3, 3].reshape(-1, 3).mean(0)
    from_middle = world.action.train_cameras[:, :3, 3].mean(0) - middle
    distance, found = float(np.linalg.norm(from_middle)), list[np.ndarray]()
    while len(found) < count:
        turn, rise = np.radians(random.uniform([-AZIMUTH_DEG, -ELEVATION_DEG], [AZIMUTH_DEG, ELEVATION_DEG]))
        cos, sin = np.cos(turn), np.sin(turn)
        aside = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) @ from_middle
        eye = middle + random.uniform(NEARER, FARTHER) * aside - distance * np.sin(rise) * DOWN
        pose = look_at(eye, middle, DOWN)
        if film(world, [pose], [0], size).depth.min() > LEAST_CLEARANCE * distance:
            found.append(pose)
    return found


def film(world: SimulatedWorld, poses: list[np.ndarray], frames: list[int], size: tuple[int, int]) -> Film:
    """Sharp views."""
    shots = [shoot_plainly(world, pose, frame, size) for pose, frame in zip(poses, frames, strict=True)]
    images, solo = zip(*shots, strict=True)
    return Film(np.stack(poses), frames, np.stack(images), np.stack(solo).min(1))


def training_views(film: Film, camera: Intrinsics, frames: int) -> TrainingViews:
    """A film as what baselines train on, in the region that holds all that it sees."""
    row, column = np.mgrid[0 : camera.height : 4, 0 : camera.width : 4]
    xy, depth = np.stack([column, row], axis=-1) + 0.5, film.depth[:, ::4, ::4]
    points = transform(film.world_from_camera[:, None, None], unproject(camera, xy[None], depth)).reshape(-1, 3)
    region = box(np.concatenate([points, film.world_from_camera[:, :3, 3]]), STATIC_BOUNDS, STATIC_SHELL)
    extent = SceneExtent(region, 0.5 * float(film.depth.min()), 1.2 * float(film.depth.max()), frames)
    poses = torch.from_numpy(film.world_from_camera.astype(np.float32))
    cameras = Cameras(poses, torch.from_numpy(camera.values).float(), camera.height, camera.width)
    count = torch.arange(len(film.frames))
    return TrainingViews(torch.from_numpy(film.images), cameras, torch.tensor(film.frames), count, None, extent)


def judged_psnr(state: TrainingState, film: Film, camera: Intrinsics) -> float:
    """Mean PSNR of views."""
    values = []
    for pose, frame, image in zip(film.world_from_camera, film.frames, film.images, strict=True):
        rays = view_rays(camera, pose, frame).to(state.generator.device)
        colour = in_chunks(lambda part: shown(state.model, part, 1), rays).colour.cpu()
        values.append(psnr_db(colour.view(*image.shape), to_unit(image)))
    return float(np.mean(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(BASELINES), choices=BASELINES)
    parser.add_argument("--cameras", type=int, default=30, help="of the rig; 1: the video's own moving camera")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="of the simulated scene")
    parser.add_argument("--options", type=json.loads, default={}, help="more settings of train_baseline, JSON")
    given = parser.parse_args()
    size, device = (int(given.size[0]), int(given.size[1])), stage_device()
    world = random_world(
        SimulateSceneConfig(seed=given.seed, frames=given.frames, height=size[0], width=size[1]), torch.device("cpu")
    )
    camera, moments = Intrinsics.centred(world.focal_px, *size), list(range(given.frames))
    own, test = ([*cameras] for cameras in (world.action.train_cameras, world.action.test_cameras))
    if given.cameras > 1:
        poses = rig(world, given.cameras + 2, np.random.default_rng(given.seed), size)
        own = [pose for pose in poses[2:] for _ in moments]
        test = [poses[frame % 2] for frame in moments]
    seen = film(world, own, moments * (given.cameras if given.cameras > 1 else 1), size)
    held_out, views = film(world, test, moments, size), training_views(seen, camera, given.frames).to(device)
    few = np.linspace(0, len(seen.frames) - 1, JUDGED).round().astype(int)
    some = Film(seen.world_from_camera[few], [seen.frames[i] for i in few], seen.images[few], seen.depth[few])
    print("method      steps  steps/s  training dB  held-out dB  loss at 80 % and at the end")
    for method in given.methods:
        config = TrainBaselineConfig.model_validate({"method": method, **given.options})
        with tempfile.TemporaryDirectory() as folder:
            state, start = started(views.extent, config, device), time.monotonic()
            train(state, TrainingContext(views, Path(folder) / "resume.pt", "", config))
        seconds, steps = time.monotonic() - start, own_settings(config).steps
        losses = [row["colour"] for row in state.rows] or [float("nan")]
        late = losses[round(0.8 * (len(losses) - 1))], losses[-1]
        numbers = judged_psnr(state, some, camera), judged_psnr(state, held_out, camera)
        print(
            f"{method:10} {steps:6} {steps / seconds:8.1f} {numbers[0]:12.2f} {numbers[1]:12.2f}  {late[0]:.5f} {late[1]:.5f}"
        )


if __name__ == "__main__":
    main()
