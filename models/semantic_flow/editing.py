"""A trained scene shown differently: things taken out, moved, repeated or painted, told apart by what they mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.ops.intervals import Intervals, behind
from models.rays import Rays
from models.rendering import Rendering
from models.semantic_flow.frame_memory import FrameMemory, repainted, repainted_rest
from models.semantic_flow.marching import march
from models.semantic_flow.model import LEAST_WEIGHT, SemanticFlow, flat_indices, ray_sums, top_k

LUMINANCE = (0.2126, 0.7152, 0.0722)  # Rec. 709
LEAST_BRIGHTNESS = 0.05
LEAST_SEEN = 1.0  # rays of a frame, below which a thing counts as not seen there
RAYS_AT_ONCE = 8192


@dataclass(frozen=True)
class Selection:
    """What an edit is about: what is most like a class in one of the fields, near to where such things are.

    `rivals` are the classes that a sample may belong to (all by default). `centres` are the places of all things of the
    class in every frame; with `index` only the one in this row is meant. Beyond `reach` of them nothing is selected.
    """

    column: int
    moves: bool
    rivals: Bool[Tensor, "classes"] | None = None
    centres: Float[Tensor, "thing frame xyz=3"] | None = None
    index: int | None = None
    reach: float = math.inf


@dataclass(frozen=True)
class Change:
    """One edit: whether the thing stays where it was, where it is seen (again), and in which colour."""

    selection: Selection
    stays: bool
    placed: Float[Tensor, "frame row=4 column=4"] | None = None  # new_from_old, world
    tint: Float[Tensor, "rgb=3"] | None = None
    brightness: float = 1.0  # mean luminance of the thing as it was


@dataclass(frozen=True)
class Layer:
    """One field as rays meet it: where it is read, what each sample would take alone, and by which change it is painted."""

    points: Float[Tensor, "ray sample xyz=3"]
    alpha: Float[Tensor, "ray sample"]
    painted: Int64[Tensor, "ray sample"]  # index of a change, -1 for none
    moves: bool


def edited_rendering(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    rays: Rays,
    changes: Sequence[Change],
    memory: FrameMemory | None = None,
) -> Rendering:
    """Render rays of the scene with all changes made."""
    pieces = pieces_where_it_matters(model, nodes, rays, changes)
    found = layers(model, nodes, rays, pieces, changes)
    weights = layer_weights([layer.alpha for layer in found])
    decoded = [decoded_layer(model, rays, layer, weights[..., i], changes, memory) for i, layer in enumerate(found)]
    colour, logits = (torch.stack(parts).sum(0) for parts in zip(*decoded, strict=True))
    both = weights.sum(-1)
    opacity = both.sum(1)
    depth = (both * pieces.depth).sum(1) / opacity.clamp(min=1e-6)
    return Rendering(colour.clamp(0, 1), depth, opacity, torch.softmax(logits, dim=-1) * opacity[:, None])


def pieces_where_it_matters(
    model: SemanticFlow, nodes: Float[Tensor, "x y z"], rays: Rays, changes: Sequence[Change]
) -> Intervals:
    """Where to look along rays of the changed scene."""
    bounds, sizes = model.bounds, model.sizes

    def optics(pieces: Intervals) -> tuple[Tensor, Tensor, Tensor]:
        left = torch.stack([1 - layer.alpha for layer in layers(model, nodes, rays, pieces, changes)]).prod(0)
        nothing = torch.zeros_like(left)
        return -left.clamp(min=1e-7).log(), nothing, nothing

    return march(optics, bounds.near, bounds.far, sizes.coarse_samples, sizes.fine_samples, rays, None)


def layers(
    model: SemanticFlow, nodes: Float[Tensor, "x y z"], rays: Rays, pieces: Intervals, changes: Sequence[Change]
) -> list[Layer]:
    """The static field, the dynamic one, and what is seen in a place where it was not."""
    points = rays.origins[:, None] + pieces.depth[..., None] * rays.directions[:, None]
    frames = rays.frames[:, None].expand_as(pieces.depth)
    length = pieces.length / model.bounds.static_region.unit
    moving, blending = dynamic_alpha(model, points, frames, length)
    moving, painted, gone = changed(model, points, frames, moving, changes, moves=True)
    blending = torch.where(gone, torch.zeros_like(blending), blending)
    still = static_alpha(model, nodes, points, frames, length)
    still, static_painted, _ = changed(model, points, frames, still, changes, moves=False)
    wall = -torch.expm1(-behind(torch.zeros_like(still)))
    still = (1 - (1 - still) * (1 - wall)) * (1 - blending)
    result = [Layer(points, still, static_painted, False), Layer(points, moving, painted, True)]
    for number, change in enumerate(changes):
        if change.placed is not None:
            result.append(copied(model, nodes, rays, points, length, change, number))
    return result


def copied(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    rays: Rays,
    points: Float[Tensor, "ray sample xyz=3"],
    length: Float[Tensor, "ray sample"],
    change: Change,
    number: int,
) -> Layer:
    """A thing in its new place: its field read where the new place was before."""
    assert change.placed is not None
    back = torch.linalg.inv(change.placed)[rays.frames]
    before = torch.einsum("rij,rsj->rsi", back[:, :3, :3], points) + back[:, None, :3, 3]
    frames = rays.frames[:, None].expand_as(length)
    moves, where = change.selection.moves, near(before, frames, change.selection)
    place, time, piece = before[where][:, None], frames[where][:, None], length[where][:, None]
    taken = dynamic_alpha(model, place, time, piece)[0] if moves else static_alpha(model, nodes, place, time, piece)
    chosen = selected(model, place, time, taken > LEAST_WEIGHT, change.selection)
    alpha = torch.zeros_like(length)
    alpha[where] = torch.where(chosen, taken, torch.zeros_like(taken))[:, 0]
    return Layer(before, alpha, torch.full_like(frames, number if change.tint is not None else -1), moves)


def dynamic_alpha(
    model: SemanticFlow,
    points: Float[Tensor, "ray sample xyz=3"],
    frames: Int64[Tensor, "ray sample"],
    length: Float[Tensor, "ray sample"],
) -> tuple[Float[Tensor, "ray sample"], Float[Tensor, "ray sample"]]:
    """What the dynamic field takes at samples, and its blending weight there."""
    density, blending = model.dynamic_optics(points.flatten(0, 1), frames.flatten().to(points.dtype))
    blending = blending.view_as(length)
    return -torch.expm1(-density.view_as(length) * length) * blending, blending


def static_alpha(
    model: SemanticFlow,
    nodes: Float[Tensor, "x y z"],
    points: Float[Tensor, "ray sample xyz=3"],
    frames: Int64[Tensor, "ray sample"],
    length: Float[Tensor, "ray sample"],
) -> Float[Tensor, "ray sample"]:
    """What the static field would take at samples."""
    density = model.static_optics(nodes, points.flatten(0, 1), frames.flatten())
    return -torch.expm1(-density.view_as(length) * length)


def changed(
    model: SemanticFlow,
    points: Float[Tensor, "ray sample xyz=3"],
    frames: Int64[Tensor, "ray sample"],
    alpha: Float[Tensor, "ray sample"],
    changes: Sequence[Change],
    moves: bool,
) -> tuple[Float[Tensor, "ray sample"], Int64[Tensor, "ray sample"], Bool[Tensor, "ray sample"]]:
    """A field without what was taken away; which change paints each sample; and where something was taken away."""
    painted = torch.full_like(frames, -1)
    gone = torch.zeros_like(frames, dtype=torch.bool)
    for number, change in enumerate(changes):
        if change.selection.moves == moves and (not change.stays or paints_in_place(change)):
            chosen = selected(model, points, frames, alpha > LEAST_WEIGHT, change.selection)
            gone = gone if change.stays else gone | chosen
            painted = torch.where(chosen, number, painted) if paints_in_place(change) else painted
    return torch.where(gone, torch.zeros_like(alpha), alpha), painted, gone


def paints_in_place(change: Change) -> bool:
    """Whether the thing itself is painted, not its copy."""
    return change.tint is not None and change.placed is None


def near(
    points: Float[Tensor, "ray sample xyz=3"], frames: Int64[Tensor, "ray sample"], selection: Selection
) -> Bool[Tensor, "ray sample"]:
    """Points where the selected thing may be, and no companion of its class is nearer."""
    if selection.centres is None:
        return torch.ones_like(frames, dtype=torch.bool)
    distance = torch.stack([(centre[frames] - points).norm(dim=-1) for centre in selection.centres])
    least, nearest = distance.min(0)
    mine = least <= selection.reach
    return mine if selection.index is None else mine & (nearest == selection.index)


def selected(
    model: SemanticFlow,
    points: Float[Tensor, "ray sample xyz=3"],
    frames: Int64[Tensor, "ray sample"],
    candidates: Bool[Tensor, "ray sample"],
    selection: Selection,
) -> Bool[Tensor, "ray sample"]:
    """The candidates that belong to a selection, by where they are and by what they mean."""
    candidates = candidates & near(points, frames, selection)
    logits = point_logits(model, points[candidates], frames[candidates], selection.moves)
    if selection.rivals is not None:
        logits = logits.masked_fill(~selection.rivals, -math.inf)
    result = torch.zeros_like(candidates)
    result[candidates] = logits.argmax(-1) == selection.column
    return result


def point_logits(
    model: SemanticFlow, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"], moves: bool
) -> Float[Tensor, "point classes"]:
    """Logits of classes in one of the fields."""
    if not moves:
        return model.static.semantics(model.static_features(points, frames))
    return model.dynamic_logits(points, frames, model.dynamic_features(points, frames.to(points.dtype)))


def field_colours(
    model: SemanticFlow, points: Float[Tensor, "point xyz=3"], frames: Int64[Tensor, "point"], moves: bool
) -> Float[Tensor, "point rgb=3"]:
    """Colours in one of the fields."""
    if not moves:
        return torch.sigmoid(model.static.colour(model.static_features(points, frames)))
    return torch.sigmoid(model.dynamic.colour(model.dynamic_features(points, frames.to(points.dtype))))


def layer_weights(alphas: Sequence[Float[Tensor, "ray sample"]]) -> Float[Tensor, "ray sample layer"]:
    """What samples take in the rendering, divided among layers in proportion; of two layers the same as `blend`."""
    alpha = torch.stack(list(alphas), dim=-1)
    left = (1 - alpha).prod(-1)
    through = torch.cumprod(F.pad(left[:, :-1], (1, 0), value=1.0).clamp(min=1e-7), dim=1)
    taken = through * (1 - left) / alpha.sum(-1).clamp(min=1e-8)
    return taken[..., None] * alpha


def decoded_layer(
    model: SemanticFlow,
    rays: Rays,
    layer: Layer,
    weights: Float[Tensor, "ray sample"],
    changes: Sequence[Change],
    memory: FrameMemory | None,
) -> tuple[Float[Tensor, "ray rgb=3"], Float[Tensor, "ray classes"]]:
    """Colours and logits that a layer adds to rays; with `memory`, they are the frames' own colours where a frame sees it."""
    kept = weights > LEAST_WEIGHT
    points, frames = layer.points[kept], rays.frames[:, None].expand_as(weights)[kept]
    colour = field_colours(model, points, frames, layer.moves)
    ray = kept.nonzero()[:, 0]
    if memory is not None and layer.moves:
        colour = repainted(memory, model, rays, ray, points, colour)
    elif memory is not None:
        colour = repainted_rest(memory, model, rays, weights, layer.points, ray, colour)
    colour = painted_colours(colour, layer.painted[kept], changes)
    few = top_k(weights, model.sizes.semantic_samples) if layer.moves else kept
    mine = few[kept]
    logits = point_logits(model, points[mine], frames[mine], layer.moves)
    logits = logits if layer.moves else without_taken(logits, changes)
    return ray_sums(weights, flat_indices(kept), colour), ray_sums(weights, flat_indices(few), logits)


