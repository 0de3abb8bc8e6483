"""Label propagation along the estimated flow, from the frames that have them into those that have not.

This is consistency along flows, done once before training: no label of a held-out frame and no mask has a part in it.
Where the flow is not confirmed (occluded, uncovered, out of the image) the label is lost, not guessed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int16, UInt8

from pipeline.correspondence.flow_warping import warp
from pipeline.formats.scene_file import Scene, SceneFlow
from pipeline.semantic_flow.labels import UNLABELLED, Labels

SURE = 0.6  # least share of the winning class among what a pixel was carried from
KEPT_A_FRAME = 0.97  # belief that is left after each frame: the nearer labelled frame wins
LEAST_WEIGHT = 0.5  # of what a colour was carried from


def with_propagated_labels(scene: Scene, flow: SceneFlow, labels: Labels, reach: int) -> Labels:
    """The labels, and those carried to at most `reach` frames away; `labelled` still says which frames were given."""
    if not reach or labels.labelled.all():
        return labels
    beliefs = propagated_beliefs(scene, flow, labels, reach, backwards=False) + propagated_beliefs(
        scene, flow, labels, reach, backwards=True
    )
    total = beliefs.sum(-1)
    winner = beliefs.argmax(-1).astype(np.int16)
    known = (total > 0) & (beliefs.max(-1) > SURE * total) & ~labels.labelled[:, None, None]
    return replace(labels, ids=np.where(known, winner, labels.ids))


def propagated_beliefs(
    scene: Scene, flow: SceneFlow, labels: Labels, reach: int, backwards: bool
) -> Float[np.ndarray, "frame height width classes"]:
    """How much each pixel of frames without labels is believed to be of each class, coming from one side in time."""
    classes = len(labels.names)
    beliefs = np.zeros((*labels.ids.shape, classes), np.float32)
    for frame, age, values in propagated(
        scene, flow, labels, reach, backwards, lambda t: one_hot(labels.ids[t], classes)
    ):
        beliefs[frame] = KEPT_A_FRAME**age * values
    return beliefs


def propagated_colours(
    scene: Scene, flow: SceneFlow, labels: Labels, reach: int
) -> UInt8[np.ndarray, "frame height width rgb=3"]:
    """What the pixels that labels were carried from look like, of two sides in time the nearer; black where there is none."""
    colours, ages = np.zeros_like(scene.images), np.full(scene.object_ids.shape, reach + 1, np.int32)

    def look(frame: int) -> Float[np.ndarray, "height width channel"]:
        return np.dstack([scene.images[frame], np.ones(scene.images.shape[1:3])]).astype(np.float32)

    for backwards in (False, True):
        for frame, age, values in propagated(scene, flow, labels, reach, backwards, look):
            weight = values[..., 3:]
            nearer = (weight[..., 0] > LEAST_WEIGHT) & (age < ages[frame])
            colours[frame][nearer] = (values[..., :3] / np.maximum(weight, LEAST_WEIGHT))[nearer].round()
            ages[frame][nearer] = age
    return colours


def propagated(
    scene: Scene,
    flow: SceneFlow,
    labels: Labels,
    reach: int,
    backwards: bool,
    start: Callable[[int], Float[np.ndarray, "height width channel"]],
) -> Iterator[tuple[int, int, Float[np.ndarray, "height width channel"]]]:
    """Frames without labels, how far they are from the labelled frame on one side, and its values carried there."""
    frames = scene.frame_count
    current, age = start(0), reach
    for frame in range(frames - 1, -1, -1) if backwards else range(frames):
        if labels.labelled[frame]:
            current, age = start(frame), 0
            continue
        source = frame + 1 if backwards else frame - 1
        age += 1
        if 0 <= source < frames and age <= reach:
            there, valid = flow.to_next(frame) if backwards else flow.to_previous(frame)
            current = (warp(current, there) * valid[..., None]).reshape(current.shape)
            yield frame, age, current


def one_hot(ids: Int16[np.ndarray, "height width"], classes: int) -> Float[np.ndarray, "height width classes"]:
    """1 for the class of each pixel; nothing where it is unknown."""
    table = np.vstack([np.eye(classes, dtype=np.float32), np.zeros((1, classes), np.float32)])
    return table[np.where(ids == UNLABELLED, classes, ids)]
