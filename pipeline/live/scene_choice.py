"""What a person sets of a trained scene, a frame and a scale for each object, and what follows from it."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from models.rendering import VALID_SCORE
from pipeline.formats.scene_file import Scene
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.scene.placement import world_from_object

HALVINGS = 20
Scales = Float[np.ndarray, "object"]


class Place(NamedTuple):
    """Where an object stands in the world: a shift, a turn as a quaternion, and one scale for all axes."""

    position: Float[np.ndarray, "xyz=3"]
    wxyz: Float[np.ndarray, "four=4"]
    scale: float


class Judgement(StrEnum):
    """Doubtful: the scale network takes the scales, but some object would lose more than its field gets wrong at borders."""

    POSSIBLE = "possible"
    DOUBTFUL = "doubtful"
    IMPOSSIBLE = "impossible"


class Verdict(NamedTuple):
    """Whether scales are possible, how sure the network is, and why or why not in words."""

    judgement: Judgement
    score: float
    reason: str


@dataclass
class SceneChoice:
    """A frame and scales of one method's scene."""

    method: TrainedMethod
    frame: int
    scales: Scales
    valid_only: bool = False
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @staticmethod
    def suggested(method: TrainedMethod) -> "SceneChoice":
        """The middle of the frames whose camera is known, and the valid scene that is shown first."""
        known = np.flatnonzero(method.scene.visible[0])
        return SceneChoice(method, int(known[len(known) // 2]), suggested_scales(method))

    @property
    def scene(self) -> Scene:
        return self.method.scene

    def score(self, scales: Scales) -> float:
        """The scale network's score."""
        return float(self.method.validity(torch.from_numpy(scales[None]).float().to(self.method.device))[0])

    def hidden(self, scales: Scales) -> float:
        """The share of an object that others would hide in its worst frame."""
        return float(self.method.hidden_share(torch.from_numpy(scales[None]).float().to(self.method.device))[0])

    def valid(self, scales: Scales) -> bool:
        return self.score(scales) >= VALID_SCORE

    def certain(self, scales: Scales) -> bool:
        """Valid, and no object loses more in any frame than the fields get wrong at borders."""
        return self.valid(scales) and self.hidden(scales) <= self.method.hidden_limit

    @property
    def strict(self) -> bool:
        """Whether what one may choose is certain: wherever anything is. A method that still trains may change its mind."""
        return self.certain(suggested_scales(self.method))

    def possible(self, scales: Scales) -> bool:
        return self.certain(scales) if self.strict else self.valid(scales)

    def asked(self, scales: Scales) -> Scales:
        """What is taken of scales that a person asks for: where only possible ones are wanted, as near as scenes stay possible."""
        if self.valid_only and self.possible(self.scales):
            return self.border(self.scales, scales)
        return scales

    def border(self, valid: Scales, wanted: Scales) -> Scales:
        """As far from a possible scene towards another as scenes stay possible, in ratios of scales."""
        good = self.certain if self.strict else self.valid
        if good(wanted):
            return wanted
        near, far = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (near + far) / 2
            near, far = (middle, far) if good(valid * (wanted / valid) ** middle) else (near, middle)
        return valid * (wanted / valid) ** near

    def nearest(self) -> Scales:
        """The possible scene nearest to the chosen scales: the nearest sample, then as far from it towards them as it goes."""
        if self.possible(self.scales):
            return self.scales
        samples = self.method.scales.cpu().numpy().astype(np.float64)
        known = samples[self.possible_samples().cpu().numpy()]
        if not len(known):
            return suggested_scales(self.method)
        away = np.linalg.norm(np.log(known / self.scales), axis=1)
        return self.border(known[away.argmin()], self.scales)

    def possible_samples(self) -> Bool[Tensor, "sample"]:
        """Which of the scenes that training drew are possible."""
        scales = self.method.scales
        valid = self.method.validity(scales) >= VALID_SCORE
        return valid & (self.method.hidden_share(scales) <= self.method.hidden_limit) if self.strict else valid

    def another(self) -> Scales:
        """Another of the valid scenes that training drew."""
        samples = self.method.scales.cpu().numpy().astype(np.float64)
        return samples[int(self.random.integers(len(samples)))]

    def verdict(self) -> Verdict:
        """Whether the chosen scales are possible, and why not."""
        score, hidden, limit = self.score(self.scales), self.hidden(self.scales), self.method.hidden_limit
        if score >= VALID_SCORE and hidden <= limit:
            return Verdict(Judgement.POSSIBLE, score, "the film's camera would have seen the same pictures")
        if score >= VALID_SCORE:
            most = f"{100 * limit:.1f} % is what the fields get wrong at borders"
            doubt = f"with depths as unsure as they are, {100 * hidden:.1f} % of a thing could be hidden in some frame, {most}"
            return Verdict(Judgement.DOUBTFUL, score, doubt)
        given = (
            torch.from_numpy(row).float().to(self.method.device) for row in (self.scales, suggested_scales(self.method))
        )
        return Verdict(Judgement.IMPOSSIBLE, score, self.method.explain_scales(*given))

    def scale_text(self) -> str:
        """The scales of the moving objects, each with its name."""
        names = [str(entry["name"]) for entry in self.scene.objects]
        return ", ".join(f"{name} × {scale:.3f}" for name, scale in list(zip(names, self.scales, strict=True))[1:])

    def place(self, index: int, moved: Float[np.ndarray, "4 4"] | None = None) -> Place | None:
        """Where an object is now, after a motion in the world if it was moved; None where it has no pose."""
        scale = float(self.scales[index])
        pose = world_from_object(self.scene, index, self.frame, scale)
        if pose is None:
            return None
        return as_place(pose if moved is None else moved @ pose, scale)


def as_place(pose: Float[np.ndarray, "4 4"], scale: float) -> Place:
    """A similarity of a known scale taken apart."""
    return Place(pose[:3, 3], quaternion(pose[:3, :3] / scale), scale)


def suggested_scales(method: TrainedMethod) -> Scales:
    return method.scales[0].cpu().numpy().astype(np.float64)


def as_markdown(text: str) -> str:
    """Text of a person's own, in which no sign means anything."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-.!|~&$:])", r"\\\1", text)


def quaternion(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "four=4"]:
    """A turn as (w, x, y, z)."""
    return Rotation.from_matrix(rotation).as_quat(scalar_first=True)
