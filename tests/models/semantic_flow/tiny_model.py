"""A model that is small enough to be checked, and rays through it."""

import torch

from models.ops.space import Cameras, Region
from models.rays import Rays
from models.semantic_flow.batch import Batch
from models.semantic_flow.flow_features import FrameMaps
from models.semantic_flow.model import SceneBounds, SemanticFlow, Sizes

FRAMES, HEIGHT, WIDTH = 5, 12, 16


def tiny_cameras() -> Cameras:
    """Cameras that move sideways."""
    poses = torch.eye(4).repeat(FRAMES, 1, 1)
    poses[:, 0, 3] = torch.linspace(-0.3, 0.3, FRAMES)
    return Cameras(poses, torch.tensor([20.0, 20.0, 8.0, 6.0]), HEIGHT, WIDTH)


def tiny_model(seed: int = 0, **changes: object) -> SemanticFlow:
    """A model with random fields, something of which is seen."""
    generator = torch.Generator().manual_seed(seed)
    around = Region(torch.tensor([0.0, 0.0, 2.5]), torch.tensor([1.5, 1.5, 1.5]))
    maps = FrameMaps(torch.randn(FRAMES, 6, 8, 5, generator=generator).half(), torch.full((FRAMES, 3, 4), float("inf")))
    values: dict[str, object] = {
        "classes": 3,
        "static_resolution": (9, 8, 7),
        "static_channels": 4,
        "static_feature_resolution": 8,
        "dynamic_resolution": 8,
        "dynamic_channels": 4,
        "velocity_resolution": 6,
        "velocity_channels": 2,
        "coarse_samples": 24,
        "fine_samples": 12,
        "semantic_samples": 2,
        "reach": 1,
        "integrator": "euler",
        "substeps": 1,
        "head": "flow_attention",
        "displacement": True,
        "density_prior": True,
        "geometry_feature": False,
    }
    bounds = SceneBounds(tiny_cameras(), around, around, 1.0, 4.0)
    model = SemanticFlow(Sizes(**{**values, **changes}), bounds, maps, generator)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def tiny_rays(count: int, seed: int = 0) -> tuple[Rays, torch.Tensor]:
    """Rays through random pixels of random frames, and the pixels."""
    generator, cameras = torch.Generator().manual_seed(seed), tiny_cameras()
    xy = torch.rand(count, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT])
    frames = torch.randint(FRAMES, (count,), generator=generator)
    return Rays(cameras.world_from_camera[frames, :3, 3], cameras.directions(xy, frames), frames), xy


def tiny_batch(count: int, seed: int = 0) -> Batch:
    """A batch in which everything is known."""
    generator = torch.Generator().manual_seed(seed + 1)
    rays, xy = tiny_rays(count, seed)
    neighbour = torch.where(rays.frames == FRAMES - 1, -1, 1)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    return Batch(
        rays=rays,
        xy=xy,
        colour=random(count, 3),
        label=torch.randint(-1, 3, (count,), generator=generator),
        moving=(random(count) < 0.4).float(),
        neighbour=neighbour,
        flow=random(count, 2) - 0.5,
        flow_valid=random(count) < 0.9,
        depth=2 + random(count),
        confidence=(random(count) < 0.3).float(),
        motion=0.1 * random(count, 3),
        motion_known=random(count) < 0.2,
    )
