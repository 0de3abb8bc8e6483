"""What one step of NSFF or DynNeRF asks of the model: rays of one frame in, named losses out."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.baselines import scene_flow_losses as losses
from models.baselines.losses import Batch, Losses, depth_loss
from models.baselines.model import Found, Seen, painted, worth_a_colour
from models.baselines.scene_flow_field import Motion
from models.baselines.scene_flow_model import SceneFlowBaseline, Traced, Warped, alone, blended, mean_depth
from models.ops.host_draws import host_randint
from models.ops.space import Cameras

NEXT, PREVIOUS = 0, 1
FRAMES_BY = (1, -1)  # of NEXT and PREVIOUS


@dataclass(frozen=True)
class MovingBatch(Batch):
    """Rays of one frame with what is known of motion: 1 where the pixel moves, 0 where it does not, -1 unknown; flow to the
    next and to the previous view, where it is confirmed, and these views."""

    xy: Float[Tensor, "ray xy=2"]
    moving: Float[Tensor, "ray"]
    neighbours: Int64[Tensor, "ray next_previous=2"]
    flow: Float[Tensor, "ray next_previous=2 xy=2"]
    flow_valid: Bool[Tensor, "ray next_previous=2"]


@dataclass(frozen=True)
class SceneFlowWeights:
    """How much each loss counts; `depth` is of sparse points, `map_depth` of maps."""

    full: float
    dynamic: float
    flow: float
    cycle: float
    still: float
    smooth: float
    entropy: float
    hidden: float = 0.0
    mask: float = 0.0
    order: float = 0.0
    sparse: float = 0.0
    depth: float = 0.0
    map_depth: float = 0.0


@dataclass(frozen=True)
class Phase:
    """Phase of training: whether the static part is alone, or frozen; by how much flow and depth maps have decayed, and
    whether they have not yet; whether the dynamic part must explain all of the picture; whether frames two away are
    looked at."""

    static_alone: bool
    static_frozen: bool
    data: float
    first: bool
    everywhere: bool
    two_away: bool


@dataclass(frozen=True)
class Looked:
    """A batch's rays as both parts show them."""

    traced: Traced
    motion: Motion
    dynamic_weights: Float[Tensor, "ray sample"]
    alone_weights: Float[Tensor, "ray sample"]
    seen: Seen
    dynamic_colour: Float[Tensor, "ray rgb=3"]

    @property
    def dynamicness(self) -> Float[Tensor, "ray"]:
        """The share of each ray that moves."""
        return self.dynamic_weights.sum(1)


def scene_flow_losses(
    model: SceneFlowBaseline,
    batch: MovingBatch,
    cameras: Cameras,
    weights: SceneFlowWeights,
    phase: Phase,
    generator: torch.Generator,
) -> tuple[Losses, Found]:
    """All losses of a batch but the field's own regulariser, weighed, and what the memory is told."""
    if phase.static_alone:
        return static_losses(model, batch, weights, generator)
    looked = look(model, batch, generator)
    counted = torch.ones_like(batch.moving) if phase.everywhere else looked.dynamicness.detach()
    dynamic = losses.masked_mean(losses.colour_error(looked.dynamic_colour, batch.colour), counted)
    return {
        "colour": weights.full * losses.colour_error(looked.seen.colour, batch.colour).mean(),
        "dynamic": weights.dynamic * dynamic,
        **neighbour_losses(model, looked, batch, weights, phase, counted, generator),
        **motion_losses(model, looked, batch, cameras, weights, phase),
        **depth_losses(looked, batch, weights, phase),
        **blending_losses(model, looked, batch, weights, phase),
    }, model.found(looked.traced)


def static_losses(
    model: SceneFlowBaseline, batch: MovingBatch, weights: SceneFlowWeights, generator: torch.Generator
) -> tuple[Losses, Found]:
    """DynNeRF's first half: the static part alone, on pixels that do not move."""
    seen, found = model.look_at_static(batch.rays, generator)
    still = (batch.moving == 0).to(batch.colour.dtype)
    result = {"colour": losses.masked_mean(losses.colour_error(seen.colour, batch.colour), still)}
    if weights.depth:
        result["depth"] = weights.depth * depth_loss(seen, replace(batch, confidence=batch.confidence * still))
    return result, found


def look(model: SceneFlowBaseline, batch: MovingBatch, generator: torch.Generator) -> Looked:
    """Render the full picture and that of the dynamic part alone, whose colours are decoded once for both."""
    traced = model.trace(batch.rays, generator)
    static, dynamic, beyond = blended(traced.static_alpha, traced.dynamic_alpha, traced.blend)
    by_itself = alone(traced.dynamic_alpha)
    chosen = worth_a_colour(torch.maximum(dynamic, by_itself))
    colours = model.field.dynamic.colour(traced.points, chosen, traced.dynamic.known)
    full = model.colour(model.field.static, traced.points, traced.static, static) + painted(dynamic, chosen, colours)
    seen = Seen(full, mean_depth(static + dynamic, traced.pieces), beyond)
    motion = model.motion(traced.points, traced.dynamic)
    return Looked(traced, motion, dynamic, by_itself, seen, painted(by_itself, chosen, colours))


