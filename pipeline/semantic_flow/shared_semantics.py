"""What scenes of Semantic Flow share: classes, the frames' feature basis, flow attention and semantic network."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from models.semantic_flow.attention import SemanticHead
from models.semantic_flow.encoders import Basis
from pipeline.config import EncoderName, TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene
from pipeline.runtime.digests import digest
from pipeline.runtime.errors import StageError
from pipeline.runtime.renamed_keys import with_new_names
from pipeline.runtime.tensor_file import load_tensors, save_tensors
from pipeline.semantic_flow import checkpoint
from pipeline.semantic_flow.frame_features import basis_from_state
from pipeline.semantic_flow.labels import Labels, read_labels
from pipeline.semantic_flow.training_state import write_history

log = logging.getLogger(__name__)
METHOD, SCHEMA_VERSION = "shared_semantics", 1
HEAD = "head."
OUTPUT = "network.4."  # the layer whose rows are classes
ALIKE = ("ablation.head", "ablation.displacement", "ablation.geometry_feature", "reach", "feature_channels")
MOST_IDS = 254


@dataclass(frozen=True)
class SharedSemantics:
    """A trained semantic network with what it needs to be understood in another scene."""

    names: list[str]
    moves: list[bool]
    encoder: EncoderName
    basis: Basis
    head: dict[str, Tensor]
    origin: str


def scene_digest(scene: Path) -> str:
    """What a scene is known again by."""
    return digest(scene)


def read_trained(path: Path) -> dict[str, Any]:
    """The checkpoint of one scene, or of several that were trained as one model."""
    try:
        state: dict[str, Any] = load_tensors(path)
    except StageError as error:
        raise StageError(f"{error}; delete it and train again") from error
    expected = {checkpoint.METHOD: checkpoint.SCHEMA_VERSION, METHOD: SCHEMA_VERSION}
    found = state.get("method") if isinstance(state, dict) else type(state).__name__
    if found not in expected or state.get("schema_version") != expected[found]:
        raise StageError(
            f"{path} holds {found}, to start from a trained semantic_flow (or several trained as one) is needed; "
            "delete it and train again"
        )
    return state


def copy_member(state: dict[str, Any], digest: str, path: Path, history: Path) -> bool:
    """Write a scene's own part, where it is one of several that were trained as one model; whether it is."""
    mine = state.get("members", {}).get(digest)
    if mine is None:
        return False
    log.info(
        "this scene is one of %d that were trained as one model: its part is taken as it is", len(state["members"])
    )
    write_history(history, state["histories"][digest])
    save_tensors(path, mine)
    return True


def shared_part(state: dict[str, Any], config: TrainSemanticFlowConfig, path: Path) -> SharedSemantics:
    """What another scene may start from; both must have been made with the same settings of the semantic network."""
    source = next(iter(state["members"].values())) if state["method"] == METHOD else state
    trained_with = TrainSemanticFlowConfig.model_validate(with_new_names(checkpoint.SECTION, source["options"]))
    for name in ALIKE:
        theirs, ours = attrgetter(name)(trained_with), attrgetter(name)(config)
        if theirs != ours:
            raise StageError(
                f"{path} was trained with train_semantic_flow.{name}: {theirs}, this scene has {ours}; "
                "give both the same value, or leave start_from out"
            )
    weights = source["model"]["weights"]
    head = {name.removeprefix(HEAD): value for name, value in weights.items() if name.startswith(HEAD)}
    features = source["features"]
    basis = basis_from_state(features["basis"])
    names, moves = list(source["class_names"]), list(source["class_moves"])
    return SharedSemantics(names, moves, features["encoder"], basis, head, origin_of(state, path))


def all_classes(labels: Sequence[Labels]) -> tuple[list[str], list[bool]]:
    """Names of the classes of several scenes, the background first, and which of them move."""
    names, moves = list(labels[0].names), list(labels[0].moves)
    for other in labels[1:]:
        for name, moving in zip(other.names[1:], other.moves[1:], strict=True):
            if name not in names:
                names.append(name)
                moves.append(moving)
    return names, moves


def origin_of(state: dict[str, Any], path: Path) -> str:
    """In words, whose semantics a scene starts from."""
    name = path.resolve().parent.parent.name
    return f"{name}, {len(state['members'])} scenes trained as one model" if state["method"] == METHOD else name


def with_classes(labels: Labels, names: list[str], moves: list[bool]) -> Labels:
    """Labels with the classes of another model first, in its order; a class is known again by its name.

    The background stays first whatever it is called. A class that no object of this scene has gets an id of its own,
    from 254 downwards, so that it can be shown where it is wrongly seen.
    """
    known = [names[0], *[name for name in labels.names[1:]]]
    classes = [*names, *[name for name in known if name not in names]]
    column = np.array([classes.index(name) for name in known], np.int16)
    moving = [*moves, *[labels.moves[known.index(name)] for name in classes[len(names) :]]]
    class_of = {identity: int(column[own]) for identity, own in labels.class_of.items()}
    absent = [index for index in range(len(classes)) if index not in class_of.values()]
    free = (identity for identity in range(MOST_IDS, 0, -1) if identity not in class_of)
    class_of |= dict(zip(free, absent, strict=False))
    ids = np.where(labels.ids >= 0, column[labels.ids.clip(0)], labels.ids).astype(np.int16)
    return replace(labels, ids=ids, names=classes, moves=moving, class_of=class_of)


def label_map_classes(
    scene: Scene, labels: Path, config: TrainSemanticFlowConfig, names: list[str], moves: list[bool]
) -> Int[np.ndarray, "frame height width"]:
    """The class, of those that a model knows, that label maps give every pixel; -1 unknown."""
    return with_classes(read_labels(scene, labels, config), names, moves).ids


def take_head(head: SemanticHead, shared: SharedSemantics) -> None:
    """Give a scene's semantic network what was learned elsewhere; classes that are new here keep their fresh weights."""
    own = head.state_dict()
    for name, value in shared.head.items():
        if name.startswith(OUTPUT):
            own[name] = torch.cat([value.to(own[name].device), own[name][len(value) :]])
        else:
            own[name] = value
    head.load_state_dict(own)


def adaptation(config: TrainSemanticFlowConfig) -> TrainSemanticFlowConfig:
    """Fewer steps for a scene that starts from others' semantics: stage 1 shortened in the same proportion."""
    steps = min(config.adaptation_steps, config.steps)
    static = max(round(config.static_steps * steps / config.steps), 1)
    return config.model_copy(update={"steps": steps, "static_steps": static})
