"""One frame of a simulated world: exact depth, and the image as a plain camera or the scene's own one takes it.

A frame's pose is that of the middle of its exposure, in the middle row. Where the shutter rolls, row r of h is taken
(r / h - 1/2) of the readout later; poses between frames lie on the shortest rotation and the straight line.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from models.simulation.lens_rays import PINHOLE, FisheyeLens, LensRays, RadialLens
from models.simulation.ray_casting import solo_depths
from models.simulation.shading import SUBPIXELS, LitScene, View, render_image, render_sample, srgb
from pipeline.cameras import rigid
from pipeline.config import RecordingConfig
from pipeline.runtime.errors import StageError
from pipeline.simulation.action import Action, poses_with_background
from pipeline.simulation.recording import enlarged_middle

BANDS = 8  # parts of a rolling shutter's frame in which objects stand still; the camera moves with every row
BLUR_SAMPLES = 12  # rays a pixel where the exposure is long
PLAIN = RecordingConfig()
Shot = tuple[UInt8[np.ndarray, "height width rgb=3"], Float[np.ndarray, "object height width"]]


@dataclass(frozen=True)
class SimulatedWorld:
    """What is lit, what moves, the focal length of plain views, and what differs from frame to frame.

    `focals_px` (where it zooms) and `gains` of linear light are those of the video; `lamps` are for all views.
    """

    lit: LitScene
    action: Action
    focal_px: float
    recording: RecordingConfig = PLAIN
    focals_px: Float[np.ndarray, "frame"] | None = None
    gains: Float[np.ndarray, "frame rgb=3"] | None = None
    lamps: Float[np.ndarray, "frame xyz=3"] | None = None

    @property
    def device(self) -> torch.device:
        return self.lit.lighting.lamp.device

    def lit_at(self, frame: int) -> LitScene:
        """What is lit in a frame, by the lamp where it then is."""
        if self.lamps is None:
            return self.lit
        lamp = torch.tensor(self.lamps[frame], dtype=torch.float32, device=self.device)
        return replace(self.lit, lighting=replace(self.lit.lighting, lamp=lamp))


def shoot_plainly(
    world: SimulatedWorld, world_from_camera: Float[np.ndarray, "4 4"], frame: int, size: tuple[int, int]
) -> Shot:
    """A pinhole's sharp image, and the depth of each object alone (inf where it is not)."""
    poses = poses_with_background(world.action.world_from_object[frame]).to(world.device)
    pose = torch.tensor(world_from_camera, dtype=torch.float32, device=world.device)
    view = View(pose, world.focal_px, *size)
    image = (255 * render_image(world.lit_at(frame), poses, view)).round().byte()
    depths = solo_depths(world.lit.parts, poses, *view.rays())
    return image.cpu().numpy(), depths.reshape(-1, *size).cpu().numpy()


def shoot(world: SimulatedWorld, frame: int, size: tuple[int, int]) -> Shot:
    """The video's image by lens, zoom, shutter and exposure, and the depths at the middle of the exposure."""
    recording = world.recording
    if records_plainly(world):
        return shoot_plainly(world, world.action.train_cameras[frame], frame, size)
    focals = np.full(frame + 1, world.focal_px) if world.focals_px is None else world.focals_px
    focal = focals[frame]
    taken = focals.min() if recording.digital_zoom else focal
    linear = exposed(world, frame, size, taken)
    if world.gains is not None:
        linear = linear * torch.tensor(world.gains[frame], dtype=torch.float32)
    image = (255 * srgb(linear)).round().byte().numpy().reshape(*size, 3)
    if recording.digital_zoom:
        image = enlarged_middle(image, focal / taken)
    depths = [
        solo_depths(world.lit.parts, poses, *view.rays()) for poses, view in bands(world, frame, 0.0, size, focal)
    ]
    return image, torch.cat(depths, dim=1).reshape(-1, *size).cpu().numpy()


def records_plainly(world: SimulatedWorld) -> bool:
    """Whether the video's camera is a plain pinhole with a short shutter."""
    recording = world.recording
    special = recording.lens != "pinhole" or recording.motion_blur or recording.rolling_shutter
    return not special and world.focals_px is None and world.gains is None


