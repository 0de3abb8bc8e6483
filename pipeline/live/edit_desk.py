"""Edits of the parts that a person tries live, and the block of config.yaml that they come to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.live.parts import Part
from pipeline.scene.edit_requests import placement

Pose = Float[np.ndarray, "4 4"]
NOTHING = "as it is"
ACTIONS = (NOTHING, "remove", "move")


class EditDesk:
    """At most one edit for each part."""

    def __init__(self, scene: Scene, parts: Sequence[Part]) -> None:
        self.scene, self.parts = scene, parts
        self.wanted: dict[int, Edit] = {}

    def set(self, part: Part, action: str, offset: Sequence[float], rotation: Sequence[float]) -> None:
        """Another edit of a part; a move that moves nothing is none."""
        moves = any(offset) or any(rotation)
        if action == NOTHING or (action == "move" and not moves):
            self.wanted.pop(part.column, None)
            return
        more = {"offset": tidy(offset), "rotation": tidy(rotation)} if action == "move" else {}
        self.wanted[part.column] = Edit.model_validate({"object": part.request, "action": action, **more})

    def edits(self) -> list[Edit]:
        return [self.wanted[column] for column in sorted(self.wanted)]

    def removed(self, column: int) -> bool:
        return column in self.wanted and self.wanted[column].action == "remove"

    def motion(self, column: int, centre: Float[np.ndarray, "xyz=3"] | None, frame: int) -> Pose | None:
        """How a part was moved in the world at a frame; None where it was not, or is not there."""
        edit = self.wanted.get(column)
        if edit is None or edit.action != "move" or centre is None:
            return None
        return placement(edit, self.scene, np.tile(centre, (self.scene.frame_count, 1)))[frame]

    def offset(self, shift: Float[np.ndarray, "xyz=3"]) -> list[float]:
        """A shift in the world as right, down and forward in the first view."""
        first = int(np.flatnonzero(self.scene.visible[0])[0])
        return tidy((shift @ self.scene.object_from_camera[0, first, :3, :3].astype(np.float64)).tolist())


def tidy(numbers: Sequence[float]) -> list[float]:
    """Numbers as a person would write them."""
    return [float(f"{number:.4g}") for number in numbers]


def edit_entries(edits: Sequence[Edit], video: str) -> list[dict[str, Any]]:
    """Edits as they stand in config.yaml, to be shown together in one video."""
    return [
        {
            "object": edit.object,
            "action": edit.action,
            **({"offset": list(edit.offset)} if any(edit.offset) else {}),
            **({"rotation": list(edit.rotation)} if any(edit.rotation) else {}),
            "video": video,
        }
        for edit in edits
    ]


def joined_entries(held: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The edits of a scene with new ones: those of the same video are replaced, all others stay as they are."""
    videos = {entry["video"] for entry in new}
    return [*(entry for entry in held if entry.get("video") not in videos), *new]
