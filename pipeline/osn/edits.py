"""Edits of a trained OSN: objects hidden, shown alone, or moved in the world."""

import numpy as np
import torch
from jaxtyping import Float

from models.osn.layers import Layers
from pipeline.cameras import inverse
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError
from pipeline.scene.edit_requests import object_centres, placement


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
