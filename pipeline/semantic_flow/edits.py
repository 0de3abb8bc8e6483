"""Edits of a trained Semantic Flow: from what a person asks for to changes that can be rendered."""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.semantic_flow.editing import Change, Measured, Selection, measured
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.scene.edit_requests import object_centres, placement
from pipeline.semantic_flow.checkpoint import TrainedModel

log = logging.getLogger(__name__)
MEASURING_RAYS = 1200  # a frame
REACH = 1.75  # extents (twice the median radius) from its centre within which all of a thing lies


@dataclass(frozen=True)
class Wanted:
    """What an edit is about: a class, and the ids of its objects in the scene, of which one may be meant."""

    column: int
    objects: list[int]  # indices in the scene of all objects of the class
    index: int | None  # of the one that is meant, in `objects`; none where the class is


def change_of(edit: Edit, trained: TrainedModel, scene: Scene) -> Change:
    """The change that an edit asks for."""
    if edit.action == "isolate":
        raise StageError(f"render_views.edits: only OSN can show {edit.object} alone; remove the others instead")
    wanted = find(edit.object, trained, scene)
    moves = bool(trained.facts["class_moves"][wanted.column])
    if wanted.column == 0 and edit.action != "recolour":
        raise StageError(
            f"render_views.edits: the background ({edit.object}) can only be recoloured, not {edit.action}d"
        )
    size = measured_parts(trained, Selection(wanted.column, moves))
    if not bool(size.seen.any()):
        log.warning("the edit of %s changes nothing: the trained scene shows no trace of it", edit.object)
    log.info("%s is about %.3g world units across, luminance %.2f", edit.object, size.extent, size.brightness)
    rivals = torch.tensor(trained.facts["class_moves"], device=size.centres.device) if moves else None
    if len(wanted.objects) > 1:  # each is where its reconstruction has it; that may be off along the ray, so no reach
        centres = thing_centres(scene, trained, wanted.objects)
        selection = Selection(wanted.column, moves, rivals, centres, wanted.index)
    else:
        centres = size.centres[None]
        selection = Selection(wanted.column, moves, rivals, centres, None, REACH * size.extent)
    if wanted.column == 0:
        selection = Selection(0, moves)
    placed = None
    if edit.action in ("move", "duplicate"):
        centre = centres.mean(0) if wanted.index is None else centres[wanted.index]
        placed = placement(edit, scene, centre.cpu().double().numpy())
    tint = torch.tensor(edit.colour, dtype=torch.float32) / 255 if edit.colour else None
    device = trained.device
    return Change(
        selection,
        stays=edit.action in ("duplicate", "recolour"),
        placed=None if placed is None else torch.from_numpy(placed).float().to(device),
        tint=None if tint is None else tint.to(device),
        brightness=size.brightness,
    )


def find(name: str, trained: TrainedModel, scene: Scene) -> Wanted:
    """The class of a name: an object's name or id, or a class's name."""
    classes = list(trained.facts["class_names"])
    class_of = {int(identity): int(column) for identity, column in trained.facts["class_of"].items()}
    objects = scene.objects if trained.facts["classes_are_objects"] else []
    columns = [class_of.get(int(entry["id"]), -1) for entry in objects]
    for index, entry in enumerate(objects):
        if name in (str(entry["name"]), str(entry["id"])) and columns[index] >= 0:
            mates = [i for i, column in enumerate(columns) if column == columns[index]]
            alone = len(mates) == 1 or index == 0
            return Wanted(columns[index], mates, None if alone else mates.index(index))
    if name in classes:
        column = classes.index(name)
        return Wanted(column, [i for i, other in enumerate(columns) if other == column], None)
    known = list(dict.fromkeys([*(str(entry["name"]) for entry in objects), *classes]))
    raise StageError(f"render_views.edits: there is no object or class {name}; known are {', '.join(known)}")


def thing_centres(scene: Scene, trained: TrainedModel, objects: list[int]) -> Float[Tensor, "thing frame xyz=3"]:
    """Where the reconstructed objects of a class are in the world; where one has no pose, as in the nearest frame."""
    scales = trained.facts["object_scales"]
    each = [object_centres(scene, index, float(scales[index])) for index in objects]
    return torch.from_numpy(np.stack(each)).float().to(trained.device)


def measured_parts(trained: TrainedModel, selection: Selection) -> Measured:
    """The selected thing measured by evenly spread pixels of all frames."""
    cameras = trained.model.bounds.cameras
    step = max(int((cameras.height * cameras.width / MEASURING_RAYS) ** 0.5), 1)
    device = trained.device
    y, x = torch.meshgrid(
        torch.arange(step // 2, cameras.height, step, device=device),
        torch.arange(step // 2, cameras.width, step, device=device),
        indexing="ij",
    )
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5
    frame = torch.arange(cameras.frame_count, device=device).repeat_interleave(len(xy))
    with torch.no_grad():
        return measured(trained.model, trained.nodes, selection, cameras.rays(xy.repeat(cameras.frame_count, 1), frame))
