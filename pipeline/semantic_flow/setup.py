"""From a scene and the settings to Semantic Flow's models: one for each stage of training."""

import logging
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.space import Cameras, Region
from models.semantic_flow.batch import RayBudget, Weights
from models.semantic_flow.flow_features import FrameMaps
from models.semantic_flow.model import SceneBounds, SemanticFlow, Sizes
from models.semantic_flow.ndc import NdcRegion
from models.semantic_flow.reference_body import ReferenceFlow
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene
from pipeline.scene.region import MARGIN, STATIC_SHELL, box, static_region

log = logging.getLogger(__name__)
COARSER = 2  # stage 1 begins on grids with fewer cells by this factor along each axis
DYNAMIC_SHELL, DYNAMIC_BOUNDS = 0.35, (1.0, 99.0)
FORWARD_COSINE = 0.7  # of the largest angle between two views for which NDC makes sense


def first_bounds(scene: Scene, cameras: Cameras, space: Literal["world", "ndc"] = "world") -> SceneBounds:
    """Where the static scene is; moving things have no place of their own yet."""
    near, far = (float(value) for value in scene.depth_range)
    region = static_region(scene) if space == "world" else ndc_region(scene, cameras)
    return SceneBounds(cameras, region, region, near, far)


def ndc_region(scene: Scene, cameras: Cameras) -> NdcRegion:
    """The whole of the NDC of the middle view, with a margin around its image."""
    known = np.flatnonzero(scene.visible[0])
    views = cameras.world_from_camera[known]
    middle = views[len(views) // 2]
    aside = float((views[:, :3, 2] @ middle[:3, 2]).min())
    if aside < FORWARD_COSINE:
        log.warning(
            "the camera turns by %.0f degrees: NDC is for videos that look one way, take train_semantic_flow.space: world",
            np.degrees(np.arccos(aside)),
        )
    fx, fy = cameras.intrinsics[:2].tolist()
    slopes = (MARGIN * cameras.width / 2 / fx, MARGIN * cameras.height / 2 / fy)
    near, unit = float(scene.depth_range[0]), static_region(scene).unit
    return NdcRegion(torch.zeros(3), torch.ones(3), STATIC_SHELL, middle.cpu(), slopes, near, unit)


def second_bounds(first: SceneBounds, moving: Float[np.ndarray, "point xyz=3"]) -> SceneBounds:
    """The same with a finer region around what moves."""
    cpu = first.to("cpu")
    whole = cpu.static_region
    if len(moving) < 20:
        region = whole
    elif isinstance(whole, NdcRegion):
        inside = box(whole.ndc(torch.from_numpy(moving).float()).double().numpy(), DYNAMIC_BOUNDS, DYNAMIC_SHELL)
        region = replace(whole, centre=inside.centre, half_extent=inside.half_extent, shell=inside.shell)
    else:
        region = box(moving, DYNAMIC_BOUNDS, DYNAMIC_SHELL)
    return SceneBounds(cpu.cameras, whole, region, cpu.near, cpu.far)


def grid_resolution(region: Region, cells: float) -> tuple[int, int, int]:
    """A grid of about so many cubic cells, at least 8 along each axis."""
    half = region.half_extent.tolist()
    side = (half[0] * half[1] * half[2] / cells) ** (1 / 3)
    x, y, z = (max(round(extent / side), 8) for extent in half)
    return x, y, z


def model_sizes(config: TrainSemanticFlowConfig, classes: int, bounds: SceneBounds, coarser: int) -> Sizes:
    """The sizes of the networks; `coarser` divides the static grids' resolution."""
    return Sizes(
        classes=classes,
        static_resolution=grid_resolution(bounds.static_region, config.static_cells / coarser**3),
        static_feature_resolution=config.static_resolution // coarser,
        static_channels=config.static_channels,
        dynamic_resolution=config.dynamic_resolution,
        dynamic_channels=config.dynamic_channels,
        velocity_resolution=config.velocity_resolution,
        velocity_channels=max(config.dynamic_channels // 2, 1),
        coarse_samples=config.coarse_samples,
        fine_samples=config.fine_samples,
        semantic_samples=config.semantic_samples,
        reach=config.reach,
        integrator=config.integrator,
        substeps=config.substeps,
        head=config.ablation.head,
        displacement=config.ablation.displacement,
        density_prior=config.ablation.density_prior,
        geometry_feature=config.ablation.geometry_feature,
        body=config.body,
    )


def create_model(sizes: Sizes, bounds: SceneBounds, maps: FrameMaps, seed: int, device: torch.device) -> SemanticFlow:
    """A model with seeded weights, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    kind = SemanticFlow if sizes.body == "grids" else ReferenceFlow
    model = kind(sizes, bounds, maps.to("cpu"), generator).to(device)
    model.bounds = bounds.to(device)
    model.velocity.region = model.bounds.dynamic_region
    return model


def second_model(
    first: SemanticFlow, config: TrainSemanticFlowConfig, bounds: SceneBounds, device: torch.device
) -> SemanticFlow:
    """The model of stage 2: finer, with all that the first learned of the static scene."""
    sizes = model_sizes(config, first.sizes.classes, bounds, 1)
    model = create_model(
        sizes,
        bounds,
        FrameMaps(first.maps.features, torch.full_like(first.maps.depth, float("inf"))),
        config.seed + 1,
        device,
    )
    model.static.take(first.static)
    return model


def loss_weights(config: TrainSemanticFlowConfig) -> Weights:
    return Weights(**config.loss_weights.model_dump())


def ray_budget(config: TrainSemanticFlowConfig, shards: int) -> RayBudget:
    """What each shard of a step looks at."""
    return RayBudget(
        max(config.semantic_rays // shards, 1), max(config.warped_rays // shards, 1), config.consistency_frames
    )


def fields_rate(config: TrainSemanticFlowConfig) -> float:
    """The learning rate of what the chosen body's fields are made of."""
    return config.grid_lr if config.body == "grids" else config.reference_lr


def optimiser(model: SemanticFlow, config: TrainSemanticFlowConfig, with_head: bool = True) -> torch.optim.Adam:
    """Adam with one rate for grids (or all fields of the reference body) and one for the other networks.

    Without the semantic head where scenes share it.
    """
    grids: list[Tensor] = []
    networks: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if not with_head and name.startswith("head."):
            continue
        is_grid = any(part in name for part in ("grid.", "appearance.", "shape.", ".planes."))
        is_body = config.body == "reference" and not name.startswith("head.")
        (grids if is_grid or is_body else networks).append(parameter)
    groups = [{"params": grids, "lr": fields_rate(config)}, {"params": networks, "lr": config.network_lr}]
    return torch.optim.Adam(groups, betas=(0.9, 0.99), fused=True)
