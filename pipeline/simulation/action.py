"""Who moves where: random objects and camera paths, drawn again until nothing collides and everything is seen."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from models.simulation.ray_casting import Part, solo_depths
from models.simulation.shading import View
from pipeline.cameras import rotation_angle_deg
from pipeline.config import SimulateSceneConfig
from pipeline.runtime.errors import StageError
from pipeline.simulation.camera_work import cameras
from pipeline.simulation.motion import rolling, tumbling
from pipeline.simulation.object_motion import crossing, resting, thrown, traffic
from pipeline.simulation.street import random_car
from pipeline.simulation.world import ACTION_RADIUS, KINDS, THIN_KINDS, Thing, random_object, thin_object

log = logging.getLogger("pipeline.simulation.action")
ATTEMPTS = 1500
TEST_WIDTH, TEST_FRAMES = 64, 10  # enough to count pixels
LEAST_SHARE, LARGEST_SHARE = 0.012, 0.11  # of the pixels, for an object in nine of ten frames
SIZES = (0.0, 0.62, 0.56, 0.47, 0.41, 0.36, 0.33, 0.29)  # of each of so many objects
RING_RADIUS = (0.0, 0.2, 0.95, 1.2, 1.35, 1.5, 1.6, 1.7)  # how far from the middle each of so many moves
DRIFT = (0.0, 1.0, 1.0, 0.7, 0.5, 0.4, 0.35, 0.25)  # and how far it gets
USUAL_FOCAL = 0.86  # over the width
LEAST_PIXELS_SHARE, LEAST_SEEN = (
    0.003,
    0.3,
)  # elsewhere than in the middle: of the pixels, in such a share of the frames
THROWN_SIZE, CROSSING_SIZE = 0.75, 0.9  # of things that need room for their way
CROSSING_REACH, HIDING_REACH = 4.6, 1.5  # from the middle, in x: out of the view, and within
LEAST_TURN_DEG = 65.0  # of an object before the camera over the clip: what its structure from motion needs


@dataclass(frozen=True)
class Action:
    """Objects, their poses over time, and the two cameras; object 0, the background, is not among the objects."""

    objects: Sequence[Thing]
    world_from_object: Float[np.ndarray, "frame moving 4 4"]
    train_cameras: Float[np.ndarray, "frame 4 4"]
    test_cameras: Float[np.ndarray, "frame 4 4"]


def random_action(random: np.random.Generator, background: Thing, config: SimulateSceneConfig, focal: float) -> Action:
    """The first drawn action that is fit to be filmed; `focal` is the focal length over the width."""
    fit = fit_to_be_filmed if is_classic(config) else fit_elsewhere
    for _ in range(ATTEMPTS):
        action = draw_action(random, config)
        if fit(action, background, focal, config):
            return action
    raise StageError(
        f"seed {config.seed} gives no arrangement of {config.objects} objects that are all seen and do not collide; "
        "take another simulate_scene.seed or fewer objects"
    )


def is_classic(config: SimulateSceneConfig) -> bool:
    """Whether solid things tumble in the middle, and a camera looks at them from afar."""
    return config.motion == "tumbling" and config.things == "solid" and config.camera in ("moving", "static")


def passed_places(action: Action) -> Float[np.ndarray, "place xyz=3"]:
    """Where cameras and objects are over the clip."""
    paths = [action.train_cameras, action.test_cameras, *np.moveaxis(action.world_from_object, 1, 0)]
    return np.concatenate(paths)[:, :3, 3]


def fit_to_be_filmed(action: Action, background: Thing, focal: float, config: SimulateSceneConfig) -> bool:
    """Whether all are seen well and alone, from all their sides."""
    if collides(action) or covers(action) or not free_cameras(action, background) or not turns(action):
        return False
    shares = visible_shares(action, background, focal, config)
    # Wide lenses show all things smaller, and many things are small.
    least = LEAST_SHARE * min(1.0, (focal / USUAL_FOCAL) ** 2) * (0.5 if config.objects > 4 else 1.0)
    return shares.size == 0 or bool(np.quantile(shares, 0.1, axis=0).min() > least and shares.max() < LARGEST_SHARE)


def fit_elsewhere(action: Action, background: Thing, focal: float, config: SimulateSceneConfig) -> bool:
    """Whether nothing goes through another thing and everything is seen for a while."""
    if config.motion != "traffic" and (meets(action) or not unblocked(action)):
        return False
    seen = visible_shares(action, background, focal, config) > LEAST_PIXELS_SHARE
    return seen.size == 0 or bool((seen.mean(axis=0) > LEAST_SEEN).all())


def draw_action(random: np.random.Generator, config: SimulateSceneConfig) -> Action:
    """Objects of different kinds, each on its way, and the cameras."""
    if config.motion == "traffic":
        return draw_traffic(random, config)
    names = KINDS if config.things == "solid" else np.resize(THIN_KINDS, 6)
    kinds = np.resize(random.permutation(names), config.objects)
    make = random_object if config.things == "solid" else thin_object
    start = random.uniform(0, 2 * np.pi)
    objects, poses = [], []
    for number, kind in enumerate(kinds):
        thing = make(random, str(kind), object_size(config))
        angle = start + 2 * np.pi * number / config.objects + random.normal(scale=0.15)
        distance = RING_RADIUS[config.objects] * random.uniform(0.85, 1.15)
        place = np.array([distance * np.cos(angle), 0.0, distance * np.sin(angle)])
        objects.append(thing)
        poses.append(object_way(random, config, thing, place, number))
    train, test = cameras(random, config)
    stacked = np.stack(poses, axis=1) if poses else np.zeros((config.frames, 0, 4, 4))
    return Action(objects, stacked, train, test)


def draw_traffic(random: np.random.Generator, config: SimulateSceneConfig) -> Action:
    """Cars that drive before the camera."""
    cars = [random_car(random) for _ in range(config.objects)]
    train, test = cameras(random, config)
    paths = traffic(random, config, cars, train)
    return Action(cars, np.stack(paths, axis=1) if paths else np.zeros((config.frames, 0, 4, 4)), train, test)


def object_size(config: SimulateSceneConfig) -> float:
    """Smaller where there are many, or where they need room for their way."""
    room = {"thrown": THROWN_SIZE, "crossing": CROSSING_SIZE}
    return SIZES[config.objects] * room.get(config.motion, 1.0)


def object_way(
    random: np.random.Generator,
    config: SimulateSceneConfig,
    thing: Thing,
    place: Float[np.ndarray, "xyz=3"],
    number: int,
) -> Float[np.ndarray, "frame 4 4"]:
    """The poses of one of the objects; those that cross have a lane each, one behind the other."""
    if config.motion == "thrown":
        return thrown(random, config, thing)
    if config.motion == "resting":
        return resting(random, config, thing, place)
    if config.motion in ("crossing", "hiding"):
        reach = CROSSING_REACH if config.motion == "crossing" else HIDING_REACH
        lane = (number - (config.objects - 1) / 2) * 3.2 * SIZES[config.objects]
        return crossing(random, config, thing, lane, reach)
    return object_path(random, config.frames, thing, place, DRIFT[config.objects])


def object_path(
    random: np.random.Generator, frames: int, thing: Thing, place: Float[np.ndarray, "xyz=3"], drift: float
) -> Float[np.ndarray, "frame 4 4"]:
    """Balls and cylinders may roll; everything else tumbles."""
    rolls = random.uniform() < 0.6
    if thing.kind in ("ball", "cylinder") and rolls:
        return rolling(random, frames, place, thing.shapes[0].half_extent[0], upright=thing.kind == "ball")
    return tumbling(random, frames, place, thing.radius, drift)


def collides(action: Action) -> bool:
    """Whether two objects come near each other, or one leaves the middle of the room."""
    centres = action.world_from_object[:, :, :3, 3]
    for a, first in enumerate(action.objects):
        if (np.hypot(centres[:, a, 0], centres[:, a, 2]) + first.radius > ACTION_RADIUS).any():
            return True
        for b, second in enumerate(action.objects[:a]):
            apart = np.linalg.norm(centres[:, a] - centres[:, b], axis=-1)
            if (apart < first.radius + second.radius + 0.04).any():
                return True
    return False


def meets(action: Action) -> bool:
    """Whether two objects come near each other anywhere."""
    centres = action.world_from_object[:, :, :3, 3]
    for a, first in enumerate(action.objects):
        for b, second in enumerate(action.objects[:a]):
            if (np.linalg.norm(centres[:, a] - centres[:, b], axis=-1) < 0.9 * (first.radius + second.radius)).any():
                return True
    return False


def unblocked(action: Action) -> bool:
    """Whether no object comes so near to a camera that it fills the view."""
    eyes = np.stack([action.train_cameras[:, :3, 3], action.test_cameras[:, :3, 3]])
    apart = np.linalg.norm(eyes[:, :, None] - action.world_from_object[None, :, :, :3, 3], axis=-1)
    return bool((apart > [2 * thing.radius + 0.3 for thing in action.objects]).all())


def covers(action: Action) -> bool:
    """Whether one object stands much before another for long; a quick look that spares most renderings."""
    eyes = np.concatenate([action.train_cameras[:, :3, 3], action.test_cameras[:, :3, 3]])
    towards = np.concatenate([action.world_from_object[:, :, :3, 3]] * 2) - eyes[:, None]
    distance = np.linalg.norm(towards, axis=-1)
    apparent = np.arcsin(np.array([thing.radius for thing in action.objects]) / distance)
    direction = towards / distance[..., None]
    for a in range(len(action.objects)):
        for b in range(a):
            apart = np.arccos((direction[:, a] * direction[:, b]).sum(-1).clip(-1, 1))
            if (apart < 0.5 * (apparent[:, a] + apparent[:, b])).mean() > 0.15:
                return True
    return False


def free_cameras(action: Action, background: Thing) -> bool:
    """Whether all cameras keep away from furniture, walls, floor, ceiling and objects."""
    eyes = np.concatenate([action.train_cameras[:, :3, 3], action.test_cameras[:, :3, 3]])
    for shape, place in background.each():
        local = np.abs((eyes - place[:3, 3]) @ place[:3, :3])
        margin = (np.array(shape.half_extent) - local) * (1 if shape.inside else -1)
        if (margin.min(1) if shape.inside else margin.max(1)).min() < 0.25:
            return False
    return bool((eyes[:, 1] < -0.3).all() and (np.hypot(eyes[:, 0], eyes[:, 2]) > ACTION_RADIUS + 0.5).all())


def turns(action: Action) -> bool:
    """Whether every object shows the camera enough of its sides."""
    rotations = action.world_from_object[:, :, :3, :3]
    before_camera = np.swapaxes(action.train_cameras[:, None, :3, :3], -1, -2) @ rotations
    relative = np.swapaxes(before_camera[:1], -1, -2) @ before_camera
    return bool((rotation_angle_deg(relative).max(0) > LEAST_TURN_DEG).all())


def visible_shares(
    action: Action, background: Thing, focal: float, config: SimulateSceneConfig
) -> Float[np.ndarray, "sample moving"]:
    """Share of the pixels that each object takes, in frames spread over the clip, for both cameras."""
    parts = world_parts(background, action.objects)
    width = TEST_WIDTH
    height = max(2, round(width * config.height / config.width))
    shares = []
    for frame in np.linspace(0, len(action.train_cameras) - 1, TEST_FRAMES).round().astype(int):
        poses = poses_with_background(action.world_from_object[frame])
        for camera in (action.train_cameras[frame], action.test_cameras[frame]):
            view = View(torch.tensor(camera, dtype=torch.float32), focal * width, height, width)
            owners = solo_depths(parts, poses, *view.rays()).argmin(0)
            shares.append([(owners == number + 1).float().mean().item() for number in range(len(action.objects))])
    return np.array(shares)


def world_parts(background: Thing, objects: Sequence[Thing]) -> list[Part]:
    """The parts of everything: the background's first, then each object's."""
    return [
        Part(shape, number, torch.tensor(place, dtype=torch.float32))
        for number, thing in enumerate([background, *objects])
        for shape, place in thing.each()
    ]


def poses_with_background(world_from_object: Float[np.ndarray, "moving 4 4"]) -> Float[torch.Tensor, "object 4 4"]:
    """Poses of all objects, the background's being the world itself."""
    return torch.tensor(np.concatenate([np.eye(4)[None], world_from_object]), dtype=torch.float32)
