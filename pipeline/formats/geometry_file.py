"""geometry.json: the camera, and a verdict on the reconstruction of every object. This module alone knows its layout."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.formats.frames_folder import read_json
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

VERSION: Literal[2] = 2  # since `numbers` have the field's names
Verdict = Literal["ok", "weak", "failed"]
Motion = Literal["moving", "static", "rotating"]


class CarriedPose(BaseModel):
    """A pose that no observation gave, only the object's smooth motion in the frames around: where it is while it is hidden."""

    model_config = ConfigDict(frozen=True)
    frame: int
    camera_from_object: list[list[float]]  # 3 rows of 4
    rotation_std_deg: float
    place_std_percent: float  # of the distance to the camera


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
    carried: list[CarriedPose] = []  # of frames without a pose of their own

    @property
    def doubt(self) -> str:
        """What a user must know of an object that is not ok: the same sentence in log and report."""
        return f"{self.name}: {self.verdict}. {self.reason}"


class FocalLikelihood(BaseModel):
    """What the tracks say of the focal length, and with them what is known of cameras; both curves are 0 at their best."""

    model_config = ConfigDict(frozen=True)
    focal_px: list[float]
    log_likelihood: list[float]
    log_posterior: list[float]
    interval_68: tuple[float, float]
    interval_95: tuple[float, float]


class Geometry(BaseModel):
    """Intrinsics in pixels (fx, fy, cx, cy) with their source, what the camera does, and the objects."""

    model_config = ConfigDict(frozen=True)
    schema_version: Literal[2] = VERSION
    intrinsics: tuple[float, float, float, float]
    intrinsics_source: Literal["given", "metadata", "self_calibrated", "default"]
    focal_std_px: float | None
    focal_curve: FocalLikelihood | None = None  # of a camera that calibrated itself
    radial: float | None = None  # k1 of COLMAP's SIMPLE_RADIAL, where the tracks show one; the intrinsics leave it out
    camera: Motion
    objects: list[ObjectGeometry]


def write_geometry(path: Path, geometry: Geometry) -> None:
    """Write geometry.json."""
    with whole(path) as partial:
        partial.write_text(json.dumps(geometry.model_dump(mode="json"), indent=1))


def read_geometry(path: Path) -> Geometry:
    """The contents of geometry.json, which must be of this version."""
    content = read_json(path)
    found = content.get("schema_version", 1)
    if found != VERSION:
        raise StageError(f"{path} has schema {found}, expected {VERSION}; delete it and run reconstruct_objects again")
    try:
        return Geometry.model_validate(content)
    except ValidationError as error:
        raise StageError(f"{path} is damaged ({error}); delete it and run reconstruct_objects again") from error
