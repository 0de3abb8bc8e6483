"""Total-Recon (Song et al., ICCV 2023) for rigid objects: what its joint phase minimises, in our object fields.

Written from the paper. A scene is the background's field and one for each object, each with its root body's pose in every
frame; a ray's samples of all of them are sorted by their depth in the scene and composited as one (sum of T_i alpha_i c_i).
With `X_k = R_k x / s_k + t_k` of OSN the sample z' of object k lies at depth s_k z': one scale s_k an object, learnt jointly
with fields and poses by the losses of colour and depth.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from models.osn.compositing import PerObjectSums
from models.osn.loops import SampleGradients
from models.osn.losses import colour_loss, depth_loss, distortion_loss
from models.osn.marching import ObjectRays
from models.osn.object_scene import Grids, ObjectScene
from models.osn.training import StepLosses, composed
from models.osn.training_pixels import PixelBatch

SCALE_STEP = 0.02  # of log scales, over which colours are compared: scales change the order of samples only
COLOUR_STRIDE = 4  # every so many-th ray asks how its colour changes with the scales
DEPTH_ERROR = 0.05  # relative error above which the loss of depth is no longer squared: Total-Recon's is absolute
LEAST_WEIGHT = 1e-3


def joint_losses(
    scene: ObjectScene,
    grids: Grids,
    batch: PixelBatch,
    told: Float[Tensor, "ray object"],
    jitter: torch.Generator,
    buffer: list[SampleGradients],
) -> StepLosses:
    """Colour and depth of whole rays under the scales that are learnt.

    `told` are the scales by which depths in objects' own units become those of the scene that training was told. The
    silhouettes of the objects count in the bootstrap only, as in the paper.
    """
    rays, scales = scene.observed_rays(batch.frames, batch.directions), scene.learnt_scales()
    every = scales.expand(len(batch.frames), -1)
    fixed = every.detach().contiguous()
    sums = at_scales(scene.render_per_object(grids, rays, batch.frames, fixed, jitter, buffer=buffer), every)
    colour, _ = composed(scene, sums, rays.directions[0])
    wanted = batch.depth * told.gather(1, batch.objects[:, None])[:, 0]
    weight = batch.depth_weight * robust_weight(sums, batch.objects, wanted)
    seen = colour_loss(colour, batch.colours, torch.ones_like(batch.trust))
    if scene.log_scales is not None and scene.log_scales.numel():
        few = slice(None, None, COLOUR_STRIDE)
        slope = colour_slope(scene, grids, batch[few], fixed[few], jitter.initial_seed())
        seen = seen + (slope[1:] * (scene.log_scales - scene.log_scales.detach())).sum()
    depth = depth_loss(sums, batch.objects, wanted, weight)
    return StepLosses(seen, depth, torch.zeros_like(depth), distortion_loss(sums), sums.samples.sum())


def at_scales(sums: PerObjectSums, scales: Float[Tensor, "ray object"]) -> PerObjectSums:
    """The same sums, in which depths grow with the scales: a sample of own depth z' lies at s z', its logarithm at log s + log z'.

    Weights do not depend on the scales but by the order of samples, which has no derivative: see `colour_slope`.
    """
    growth = scales.log() - scales.detach().log()  # zero, with the derivative of the logarithm
    weight, first = sums.weight.detach(), sums.log_depth.detach()
    return replace(
        sums,
        depth=sums.depth + sums.depth.detach() * growth,
        log_depth=sums.log_depth + weight * growth,
        log_depth_squared=sums.log_depth_squared + 2 * first * growth,
    )


def robust_weight(
    sums: PerObjectSums, objects: Int64[Tensor, "ray"], wanted: Float[Tensor, "ray"]
) -> Float[Tensor, "ray"]:
    """Weights that make squared errors of log depth grow like absolute ones beyond DEPTH_ERROR (Huber's)."""
    own = objects[:, None]
    opacity, first = (sums_of.detach().gather(1, own)[:, 0] for sums_of in (sums.weight, sums.log_depth))
    error = (first / opacity.clamp(min=LEAST_WEIGHT) - wanted.log()).abs()
    there = opacity > LEAST_WEIGHT
    return torch.where(there, DEPTH_ERROR / error.clamp(min=DEPTH_ERROR), 1.0)


def colour_slope(
    scene: ObjectScene, grids: Grids, batch: PixelBatch, scales: Float[Tensor, "ray object"], seed: int
) -> Float[Tensor, "object"]:
    """How the loss of colour changes with each object's log scale, by differences over SCALE_STEP up and down.

    All objects are moved at once, on every ray each by a random sign (simultaneous perturbation, Spall 1992): what the
    others do averages out over the rays.
    """
    generator = torch.Generator(scales.device).manual_seed(seed)
    signs = torch.randint(2, scales.shape, generator=generator, device=scales.device) * 2.0 - 1.0
    signs[:, 0] = 0.0
    with torch.no_grad():
        rays = scene.observed_rays(batch.frames, batch.directions)
        up, down = (
            colour_errors(scene, grids, batch, rays, scales * torch.exp(way * SCALE_STEP * signs), seed)
            for way in (1.0, -1.0)
        )
    return ((up - down)[:, None] * signs).mean(0) / (2 * SCALE_STEP)


def colour_errors(
    scene: ObjectScene,
    grids: Grids,
    batch: PixelBatch,
    rays: ObjectRays,
    scales: Float[Tensor, "ray object"],
    seed: int,
) -> Float[Tensor, "ray"]:
    """Squared error of each ray's colour under scales; the same samples for the same seed."""
    shaken = torch.Generator(scales.device).manual_seed(seed)
    sums = scene.render_per_object(grids, rays, batch.frames, scales.contiguous(), shaken)
    colour, _ = composed(scene, sums, rays.directions[0])
    return (colour - batch.colours).square().mean(dim=1)
