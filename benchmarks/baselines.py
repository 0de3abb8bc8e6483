"""What baselines reach on scenes of their own kind, filmed by many cameras at once, and on one video of the same scene.

    python -m benchmarks.baselines --methods hexplane tineuvox --cameras 30
    python -m benchmarks.baselines --methods nsff dynnerf --forward-facing --cameras 12
    python -m benchmarks.baselines --cameras 1 --size 96 128 --options '{"hexplane": {"steps": 500}}'

HexPlane and TiNeuVox were made for scenes that cameras see from all around. With --cameras above 1 every camera of a rig
films all moments of a simulated scene; with 1 the simulator's own moving camera does, with its true poses. NSFF and DynNeRF
were made for scenes seen from one side: with --forward-facing parallel cameras stand side by side, each moment is filmed by
the next of them, and two more of them see what is judged (the protocol of NVIDIA's scenes, where 12 cameras do). What
methods are told of motion, flow and masks, is exact. Prints the processor's seconds of training, of all cores together, PSNR
of the training views and of held-out cameras at the end, PSNR of held-out views where something moves, and how much the
loss still falls.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from models.baselines.model import SceneExtent
from models.ops.space import Cameras
from models.rendering import in_chunks
from pipeline.baselines.data import TrainingViews
from pipeline.baselines.method import shown
from pipeline.baselines.motion import KnownMotion, motion_of_views
from pipeline.baselines.setup import FIELDS, own_settings
from pipeline.baselines.training import TrainingContext, train
from pipeline.baselines.training_state import TrainingState, started, write_history
from pipeline.cameras import Intrinsics, inverse, look_at, pixel_centres, project, transform, unproject
from pipeline.config import SimulateSceneConfig, TrainBaselineConfig
from pipeline.evaluation.image_metrics import psnr_db, to_unit
from pipeline.rendering.view_pictures import view_rays
from pipeline.runtime.device import stage_device
from pipeline.scene.region import STATIC_BOUNDS, STATIC_SHELL, box
from pipeline.simulate_scene import random_world
from pipeline.simulation.filming import SimulatedWorld, shoot_plainly
from pipeline.simulation.motion import DOWN

AZIMUTH_DEG, ELEVATION_DEG, NEARER, FARTHER = 40.0, 12.0, 0.85, 1.1
ASIDE = 0.12  # of that distance, to each side: where parallel cameras of a forward-facing rig stand
SEEN_AGAIN = 0.02  # of the depth: a point that is so near to what the next view shows is seen there
LEAST_CLEARANCE = 0.25  # of the distance to the middle of the action: nothing is nearer to a camera of the rig
JUDGED = 8  # training views that are judged


@dataclass(frozen=True)
class Film:
    """Views of a world, each by a camera at a moment, and what they see."""

    world_from_camera: Float[np.ndarray, "view 4 4"]
    frames: list[int]
    images: UInt8[np.ndarray, "view height width rgb=3"]
    depth: Float[np.ndarray, "view height width"]
    ids: UInt8[np.ndarray, "view height width"]


def forward_facing(world: SimulatedWorld, count: int, random: np.random.Generator) -> list[np.ndarray]:
    """Parallel cameras side by side around the middle of the video's own."""
    poses = world.action.train_cameras
    middle = poses[len(poses) // 2]
    action = world.action.world_from_object[..., :3, 3].reshape(-1, 3).mean(0)
    distance = float(np.linalg.norm(action - middle[:3, 3]))
    x, y = np.linspace(-1, 1, count), random.uniform(-0.5, 0.5, count)
    found = []
    for right, down in zip(x, y, strict=True):
        pose = middle.copy()
        pose[:3, 3] += ASIDE * distance * (right * middle[:3, 0] + down * middle[:3, 1])
        found.append(pose)
    return found


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
    alone = np.stack(solo)
    return Film(np.stack(poses), frames, np.stack(images), alone.min(1), alone.argmin(1).astype(np.uint8))


def film_motion(world: SimulatedWorld, film: Film, camera: Intrinsics) -> KnownMotion:
    """Exact flow between views one after the other where they are of moments one after the other; what moves by its id."""
    pairs = range(len(film.frames) - 1)
    forward, forward_valid = zip(*(flow(world, film, camera, view, view + 1) for view in pairs), strict=True)
    backward, backward_valid = zip(*(flow(world, film, camera, view + 1, view) for view in pairs), strict=True)
    return motion_of_views(
        np.stack(forward), np.stack(backward), np.stack(forward_valid), np.stack(backward_valid), film.ids > 0
    )


def flow(
    world: SimulatedWorld, film: Film, camera: Intrinsics, here: int, there: int
) -> tuple[Float[np.ndarray, "height width xy=2"], Bool[np.ndarray, "height width"]]:
    """Where the points of a view are in another, and which of them are seen there."""
    xy = pixel_centres(camera.height, camera.width)
    points = transform(film.world_from_camera[here], unproject(camera, xy, film.depth[here].astype(np.float64)))
    still = np.eye(4)[None]
    now, then = (np.concatenate([still, world.action.world_from_object[film.frames[v]]]) for v in (here, there))
    moved = transform((then @ inverse(now))[film.ids[here]], points)
    seen = transform(inverse(film.world_from_camera[there]), moved)
    before = seen[..., 2] > 0
    landed = project(camera, np.where(before[..., None], seen, [0.0, 0.0, 1.0]))
    inside = (landed >= 0).all(-1) & (landed < [camera.width, camera.height]).all(-1)
    column, row = (landed.clip(0, [camera.width - 1, camera.height - 1])).astype(int).transpose(2, 0, 1)
    near = np.abs(film.depth[there, row, column] / np.maximum(seen[..., 2], 1e-6) - 1) < SEEN_AGAIN
    follows = abs(film.frames[there] - film.frames[here]) == 1
    return landed - xy, before & inside & near & follows


def training_views(world: SimulatedWorld, film: Film, camera: Intrinsics, frames: int) -> TrainingViews:
    """A film as what baselines train on, in the region that holds all that it sees."""
    row, column = np.mgrid[0 : camera.height : 4, 0 : camera.width : 4]
    xy, depth = np.stack([column, row], axis=-1) + 0.5, film.depth[:, ::4, ::4]
    points = transform(film.world_from_camera[:, None, None], unproject(camera, xy[None], depth)).reshape(-1, 3)
    region = box(np.concatenate([points, film.world_from_camera[:, :3, 3]]), STATIC_BOUNDS, STATIC_SHELL)
    extent = SceneExtent(region, 0.5 * float(film.depth.min()), 1.2 * float(film.depth.max()), frames)
    poses = torch.from_numpy(film.world_from_camera.astype(np.float32))
    cameras = Cameras(poses, torch.from_numpy(camera.values).float(), camera.height, camera.width)
    count = torch.arange(len(film.frames))
    motion = film_motion(world, film, camera)
    return TrainingViews(torch.from_numpy(film.images), cameras, torch.tensor(film.frames), count, None, extent, motion)


def judged_psnr(state: TrainingState, film: Film, camera: Intrinsics) -> tuple[float, float]:
    """Mean PSNR of views, and of their pixels that show what moves."""
    whole, moving = [], []
    views = zip(film.world_from_camera, film.frames, film.images, film.ids, strict=True)
    for pose, frame, image, ids in views:
        rays = view_rays(camera, pose, frame).to(state.generator.device)
        colour = in_chunks(lambda part: shown(state.model, part, 1), rays).colour.cpu().view(*image.shape)
        whole.append(psnr_db(colour, to_unit(image)))
        if (ids > 0).any():
            moving.append(psnr_db(colour[ids > 0], to_unit(image)[ids > 0]))
    return float(np.mean(whole)), float(np.mean(moving)) if moving else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(FIELDS), choices=list(FIELDS))
    parser.add_argument("--cameras", type=int, default=30, help="of the rig; 1: the video's own moving camera")
    parser.add_argument("--forward-facing", action="store_true", help="parallel cameras take turns, one a moment")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0, help="of the simulated scene")
    parser.add_argument("--options", type=json.loads, default={}, help="more settings of train_baseline, JSON")
    parser.add_argument("--curves", type=Path, help="folder for METHOD.csv, the losses over the steps")
    given = parser.parse_args()
    size, device = (int(given.size[0]), int(given.size[1])), stage_device()
    world = random_world(
        SimulateSceneConfig(seed=given.seed, frames=given.frames, height=size[0], width=size[1]), torch.device("cpu")
    )
    camera, moments = Intrinsics.centred(world.focal_px, *size), list(range(given.frames))
    own, test = ([*cameras] for cameras in (world.action.train_cameras, world.action.test_cameras))
    every = given.cameras > 1 and not given.forward_facing
    if given.forward_facing:
        poses = forward_facing(world, given.cameras + 2, np.random.default_rng(given.seed))
        held = given.cameras // 3, 2 * given.cameras // 3 + 1
        turns = [pose for number, pose in enumerate(poses) if number not in held]
        own = [turns[frame % len(turns)] for frame in moments]
        test = [poses[held[frame % 2]] for frame in moments]
    elif every:
        poses = rig(world, given.cameras + 2, np.random.default_rng(given.seed), size)
        own = [pose for pose in poses[2:] for _ in moments]
        test = [poses[frame % 2] for frame in moments]
    seen = film(world, own, moments * (given.cameras if every else 1), size)
    held_out, views = film(world, test, moments, size), training_views(world, seen, camera, given.frames).to(device)
    few = np.linspace(0, len(seen.frames) - 1, JUDGED).round().astype(int)
    some = Film(
        seen.world_from_camera[few], [seen.frames[i] for i in few], seen.images[few], seen.depth[few], seen.ids[few]
    )
    print("method      steps   core s  training dB  held-out dB  moving dB  loss at 80 % and at the end")
    for method in given.methods:
        config = TrainBaselineConfig.model_validate({"method": method, **given.options})
        with tempfile.TemporaryDirectory() as folder:
            state, start = started(views.extent, config, device), time.process_time()
            train(state, TrainingContext(views, Path(folder) / "resume.pt", "", config))
        seconds, steps = time.process_time() - start, own_settings(config).steps
        if given.curves:
            write_history(given.curves / f"{method}.csv", state.rows)
        losses = [row["colour"] for row in state.rows] or [float("nan")]
        late = losses[round(0.8 * (len(losses) - 1))], losses[-1]
        numbers = judged_psnr(state, some, camera)[0], *judged_psnr(state, held_out, camera)
        decibels = f"{numbers[0]:12.2f} {numbers[1]:12.2f} {numbers[2]:10.2f}"
        print(f"{method:10} {steps:6} {seconds:8.0f} {decibels}  {late[0]:.5f} {late[1]:.5f}", flush=True)


if __name__ == "__main__":
    main()