def without_taken(logits: Float[Tensor, "point classes"], changes: Sequence[Change]) -> Float[Tensor, "point classes"]:
    """Logits of what rests, in which classes taken out of what moves are the least likely: behind a thing that was always
    there, nothing taught the resting field what it is."""
    taken = [change.selection.column for change in changes if change.selection.moves and not change.stays]
    least = logits.amin(-1, keepdim=True).expand(-1, len(taken))
    return logits.index_copy(1, torch.tensor(taken, dtype=torch.int64, device=logits.device), least)


def painted_colours(
    colours: Float[Tensor, "point rgb=3"], painted: Int64[Tensor, "point"], changes: Sequence[Change]
) -> Float[Tensor, "point rgb=3"]:
    """Colours with the paint of the changes: the new colour, as bright as the texture and light were there."""
    for number, change in enumerate(changes):
        if change.tint is not None:
            shade = luminance(colours)[:, None] / max(change.brightness, LEAST_BRIGHTNESS)
            colours = torch.where((painted == number)[:, None], (shade * change.tint).clamp(0, 1), colours)
    return colours


def luminance(colours: Float[Tensor, "*batch rgb=3"]) -> Float[Tensor, "*batch"]:
    return colours @ torch.tensor(LUMINANCE, device=colours.device, dtype=colours.dtype)


