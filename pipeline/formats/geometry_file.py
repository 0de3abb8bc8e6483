"""geometry.json: the camera, and a verdict on the reconstruction of every object."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.formats.frames_folder import read_json
from pipeline.runtime.atomic import whole

Verdict = Literal["ok", "weak", "failed"]
Motion = Literal["moving", "static", "rotating"]


class ObjectGeometry(BaseModel):
    """How well one object was reconstructed, by which method, and why one should doubt it."""

    model_config = ConfigDict(frozen=True)
    id: int
    name: str
    verdict: Verdict
    reason: str
    method: str
    numbers: dict[str, float]
    residual_px: list[float | None] = []  # median of each frame, None where the object has no pose
    points: list[int] = []  # seen in each frame

    @property
    def doubt(self) -> str:
        """What a user must know of an object that is not ok: the same sentence in log and report."""
        return f"{self.name}: {self.verdict}. {self.reason}"


class Geometry(BaseModel):
    """Intrinsics in pixels (fx, fy, cx, cy) with their source, what the camera does, and the objects."""

    model_config = ConfigDict(frozen=True)
    intrinsics: tuple[float, float, float, float]
    intrinsics_source: Literal["given", "metadata", "self_calibrated", "default"]
    focal_std_px: float | None
    camera: Motion
    objects: list[ObjectGeometry]


def write_geometry(path: Path, geometry: Geometry) -> None:
    """Write geometry.json."""
    with whole(path) as partial:
        partial.write_text(json.dumps(geometry.model_dump(mode="json"), indent=1))


def read_geometry(path: Path) -> Geometry:
    """The contents of geometry.json."""
    return Geometry.model_validate(read_json(path))
