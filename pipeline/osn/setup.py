"""From a scene and a config to what OSN trains: geometry, pixels, sparse depths, grids, optimisers, schedule."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.osn.object_scene import FieldShape, ObjectScene, SceneGeometry
from models.osn.scale_network import ScaleNetwork
from models.osn.training_pixels import SparseDepths, TrainingPixels
from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError

LEAST_NODES = 24
NODES_PER_PIXEL = 1.0  # an object's grid need not be finer than its largest image
NETWORK_RATE = 3e-3
SCALE_RATE = 5e-3  # of the logarithm, where one scale for each object is learnt
OWN_GROUPS = {"corrections": "poses", "log_scales": "scales"}  # of the optimiser, by the names of parameters
GRIDS_DONE = 0.6  # share of the steps after which the finest grid is in place


@dataclass(frozen=True)
class Phase:
    """A stretch of training: `bootstrap`, `composite` or `network`; `round` counts the alternation."""

    name: str
    steps: int
    round: int = 0


def schedule(config: TrainOsnConfig, with_network: bool) -> list[Phase]:
    """All phases in order, OSN's alternation with fewer and shorter rounds and a last look at the scales.

    A scene of one object, and a baseline, have no scales to learn.
    """
    bootstrap = Phase("bootstrap", config.bootstrap_steps)
    if not with_network:
        return [bootstrap, Phase("composite", config.steps)]
    round_steps = min(config.round_steps, max(1, config.steps // config.rounds))
    phases = [bootstrap]
    for number in range(config.rounds):
        phases += [Phase("network", config.network_steps, number), Phase("composite", round_steps, number)]
    rest = config.steps - config.rounds * round_steps
    return [
        *phases,
        Phase("composite", max(0, rest), config.rounds),
        Phase("network", config.network_steps, config.rounds),
    ]


def scene_geometry(scene: Scene, device: torch.device) -> SceneGeometry:
    """The tensors of a scene's geometry; unknown poses take their nearest known one's, and stay marked as unknown."""
    poses = scene.object_from_camera.copy()
    for k, visible in enumerate(scene.visible):
        known = np.flatnonzero(visible)
        if not len(known):
            raise StageError(f"object {scene.objects[k]['name']} is registered in no frame; see geometry.json")
        nearest = known[np.abs(np.arange(len(visible))[:, None] - known).argmin(1)]
        poses[k] = poses[k, nearest]
    near, far = (float(bound) for bound in scene.depth_range)
    return SceneGeometry(
        torch.from_numpy(poses).float().to(device),
        torch.from_numpy(scene.visible).to(device),
        torch.from_numpy(scene.box_half_extent).float().to(device),
        near,
        far,
    )


def training_pixels(
    scene: Scene,
    config: TrainOsnConfig,
    device: torch.device,
    numbers: list[int] | None = None,
    depths: SparseDepths | None = None,
) -> TrainingPixels:
    """The scene's pixels with the depths that training is told, its sparse points where none are given.

    `numbers` are its frames' in the video, where it is a part of it.
    """
    return TrainingPixels.build(
        torch.from_numpy(scene.images).to(device),
        torch.from_numpy(scene.object_ids).to(device),
        torch.from_numpy(scene.intrinsics).float().to(device),
        torch.from_numpy(scene.visible).to(device),
        (sparse_depths(scene) if depths is None else depths).to(device),
        config.border_px,
        config.border_weight,
        None if numbers is None else torch.tensor(numbers, device=device),
    )


def sparse_depths(scene: Scene) -> SparseDepths:
    """The scene's sparse points on pixels of their object, in frames where it is registered."""
    height, width = scene.images.shape[1:3]
    column, row = np.floor(scene.observation_xy).astype(np.int64).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height) & (scene.observation_depth > 0)
    frame, column, row = scene.observation_frame[inside].astype(np.int64), column[inside], row[inside]
    owner = scene.observation_object[inside]
    usable = scene.visible[owner, frame] & (scene.object_ids[frame, row, column] == owner)
    return SparseDepths(
        torch.from_numpy(((frame * height + row) * width + column)[usable]),
        torch.from_numpy(scene.observation_depth[inside][usable]).float(),
        torch.from_numpy(scene.observation_weight[inside][usable]).float(),
    )


def largest_images(scene: Scene) -> list[float]:
    """The longer side of each object's largest image, in pixels."""
    sides = []
    for k in range(scene.object_count):
        mask = scene.object_ids == k
        heights, widths = mask.any(axis=2).sum(axis=1), mask.any(axis=1).sum(axis=1)
        sides.append(float(max(heights.max(), widths.max())))
    return sides


def grid_resolutions(scene: Scene, nodes: int) -> list[tuple[int, int, int]]:
    """Grids of about `nodes`^3 cubic cells; moving objects get no more than their images can show."""
    resolutions = []
    for k, (half, pixels) in enumerate(zip(scene.box_half_extent, largest_images(scene), strict=True)):
        own = nodes if k == 0 else min(nodes, max(LEAST_NODES, round(NODES_PER_PIXEL * pixels)))
        shares = half / half.prod() ** (1 / 3)
        x, y, z = (int(size) for size in np.clip(np.round(own * shares), LEAST_NODES // 2, 4 * own))
        resolutions.append((x, y, z))
    return resolutions


def grid_steps(config: TrainOsnConfig) -> list[int]:
    """The field step at which each grid begins."""
    total = config.bootstrap_steps + config.steps
    return [round(GRIDS_DONE * total * i / max(1, len(config.grids) - 1)) for i in range(len(config.grids))]


def field_shape(config: TrainOsnConfig) -> FieldShape:
    return FieldShape(
        density_channels=config.density_channels,
        colour_channels=config.colour_channels,
        even_depth=config.ablation.sampling == "even_depth",
        refined_poses=config.pose_lr > 0,
        mixed_precision=config.mixed_precision,
    )


def field_optimiser(fields: ObjectScene, config: TrainOsnConfig) -> torch.optim.Adam:
    """Planes and lines learn fast, networks slowly; planes of colour fall back where nothing was seen."""
    members: dict[str, list[torch.nn.Parameter]] = {
        name: [] for name in ("grids", "colours", "networks", "poses", "scales")
    }
    for name, parameter in fields.named_parameters():
        members[optimiser_group(name)].append(parameter)
    rates = {
        "grids": config.grid_lr,
        "colours": config.grid_lr,
        "networks": config.network_lr,
        "poses": config.pose_lr,
        "scales": SCALE_RATE,
    }
    groups = [
        {
            "params": members[name],
            "lr": rate,
            "first_rate": rate,
            "weight_decay": config.colour_weight_decay if name == "colours" else 0.0,
        }
        for name, rate in rates.items()
        if members[name]
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)


def optimiser_group(name: str) -> str:
    """Which parameters learn alike, by their names in `ObjectScene`."""
    if name in OWN_GROUPS:
        return OWN_GROUPS[name]
    if name.startswith("shaders.") or name.endswith((".basis", ".tint")):
        return "networks"
    return "colours" if ".colour_planes." in name else "grids"


def network_optimiser(network: ScaleNetwork) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=NETWORK_RATE, fused=True)


def scale_bank(count: int, moving: int, seed: int, device: torch.device) -> Float[Tensor, "sample moving"]:
    """Points that fill the unit cube evenly."""
    return torch.quasirandom.SobolEngine(moving, scramble=True, seed=seed).draw(count).to(device)
