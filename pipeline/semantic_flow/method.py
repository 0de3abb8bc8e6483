"""A trained Semantic Flow as every other stage sees it."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.rays import Rays
from models.rendering import Rendering, in_chunks
from models.semantic_flow.decoding import rendering
from models.semantic_flow.editing import Change, edited_rendering
from pipeline.config import Edit, TrainSemanticFlowConfig
from pipeline.formats.scene_file import Scene
from pipeline.runtime.tensor_file import load_tensors
from pipeline.scene.method_interface import Classes, TrainedMethod
from pipeline.semantic_flow.checkpoint import TrainedModel, trained_model
from pipeline.semantic_flow.edits import change_of
from pipeline.semantic_flow.frame_features import features_file
from pipeline.semantic_flow.shared_semantics import label_map_classes
from pipeline.semantic_flow.training_state import FEATURES


class SemanticFlowMethod(TrainedMethod):
    """A model whose `object_weights` have a column for each class. It knows one scene: one row of scales, all ones."""

    def __init__(self, scene: Scene, trained: TrainedModel) -> None:
        ones = torch.ones(1, int(trained.facts["objects"]), device=trained.device)
        super().__init__(scene, ones, ones[:, 0])
        self.trained = trained

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render rays; scales change nothing."""
        model, nodes, memory = self.trained.model, self.trained.nodes, self.trained.memory
        return in_chunks(lambda part: rendering(model, nodes, part, memory), rays)

    @property
    def object_ids(self) -> list[int]:
        """A class is shown under the id of its first object."""
        first = {column: identity for identity, column in sorted(self.classes.class_of.items(), reverse=True)}
        return [first[column] for column in range(len(self.classes.names))]

    @property
    def classes(self) -> Classes:
        facts = self.trained.facts
        return Classes(
            list(facts["class_names"]),
            [bool(moves) for moves in facts["class_moves"]],
            {int(identity): int(column) for identity, column in facts["class_of"].items()},
            bool(facts["classes_are_objects"]),
            list(facts["labelled_frames"]),
        )

    @property
    def remarks(self) -> dict[str, str]:
        facts, model, memory = self.trained.facts, self.trained.model, self.trained.memory
        options, frames = facts["options"], model.bounds.cameras.frame_count
        return {
            "labels": f"{options['task']}: those of {len(facts['labelled_frames'])} of {frames} frames",
            "classes": ", ".join(facts["class_names"]),
            "semantic head": options["ablation"]["head"],
            "encoder": facts["features"]["encoder"],
            "colours": "of the fields alone" if memory is None else "of the frames that see the same point",
            "started from": facts.get("start", "nothing"),
        }

    def label_map_classes(self, labels: Path) -> Int[np.ndarray, "frame height width"]:
        options = TrainSemanticFlowConfig.model_validate(self.trained.facts["options"])
        return label_map_classes(self.scene, labels, options, self.classes.names, self.classes.moves)

    def edited(self, edits: list[Edit], scales: Float[np.ndarray, "object"]) -> "EditedSemanticFlow":
        return EditedSemanticFlow(self, [change_of(edit, self.trained, self.scene) for edit in edits])


class EditedSemanticFlow(TrainedMethod):
    """A trained Semantic Flow whose things were taken out, moved, repeated or painted."""

    def __init__(self, method: SemanticFlowMethod, changes: list[Change]) -> None:
        super().__init__(method.scene, method.scales, method.scores)
        self.method, self.changes = method, changes

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        """Render rays of the edited scene; scales change nothing."""
        trained = self.method.trained
        model, nodes, memory = trained.model, trained.nodes, trained.memory
        return in_chunks(lambda part: edited_rendering(model, nodes, part, self.changes, memory), rays)

    @property
    def object_ids(self) -> list[int]:
        return self.method.object_ids


def method_from_checkpoint(state: dict[str, Any], scene: Scene, device: torch.device) -> SemanticFlowMethod:
    """The trained method in a checkpoint's contents."""
    return SemanticFlowMethod(scene, trained_model(state, device))


def method_from_training(kept: dict[str, Any], resume: Path, scene: Scene, device: torch.device) -> SemanticFlowMethod:
    """The method as a training left it last, without colours taken from frames."""
    kept["model"]["weights"][FEATURES] = load_tensors(features_file(resume.parent, kept["fingerprint"]))["maps"]
    return method_from_checkpoint({**kept["facts"], "model": kept["model"]}, scene, device)
