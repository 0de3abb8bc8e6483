"""geometry.json: the camera, and a verdict on the reconstruction of every object. This module alone knows its layout."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.formats.frames_folder import read_json
from pipeline.formats.lens import Lens, Undistortion, undistortion
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

ZOOMS = "the focal length changes"  # how the reason of a background that zooms begins
ROLLS = "the shutter reads the image row by row"  # and of one whose shutter rolls
VERSION: Literal[3] = 3  # since a radial term that the tracks show is undone
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


class MeasuredRadial(BaseModel):
    """k1 of COLMAP's SIMPLE_RADIAL (OpenCV's k1), its standard deviation, and how far it moves the frames' corners."""

    model_config = ConfigDict(frozen=True)
    k1: float
    k1_std: float
    corner_px: float


class Geometry(BaseModel):
    """Intrinsics in pixels (fx, fy, cx, cy) with their source, what the camera does, and the objects.

    `lens` is that of the frames (COLMAP's model, its parameters, width and height) where the tracks show that it bends
    straight lines. The intrinsics, the reconstruction and scene.h5 are then of the pinhole view in which it is undone; frames/,
    flow.h5 and masks.h5 stay as they are.
    """

    model_config = ConfigDict(frozen=True)
    schema_version: Literal[3] = VERSION
    intrinsics: tuple[float, float, float, float]
    intrinsics_source: Literal["given", "metadata", "self_calibrated", "default"]
    focal_std_px: float | None
    focal_curve: FocalLikelihood | None = None  # of a camera that calibrated itself
    radial: MeasuredRadial | None = None  # of a camera that calibrated itself
    lens: dict[str, Any] | None = None
    camera: Motion
    objects: list[ObjectGeometry]

    @property
    def view(self) -> Undistortion | None:
        """What makes of the frames the pinhole view of the reconstruction; None where they are that already."""
        return undistortion(Lens.of_values(self.lens)) if self.lens else None


def lens_words(geometry: Geometry) -> str:
    """Which lens was undone in what is exported, to go behind a sentence; empty where none was."""
    if geometry.lens is None:
        return ""
    params = ", ".join(f"{value:.5g}" for value in geometry.lens["params"])
    return f"; the frames' lens, {geometry.lens['model']} ({params}), is undone: images are of a PINHOLE camera"


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