def exposed(
    world: SimulatedWorld, frame: int, size: tuple[int, int], focal_px: float
) -> Float[torch.Tensor, "ray rgb=3"]:
    """Linear light, a mean over the pixel and over the time that the shutter is open."""
    blur = world.recording.motion_blur
    count = BLUR_SAMPLES if blur else len(SUBPIXELS)
    # Neighbouring times take different places in the pixel, so that both are spread evenly.
    delays = blur * ((np.arange(count) + 0.5) / count - 0.5)
    light = torch.zeros(size[0] * size[1], 3)
    for number, delay in enumerate(delays):
        taken = [
            render_sample(world.lit_at(frame), poses, view, number % len(SUBPIXELS))
            for poses, view in bands(world, frame, delay, size, focal_px)
        ]
        light += torch.cat(taken).cpu() / count
    return light


def bands(
    world: SimulatedWorld, frame: int, delay: float, size: tuple[int, int], focal_px: float
) -> list[tuple[Float[torch.Tensor, "object 4 4"], View]]:
    """Objects' poses and the view of each band of rows; one band where all rows are taken at once."""
    height, width = size
    readout, lens = world.recording.rolling_shutter, lens_rays(world.recording)
    edges = np.linspace(0, height, (BANDS if readout else 1) + 1).round().astype(int)
    found = []
    for start, stop in pairwise(edges):
        late = readout * ((np.arange(start, stop) + 0.5) / height - 0.5)
        cameras = poses_at(world.action.train_cameras, frame + delay + (late if readout else np.zeros(1)))
        pose = torch.tensor(cameras if readout else cameras[0], dtype=torch.float32, device=world.device)
        moved = objects_at(world.action.world_from_object, frame + delay + late.mean()).to(world.device)
        found.append((moved, View(pose, focal_px, height, width, lens, range(start, stop))))
    return found


def lens_rays(recording: RecordingConfig) -> LensRays:
    """The lens of the settings."""
    if recording.lens == "radial":
        return RadialLens(recording.k1)
    return FisheyeLens() if recording.lens == "fisheye" else PINHOLE


def check_lens(recording: RecordingConfig, focal_px: float, size: tuple[int, int]) -> None:
    """Refuse a barrel so strong that its image ends within the frame."""
    corner = np.hypot(*size) / 2 / focal_px
    if recording.k1 < 0 and corner > 2 / 3 / np.sqrt(-3 * recording.k1):  # the largest of r (1 + k1 r^2)
        raise StageError(
            f"simulate_scene.recording.k1: {recording.k1:g} folds the image's corners at this focal length; take a "
            f"weaker lens (k1 above {-4 / 27 / corner**2:.2f}) or a longer recording.focal"
        )


def objects_at(
    world_from_object: Float[np.ndarray, "frame moving 4 4"], time: float
) -> Float[torch.Tensor, "object 4 4"]:
    """Poses of all objects, the background's first, at a time in frames."""
    moved = [poses_at(world_from_object[:, k], np.array([time]))[0] for k in range(world_from_object.shape[1])]
    return poses_with_background(np.stack(moved) if moved else np.zeros((0, 4, 4)))


def poses_at(poses: Float[np.ndarray, "frame 4 4"], times: Float[np.ndarray, "time"]) -> Float[np.ndarray, "time 4 4"]:
    """Poses between frames, and a little before the first and after the last as their neighbours go on."""
    before = np.floor(times).astype(int).clip(0, len(poses) - 2)
    share = times - before
    start, end = poses[before], poses[before + 1]
    turn = Rotation.from_matrix(np.swapaxes(start[:, :3, :3], 1, 2) @ end[:, :3, :3]).as_rotvec()
    rotation = start[:, :3, :3] @ Rotation.from_rotvec(share[:, None] * turn).as_matrix()
    return rigid(rotation, start[:, :3, 3] + share[:, None] * (end[:, :3, 3] - start[:, :3, 3]))
