"""A rendered video of rigid things that move in a room, with everything that can be known about it.

Reads   nothing       the seed makes the scene
Writes  video.mp4     H.264, the moving camera's view
        truth.h5      images, depth, object ids, poses of the video's and of held-out views; depth of each object alone;
                      with `combinations`, held-out views of other scenes that show exactly the same video
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from models.simulation.ray_casting import solo_depths
from models.simulation.shading import SUBPIXELS, LitScene, View
from pipeline.cameras import IGNORE_ID, Intrinsics
from pipeline.cli import run_stage
from pipeline.config import SimulateSceneConfig
from pipeline.formats.lens import Lens
from pipeline.formats.video_file import write_video
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.runtime.device import stage_device
from pipeline.runtime.progress import progress
from pipeline.runtime.threads import one_thread_each
from pipeline.simulation.action import (
    Action,
    is_classic,
    passed_places,
    poses_with_background,
    random_action,
    world_parts,
)
from pipeline.simulation.filming import Shot, SimulatedWorld, check_lens, shoot, shoot_plainly
from pipeline.simulation.recording import compressed, focal_lengths, gains, overlaid
from pipeline.simulation.scales import draw_scales, ratio_limits, scaled_action
from pipeline.simulation.street import STREET_DEPTH, daylight, random_street, street_paints
from pipeline.simulation.world import (
    TYPICAL_DEPTH,
    cleared,
    painted_scene,
    random_background,
    random_lighting,
    random_paints,
    wandering_lamp,
    with_wires,
)
from pipeline.truth.fixed_scenes import check_fixed
from pipeline.truth.truth_file import TrueScenes, Truth, TruthViews, write_truth

log = logging.getLogger("pipeline.simulate_scene")
PASSING_MARGIN = 0.45  # between furniture and what passes
SCENE_VIEWS = 4  # of the held-out cameras, for each of the other scenes


def simulate_scene(video: Path, truth: Path, config: SimulateSceneConfig) -> None:
    """Make up a world, render it, write what it shows and what it is."""
    world = random_world(config, stage_device())
    rendered = render_truth(world, config)
    check_fixed(config, rendered)
    write_truth(truth, rendered)
    images, rate = compressed(rendered.train.images, config)
    write_video(video, images, config.fps, rate)
    report_shares(rendered)


def report_shares(truth: Truth) -> None:
    """How much of the video each object takes."""
    shares = [float((truth.train.object_ids == number).mean()) for number in range(truth.object_count)]
    log.info("share of the pixels, from object 0 on: %s %%", ", ".join(f"{100 * share:.1f}" for share in shares))


def random_world(config: SimulateSceneConfig, device: torch.device) -> SimulatedWorld:
    """The scene of a seed."""
    random = np.random.default_rng(config.seed)
    focal = random.uniform(0.86, 0.98)
    focal = config.recording.focal or focal
    check_lens(config.recording, focal * config.width, (config.height, config.width))
    lit, action = furnished(random, config, focal)
    # Shadows and the lamp's nearness tell where an object is, so that only one of its scales would be true.
    lit = replace(lit, shadows=config.combinations == 0, mirror=config.reflection)
    recording = config.recording
    focals_px = focal_lengths(config, focal * config.width) if recording.zoom != 1 else None
    # Draws of their own: what is recorded does not change what there is.
    light = np.random.default_rng([config.seed, 3])
    lamps = wandering_lamp(light, lit.lighting, config.frames) if config.moving_light else None
    gained = gains(light, config) if recording.exposure or recording.white_balance else None
    return SimulatedWorld(lit.to(device), action, focal * config.width, recording, focals_px, gained, lamps)


def furnished(random: np.random.Generator, config: SimulateSceneConfig, focal: float) -> tuple[LitScene, Action]:
    """A room or a street, lit, and what happens there."""
    if config.place == "street":
        street = random_street(random)
        action = random_action(random, street.thing, config, focal)
        pixel = STREET_DEPTH / (focal * config.width)
        paints = street_paints(random, street, action.objects, config, pixel)
        return painted_scene(world_parts(street.thing, action.objects), paints, daylight(random), pixel), action
    background = random_background(random, empty_middle=config.objects > 0)
    if config.things == "thin":
        background = with_wires(random, background)
    action = random_action(random, background, config, focal)
    if not is_classic(config):
        background = cleared(background, passed_places(action), PASSING_MARGIN)
    pixel = TYPICAL_DEPTH / (focal * config.width)
    paints = random_paints(random, background, action.objects, config, pixel)
    return painted_scene(world_parts(background, action.objects), paints, random_lighting(random), pixel), action


def render_truth(world: SimulatedWorld, config: SimulateSceneConfig) -> Truth:
    """Both sets of views, and the depth of each object alone in the video's."""
    size = (config.height, config.width)
    train, solo_depth = film(world, world.action.train_cameras, size, "rendering the video", own=True)
    held_out = None if config.held_out_views is None else np.array(evenly_chosen(config.frames, config.held_out_views))
    test, _ = film(world, world.action.test_cameras, size, "rendering held-out views", held_out)
    random = np.random.default_rng([config.seed, 1])
    noisy = train.images + config.noise * random.standard_normal(train.images.shape, dtype=np.float32)
    shown, drawn = overlaid(noisy.round().clip(0, 255).astype(np.uint8), config)
    ids, depth = np.where(drawn, np.uint8(IGNORE_ID), train.object_ids), np.where(drawn, np.float32(0), train.depth)
    train = replace(train, images=shown, object_ids=ids, depth=depth, **recorded(world, config))
    scenes = render_scenes(world, config) if config.combinations else None
    return Truth(train, test, solo_depth, world.focal_px, scenes)


