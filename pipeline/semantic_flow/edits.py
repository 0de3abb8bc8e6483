"""Edits of a trained Semantic Flow: from what a person asks for to changes that can be rendered."""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.rays import Rays
from models.rendering import Rendering
from models.semantic_flow.editing import Change, Measured, Selection, edited_rendering, measured
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.scene.edit_requests import edit_caption, edits_by_video, object_centres, placement
from pipeline.semantic_flow.checkpoint import SemanticFlowMethod
from pipeline.semantic_flow.data import camera_rays

log = logging.getLogger(__name__)
MEASURING_RAYS = 1200  # a frame
REACH = 1.75  # extents (twice the median radius) from its centre within which all of a thing lies


@dataclass(frozen=True)
class Wanted:
    """What an edit is about: a class, and the ids of its objects in the scene, of which one may be meant."""

    column: int
    objects: list[int]  # indices in the scene of all objects of the class
    index: int | None  # of the one that is meant, in `objects`; none where the class is


class EditedMethod:
    """A trained method after edits, as the renderer sees it."""

    def __init__(self, method: SemanticFlowMethod, changes: list[Change]) -> None:
        self.method, self.changes = method, changes
        self.scales, self.scores, self.column_ids = method.scales, method.scores, method.column_ids

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render rays of the edited scene; scales change nothing."""
        with torch.no_grad():
            return edited_rendering(self.method.model, self.method.nodes, rays, self.changes, self.method.memory)


def edited_methods(method: SemanticFlowMethod, scene: Scene, edits: list[Edit]) -> list[tuple[str, EditedMethod]]:
    """One edited scene for each video that the edits name, or for each edit that names none, with its caption."""
    return [
        (", ".join(map(edit_caption, mine)), EditedMethod(method, [change_of(edit, method, scene) for edit in mine]))
        for mine in edits_by_video(edits)
    ]


def change_of(edit: Edit, method: SemanticFlowMethod, scene: Scene) -> Change:
    """The change that an edit asks for."""
    if edit.action == "isolate":
        raise StageError(f"render_views.edits: only OSN can show {edit.object} alone; remove the others instead")
    wanted = find(edit.object, method, scene)
    moves = bool(method.facts["class_moves"][wanted.column])
    if wanted.column == 0 and edit.action != "recolour":
        raise StageError(
            f"render_views.edits: the background ({edit.object}) can only be recoloured, not {edit.action}d"
        )
    size = measured_parts(method, Selection(wanted.column, moves))
    if not bool(size.seen.any()):
        log.warning("the edit of %s changes nothing: the trained scene shows no trace of it", edit.object)
    log.info("%s is about %.3g world units across, luminance %.2f", edit.object, size.extent, size.brightness)
    rivals = torch.tensor(method.facts["class_moves"], device=size.centres.device) if moves else None
    if len(wanted.objects) > 1:  # each is where its reconstruction has it; that may be off along the ray, so no reach
        centres = thing_centres(scene, method, wanted.objects)
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
    device = method.scales.device
    return Change(
        selection,
        stays=edit.action in ("duplicate", "recolour"),
        placed=None if placed is None else torch.from_numpy(placed).float().to(device),
        tint=None if tint is None else tint.to(device),
        brightness=size.brightness,
    )


def find(name: str, method: SemanticFlowMethod, scene: Scene) -> Wanted:
    """The class of a name: an object's name or id, or a class's name."""
    class_of = {int(identity): int(column) for identity, column in method.facts["class_of"].items()}
    objects = scene.objects if method.facts["classes_are_objects"] else []
    columns = [class_of.get(int(entry["id"]), -1) for entry in objects]
    for index, entry in enumerate(objects):
        if name in (str(entry["name"]), str(entry["id"])) and columns[index] >= 0:
            mates = [i for i, column in enumerate(columns) if column == columns[index]]
            alone = len(mates) == 1 or index == 0
            return Wanted(columns[index], mates, None if alone else mates.index(index))
    if name in method.class_names:
        column = method.class_names.index(name)
        return Wanted(column, [i for i, other in enumerate(columns) if other == column], None)
    known = list(dict.fromkeys([*(str(entry["name"]) for entry in objects), *method.class_names]))
    raise StageError(f"render_views.edits: there is no object or class {name}; known are {', '.join(known)}")


def thing_centres(scene: Scene, method: SemanticFlowMethod, objects: list[int]) -> Float[Tensor, "thing frame xyz=3"]:
    """Where the reconstructed objects of a class are in the world; where one has no pose, as in the nearest frame."""
    scales = method.facts["object_scales"]
    each = [object_centres(scene, index, float(scales[index])) for index in objects]
    return torch.from_numpy(np.stack(each)).float().to(method.scales.device)


def measured_parts(method: SemanticFlowMethod, selection: Selection) -> Measured:
    """The selected thing measured by evenly spread pixels of all frames."""
    cameras = method.model.bounds.cameras
    step = max(int((cameras.height * cameras.width / MEASURING_RAYS) ** 0.5), 1)
    device = method.scales.device
    y, x = torch.meshgrid(
        torch.arange(step // 2, cameras.height, step, device=device),
        torch.arange(step // 2, cameras.width, step, device=device),
        indexing="ij",
    )
    xy = torch.stack([x, y], dim=-1).reshape(-1, 2) + 0.5
    frame = torch.arange(cameras.frame_count, device=device).repeat_interleave(len(xy))
    with torch.no_grad():
        return measured(
            method.model, method.nodes, selection, camera_rays(cameras, xy.repeat(cameras.frame_count, 1), frame)
        )
