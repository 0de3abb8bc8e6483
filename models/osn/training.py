"""What a batch of rays says about the fields, in each of the two phases."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.osn.compositing import PerObjectSums
from models.osn.loops import SampleGradients
from models.osn.losses import colour_loss, depth_loss, distortion_loss, segmentation_loss, silhouette_loss
from models.osn.marching import ObjectRays
from models.osn.object_scene import Grids, ObjectScene
from models.osn.training_pixels import PixelBatch
from models.rays import TensorFields


@dataclass(frozen=True)
class StepLosses(TensorFields):
    """The parts of a loss, unweighted, and how many samples it took."""

    colour: Float[Tensor, ""]
    depth: Float[Tensor, ""]
    objects: Float[Tensor, ""]
    distortion: Float[Tensor, ""]
    samples: Float[Tensor, ""]


# Of a scene, its grids, pixels, a scale vector for each ray, jitter, and the list that samples' gradients go to.
CompositeLosses = Callable[
    [ObjectScene, Grids, PixelBatch, Float[Tensor, "ray object"], torch.Generator, list[SampleGradients]], StepLosses
]


def only(rays: ObjectRays, active: Bool[Tensor, "object ray"]) -> ObjectRays:
    """The rays, of which some are not followed through some objects."""
    return ObjectRays(rays.origins, rays.directions, rays.present & active)


def own_object(objects: Int64[Tensor, "ray"], count: int) -> Bool[Tensor, "object ray"]:
    """True for the object that each ray saw."""
    return torch.nn.functional.one_hot(objects, count).bool().T


def bootstrap_losses(
    scene: ObjectScene,
    grids: Grids,
    batch: PixelBatch,
    jitter: torch.Generator,
    buffer: list[SampleGradients],
) -> StepLosses:
    """OSN's bootstrap: each object alone on its own certain pixels.

    Here moving objects are rendered also where the background is seen past them.
    """
    rays = scene.observed_rays(batch.frames, batch.directions)
    own = own_object(batch.objects, scene.object_count)
    sums = scene.render_per_object(
        grids, only(rays, own | (batch.objects == 0)), batch.frames, None, jitter, buffer=buffer
    )
    behind = torch.where(
        (batch.objects == 0)[:, None],
        scene.far_colour(rays.directions[0]) * (1 - sums.weight[:, :1]),
        torch.zeros_like(batch.colours),
    )
    chosen = batch.objects[:, None, None].expand(-1, 1, 3)
    colour = sums.colour.gather(1, chosen)[:, 0] + behind
    return StepLosses(
        colour_loss(colour, batch.colours, batch.certain.float()),
        depth_loss(sums, batch.objects, batch.depth, batch.depth_weight),
        silhouette_loss(sums.weight, batch.objects, batch.trust, (batch.depth_weight > 0).any()),
        distortion_loss(sums),
        sums.samples.sum(),
    )


def composite_losses(
    scene: ObjectScene,
    grids: Grids,
    batch: PixelBatch,
    scales: Float[Tensor, "ray object"],
    jitter: torch.Generator,
    buffer: list[SampleGradients],
) -> StepLosses:
    """OSN's composite phase: all objects together, under a scale vector per ray; in OSN one a step."""
    rays = scene.observed_rays(batch.frames, batch.directions)
    sums = scene.render_per_object(grids, rays, batch.frames, scales, jitter, buffer=buffer)
    colour, object_weights = composed(scene, sums, rays.directions[0])
    own = scales.gather(1, batch.objects[:, None])[:, 0]
    return StepLosses(
        colour_loss(colour, batch.colours, torch.ones_like(batch.trust)),
        depth_loss(sums, batch.objects, batch.depth * own, batch.depth_weight),
        segmentation_loss(object_weights, batch.objects, batch.trust),
        distortion_loss(sums),
        sums.samples.sum(),
    )


def composed(
    scene: ObjectScene, sums: PerObjectSums, directions: Float[Tensor, "ray xyz=3"]
) -> tuple[Float[Tensor, "ray rgb=3"], Float[Tensor, "ray object"]]:
    """Colours of whole rays and the weight of each object; what passes through everything is the background's."""
    clear = (1 - sums.weight.sum(dim=1)).clamp(min=0)
    colour = sums.colour.sum(dim=1) + clear[:, None] * scene.far_colour(directions)
    object_weights = torch.cat([sums.weight[:, :1] + clear[:, None], sums.weight[:, 1:]], dim=1)
    return colour, object_weights