def neighbour_losses(
    model: SceneFlowBaseline,
    looked: Looked,
    batch: MovingBatch,
    weights: SceneFlowWeights,
    phase: Phase,
    counted: Float[Tensor, "ray"],
    generator: torch.Generator,
) -> Losses:
    """The dynamic part of neighbouring frames, carried to this one, must look like it: temporal photometric consistency.

    Where a neighbour does not show a sample it counts less: by the rendered sum of 1 - hidden, as NSFF has it. Two frames
    away one side is looked at, by chance, twice as much; the released code looks at both.
    """
    traced, unit = looked.traced, model.extent.region.unit
    colour = cycle = hidden = batch.colour.new_zeros(())
    far_side = host_randint(0, 2, generator) if phase.two_away else -1
    for side, by in enumerate(FRAMES_BY):
        there = frame_exists(model, batch, by)
        flow, shown = looked.motion.flow[:, :, side], 1 - looked.motion.hidden[..., side]
        warped = model.warped(batch.rays, traced.pieces, traced.places + flow, by)
        onward = model.motion(warped.points, warped.optics)
        colour = colour + warped_colour(model, warped, batch, shown, counted * there)
        cycle = cycle + losses.masked_mean(losses.cycle_error(flow, onward.flow[:, :, 1 - side], shown) / unit, there)
        hidden = hidden + losses.masked_mean(looked.motion.hidden[..., side].mean(1), there)
        if side == far_side:
            farther = model.warped(batch.rays, traced.pieces, warped.places + onward.flow[:, :, side], 2 * by)
            seen_there = shown * (1 - onward.hidden[..., side])
            counts = counted * frame_exists(model, batch, 2 * by)
            colour = colour + 2 * warped_colour(model, farther, batch, seen_there, counts)
    found = {"neighbours": weights.dynamic * colour, "cycle": weights.cycle * cycle}
    return found | ({"hidden": weights.hidden * hidden} if weights.hidden else {})


def frame_exists(model: SceneFlowBaseline, batch: MovingBatch, by: int) -> Float[Tensor, "ray"]:
    """1 for rays whose frame has one that many frames later."""
    other = batch.rays.frames + by
    return ((other >= 0) & (other < model.extent.frames)).to(batch.colour.dtype)


def warped_colour(
    model: SceneFlowBaseline,
    warped: Warped,
    batch: MovingBatch,
    shown: Float[Tensor, "ray sample"],
    counted: Float[Tensor, "ray"],
) -> Float[Tensor, ""]:
    """Error of what the carried dynamic part shows, by how much of it is shown there."""
    colour = model.colour(model.field.dynamic, warped.points, warped.optics, warped.weights)
    seen = (warped.weights * shown).sum(1)
    return losses.masked_mean(seen * losses.colour_error(colour, batch.colour), counted)


def motion_losses(
    model: SceneFlowBaseline,
    looked: Looked,
    batch: MovingBatch,
    cameras: Cameras,
    weights: SceneFlowWeights,
    phase: Phase,
) -> Losses:
    """Optical flow, and what is believed of motion without looking at pictures."""
    traced, unit = looked.traced, model.extent.region.unit
    flow = batch.colour.new_zeros(())
    for side in (NEXT, PREVIOUS):
        carried = traced.places + looked.motion.flow[:, :, side]
        pixels = losses.induced_pixels(looked.alone_weights, carried, cameras, batch.neighbours[:, side])
        error = losses.flow_error(pixels, batch.xy, batch.flow[:, side], cameras.width)
        flow = flow + losses.masked_mean(error, batch.flow_valid[:, side].to(error.dtype))
    moved = looked.motion.flow / unit
    rough = losses.flow_roughness(moved, traced.places / unit) + losses.flow_bend(moved)
    return {
        "flow": weights.flow * phase.data * flow,
        "still": weights.still * losses.flow_rest(moved),
        "even": weights.smooth * rough,
    }


def depth_losses(looked: Looked, batch: MovingBatch, weights: SceneFlowWeights, phase: Phase) -> Losses:
    """Depth of sparse points, in the full picture and in the dynamic part alone; or of maps, of the dynamic part alone."""
    result: Losses = {}
    pieces, by_itself = looked.traced.pieces, looked.alone_weights
    if weights.depth:
        dynamic = Seen(looked.dynamic_colour, mean_depth(by_itself, pieces), looked.seen.beyond)
        result["depth"] = weights.depth * (depth_loss(looked.seen, batch) + depth_loss(dynamic, batch)) / 2
    if weights.map_depth:
        shown = (by_itself / pieces.depth).sum(1)
        wanted = 1 / batch.depth.clamp(min=losses.SMALLEST)
        result["depth"] = weights.map_depth * phase.data * losses.disparity_loss(shown, wanted, batch.confidence)
    return result


def blending_losses(
    model: SceneFlowBaseline, looked: Looked, batch: MovingBatch, weights: SceneFlowWeights, phase: Phase
) -> Losses:
    """What is believed of which part shows a place."""
    blend = looked.traced.blend
    result = {"entropy": weights.entropy * losses.blend_entropy(blend)}
    known = (batch.moving >= 0).to(blend.dtype)
    moving = batch.moving.clamp(min=0)
    if weights.sparse:
        result["sparse"] = weights.sparse * losses.weight_entropy(looked.alone_weights)
    if weights.mask:
        weight = weights.mask if phase.first else 0.0
        result["mask"] = weight * losses.mask_loss(blend, looked.dynamicness, moving, known)
    if weights.order:
        static = mean_depth(alone(looked.traced.static_alpha), looked.traced.pieces)
        dynamic = mean_depth(looked.alone_weights, looked.traced.pieces)
        result["order"] = weights.order * losses.order_loss(dynamic, static, known * (1 - moving))
    return result
