"""Requests for edits, as config.yaml has them: which are shown together, in words, and as motions in the world."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from pipeline.cameras import inverse, rigid, transform
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene


def edits_by_video(edits: list[Edit]) -> list[list[Edit]]:
    """The edits that are shown together: those that name the same video; one that names none is alone."""
    videos: dict[str, list[Edit]] = {}
    for number, edit in enumerate(edits):
        videos.setdefault(edit.video or f"edit {number}", []).append(edit)
    return list(videos.values())


def edit_caption(edit: Edit) -> str:
    """An edit in words."""
    if edit.action == "recolour":
        return f"{edit.object} in colour {edit.colour}"
    if edit.action in ("remove", "isolate"):
        return f"{edit.object} {'removed' if edit.action == 'remove' else 'alone'}"
    how = [f"by {edit.offset}"] if any(edit.offset) else []
    how += [f"turned by {edit.rotation} degrees"] if any(edit.rotation) else []
    return f"{edit.object} {'moved' if edit.action == 'move' else 'repeated'} {', '.join(how)}"


def object_centres(scene: Scene, index: int, scale: float) -> Float[np.ndarray, "frame xyz=3"]:
    """Where an object's centre is in the world; where it has no pose, as in the nearest frame."""
    known = np.flatnonzero(scene.visible[index] & scene.visible[0])
    nearest = known[np.abs(np.arange(scene.frame_count)[:, None] - known).argmin(1)]
    poses = scene.object_from_camera[:, nearest].astype(np.float64)
    return transform(poses[0], scale * inverse(poses[index])[:, :3, 3])


def placement(
    edit: Edit, scene: Scene, centres: Float[np.ndarray, "frame xyz=3"]
) -> Float[np.ndarray, "frame row=4 column=4"]:
    """new_from_old of every frame: a turn about the thing's centre, then the offset, along the axes of the first view."""
    first = int(np.flatnonzero(scene.visible[0])[0])
    axes = scene.object_from_camera[0, first, :3, :3].astype(np.float64)
    turn = axes @ Rotation.from_rotvec(np.radians(edit.rotation)).as_matrix() @ axes.T
    shift = centres + axes @ np.array(edit.offset) - centres @ turn.T
    return rigid(np.broadcast_to(turn, (len(centres), 3, 3)), shift)
