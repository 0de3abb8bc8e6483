"""Labels carried along the estimated flow, from the frames that have them into those that have not.

This is consistency along flows, done once before training: no label of a held-out frame and no mask has a part in it.
Where the flow is not confirmed (occluded, uncovered, out of the image) the label is lost, not guessed.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int16

from pipeline.flow_geometry import follow
from pipeline.scene_file import Scene
from pipeline.semantic_labels import UNLABELLED, Labels

SURE = 0.6  # least share of the winning class among what a pixel was carried from
KEPT_A_FRAME = 0.97  # belief that is left after each frame: the nearer labelled frame wins


def with_carried_labels(scene: Scene, labels: Labels, reach: int) -> Labels:
    """The labels, and those carried to at most `reach` frames away; `labelled` still says which frames were given."""
    if not reach or labels.labelled.all():
        return labels
    beliefs = carried_beliefs(scene, labels, reach, backwards=False) + carried_beliefs(
        scene, labels, reach, backwards=True
    )
    total = beliefs.sum(-1)
    winner = beliefs.argmax(-1).astype(np.int16)
    known = (total > 0) & (beliefs.max(-1) > SURE * total) & ~labels.labelled[:, None, None]
    return replace(labels, ids=np.where(known, winner, labels.ids))


def carried_beliefs(
    scene: Scene, labels: Labels, reach: int, backwards: bool
) -> Float[np.ndarray, "frame height width classes"]:
    """How much each pixel of frames without labels is believed to be of each class, coming from one side in time."""
    classes, frames = len(labels.names), scene.frame_count
    beliefs = np.zeros((*labels.ids.shape, classes), np.float32)
    current, age = np.zeros((*labels.ids.shape[1:], classes), np.float32), reach
    for t in range(frames - 1, -1, -1) if backwards else range(frames):
        if labels.labelled[t]:
            current, age = one_hot(labels.ids[t], classes), 0
            continue
        source = t + 1 if backwards else t - 1
        age += 1
        if not 0 <= source < frames or age > reach:
            current = np.zeros_like(current)
            continue
        flow, valid = step_between(scene, t, source)
        current = KEPT_A_FRAME * follow(current, flow) * valid[..., None]
        current = current.reshape(beliefs.shape[1:])
        beliefs[t] = current
    return beliefs


def step_between(
    scene: Scene, frame: int, source: int
) -> tuple[Float[np.ndarray, "height width xy=2"], Bool[np.ndarray, "height width"]]:
    """Flow from a frame to its neighbour, and where it is confirmed."""
    if source > frame:
        return scene.flow_forward[frame], scene.flow_forward_valid[frame]
    return scene.flow_backward[source], scene.flow_backward_valid[source]


def one_hot(ids: Int16[np.ndarray, "height width"], classes: int) -> Float[np.ndarray, "height width classes"]:
    """1 for the class of each pixel; nothing where it is unknown."""
    table = np.vstack([np.eye(classes, dtype=np.float32), np.zeros((1, classes), np.float32)])
    return table[np.where(ids == UNLABELLED, classes, ids)]