def recorded(world: SimulatedWorld, config: SimulateSceneConfig) -> dict[str, Any]:
    """What truth says of a camera that is no plain pinhole: its lens, the focal length of each frame, the readout."""
    recording, (x, y) = config.recording, (config.width / 2, config.height / 2)
    params = {
        "radial": ("SIMPLE_RADIAL", (world.focal_px, x, y, recording.k1)),
        "fisheye": ("OPENCV_FISHEYE", (world.focal_px, world.focal_px, x, y, 0.0, 0.0, 0.0, 0.0)),
    }
    lens = Lens(*params[recording.lens], config.width, config.height) if recording.lens in params else None
    intrinsics = None
    if world.focals_px is not None:
        intrinsics = np.stack([Intrinsics.centred(f, config.height, config.width).values for f in world.focals_px])
    return {"lens": lens, "intrinsics": intrinsics, "rolling_shutter": recording.rolling_shutter}


def render_scenes(world: SimulatedWorld, config: SimulateSceneConfig) -> TrueScenes:
    """Held-out views, evenly chosen, of other scenes that show the same video."""
    size: tuple[int, int] = (config.height, config.width)
    scales = draw_scales(np.random.default_rng([config.seed, 2]), video_limits(world, size), config.combinations)
    rows, films = np.array(evenly_chosen(config.frames, SCENE_VIEWS)), []
    for number, row in enumerate(scales, start=1):
        moved = replace(world, action=scaled_action(world.action, row))
        films.append(film(moved, world.action.test_cameras, size, f"scene {number} of {len(scales)}", rows)[0])
    images, depth, ids = (
        np.stack([getattr(views, name) for views in films]) for name in ("images", "depth", "object_ids")
    )
    return TrueScenes(scales, rows, images, depth, ids)


def video_limits(world: SimulatedWorld, size: tuple[int, int]) -> Float[np.ndarray, "seen behind"]:
    """Below which ratios of scales nothing in the video changes: no pixel's centre, and no sample of its colour."""
    limits = np.full((len(world.action.objects) + 1,) * 2, np.inf)
    for camera, placed in zip(world.action.train_cameras, world.action.world_from_object, strict=True):
        view = View(torch.tensor(camera, dtype=torch.float32), world.focal_px, *size)
        for shift in (*SUBPIXELS, (0.0, 0.0)):
            poses = poses_with_background(placed)
            depth = solo_depths(world.lit.to(poses.device).parts, poses, *view.rays(shift)).reshape(-1, 1, *size)
            solo = torch.where(depth.isfinite(), depth, 0).double().numpy()
            limits = np.minimum(limits, ratio_limits(solo, depth.argmin(0).byte().numpy()))
    return limits


def film(
    world: SimulatedWorld,
    world_from_camera: Float[np.ndarray, "frame 4 4"],
    size: tuple[int, int],
    what: str,
    frames: Int[np.ndarray, "view"] | None = None,
    own: bool = False,
) -> tuple[TruthViews, Float[np.ndarray, "object view height width"]]:
    """The views of a camera path, all or some, and the depth of each object alone (0 where it is not).

    `own`: as the video's own camera records them, which goes along that path.
    """

    def take(frame: int) -> Shot:
        return shoot(world, frame, size) if own else shoot_plainly(world, world_from_camera[frame], frame, size)

    frames = np.arange(len(world_from_camera)) if frames is None else frames
    on_cpu = world.device.type == "cpu"
    with one_thread_each() as threads, ThreadPoolExecutor(threads if on_cpu else 1) as pool:
        shots = pool.map(take, frames.tolist())
        images, solo = zip(*progress(shots, what, total=len(frames), unit="frames"), strict=True)
    depth = np.stack(solo, axis=1)
    views = TruthViews(
        images=np.stack(images),
        depth=depth.min(axis=0),
        object_ids=depth.argmin(axis=0).astype(np.uint8),
        world_from_camera=world_from_camera[frames],
        world_from_object=world.action.world_from_object[frames],
        time=frames.astype(np.int32),
    )
    return views, np.where(np.isfinite(depth), depth, 0)


if __name__ == "__main__":
    run_stage(simulate_scene)