@dataclass(frozen=True)
class Measured:
    """A selected thing as the trained scene shows it from the frames' own cameras."""

    centres: Float[Tensor, "frame xyz=3"]  # of what is seen of it; where it is not seen, as in the nearest frame
    seen: Bool[Tensor, "frame"]
    extent: float  # world units
    brightness: float


def measured(model: SemanticFlow, nodes: Float[Tensor, "x y z"], selection: Selection, rays: Rays) -> Measured:
    """Where a selected thing is in each frame, how large and how bright it is, judged by rays through the frames."""
    frames = model.bounds.cameras.frame_count
    parts = [met(model, nodes, selection, rays[i : i + RAYS_AT_ONCE]) for i in range(0, len(rays.frames), RAYS_AT_ONCE)]
    points, weight, owner = (torch.cat(values) for values in zip(*parts, strict=True))
    total = weight.new_zeros(frames).index_add_(0, owner, weight)
    sums = weight.new_zeros(frames, 3).index_add_(0, owner, weight[:, None] * points)
    seen = total > LEAST_SEEN
    if not bool(seen.any()):
        return Measured(sums, seen, 0.0, 1.0)
    known = seen.nonzero()[:, 0]
    nearest = known[(torch.arange(frames, device=known.device)[:, None] - known).abs().argmin(1)]
    centres = (sums / total.clamp(min=1e-6)[:, None])[nearest]
    distance, order = (points - centres[owner]).norm(dim=-1).sort()
    half = int((weight[order].cumsum(0) >= weight.sum() / 2).nonzero()[0, 0])  # a mean would hear haze from afar
    brightness = (weight * luminance(field_colours(model, points, owner, selection.moves))).sum() / weight.sum()
    return Measured(centres, seen, 2 * float(distance[half]), float(brightness))


def met(
    model: SemanticFlow, nodes: Float[Tensor, "x y z"], selection: Selection, rays: Rays
) -> tuple[Float[Tensor, "point xyz=3"], Float[Tensor, "point"], Int64[Tensor, "point"]]:
    """Samples of a selected thing that rays meet: places, weights, frames."""
    found = layers(model, nodes, rays, pieces_where_it_matters(model, nodes, rays, []), [])
    weights = layer_weights([layer.alpha for layer in found])[..., int(selection.moves)]
    owners, points = rays.frames[:, None].expand_as(weights), found[0].points
    chosen = selected(model, points, owners, weights > LEAST_WEIGHT, selection)
    return points[chosen], weights[chosen], owners[chosen]
