"""Edits of a trained OSN: objects hidden, shown alone, or moved in the world."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.osn.layers import Layers, render_layers
from models.rays import Rays
from models.rendering import Rendering
from pipeline.cameras import inverse
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.osn.checkpoint import OsnMethod
from pipeline.runtime.errors import StageError
from pipeline.scene.edit_requests import edit_caption, edits_by_video, object_centres, placement


class LayeredOsn:
    """A trained scene after edits, as the renderer sees it."""

    def __init__(self, method: OsnMethod, layers: Layers) -> None:
        self.method, self.layers = method, layers
        self.scales, self.scores = method.scales, method.scores

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render rays under one scale vector; the best valid one by default."""
        chosen = self.scales[0] if scales is None else scales
        return render_layers(self.method.fields, self.method.grids, rays, chosen, self.layers)


def layered_methods(
    method: OsnMethod, scene: Scene, scales: Float[np.ndarray, "object"], edits: list[Edit]
) -> list[tuple[str, LayeredOsn]]:
    """One edited scene for each video that the edits name, or for each edit that names none, with its caption."""
    return [
        (", ".join(map(edit_caption, mine)), LayeredOsn(method, layers(mine, scales, scene).to(method.scales.device)))
        for mine in edits_by_video(edits)
    ]


def layers(edits: list[Edit], scales: Float[np.ndarray, "object"], scene: Scene) -> Layers:
    """What several edits together leave of the scene, in the world that the scales make."""
    hidden, alone = set[int](), set[int]()
    moves = np.tile(np.eye(4), (scene.object_count, scene.frame_count, 1, 1))
    for edit in edits:
        index = find_object(edit.object, scene)
        if edit.action == "remove":
            hidden.add(index)
        elif edit.action == "isolate":
            alone.add(index)
        elif edit.action == "move" and index > 0:
            new_from_old = placement(edit, scene, object_centres(scene, index, float(scales[index])))
            moves[index] = moves[index] @ inverse(new_from_old)
        else:
            raise StageError(
                f"render_views.edits: OSN cannot {edit.action} {edit.object}; its objects can be hidden "
                "(remove) or shown alone (isolate), and all but the background moved (move)"
            )
    shown = [(not alone or k in alone) and k not in hidden for k in range(scene.object_count)]
    return Layers(torch.tensor(shown), torch.from_numpy(moves).float())


def find_object(name: str, scene: Scene) -> int:
    """The index of an object by its name or its id."""
    for index, entry in enumerate(scene.objects):
        if name in (str(entry["name"]), str(entry["id"])):
            return index
    known = ", ".join(str(entry["name"]) for entry in scene.objects)
    raise StageError(f"render_views.edits: there is no object {name}; known are {known}")
