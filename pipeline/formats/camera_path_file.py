"""A camera path as a person laid it: views in the scene's world that a film is to pass through, and what it shows.

JSON: `schema`, `version`, `seconds` and `fps` of the film, its `height` and `width` in pixels, `scales` of the scene's objects,
`edits` as config.yaml has them, and `views`: each a `frame` (the time), `world_from_camera` (4x4, row by row, the camera
looks along +z with y down, in the units of scene.h5) and `fov_y_deg`, the angle from its upper to its lower border.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import Edit
from pipeline.formats.frames_folder import read_json
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

Row = tuple[float, float, float, float]
SCHEMA: Literal["monoverse-camera-path"] = "monoverse-camera-path"
VERSION: Literal[1] = 1
MOST_SECONDS, MOST_PIXELS = 600.0, 4096


class PathView(BaseModel):
    """One view to pass through, and the time that it shows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    frame: int = Field(ge=0)
    world_from_camera: tuple[Row, Row, Row, Row]
    fov_y_deg: float = Field(gt=0, lt=180)

    @property
    def pose(self) -> Float[np.ndarray, "4 4"]:
        return np.array(self.world_from_camera, np.float64)


class CameraPath(BaseModel):
    """The whole path."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    schema_name: Literal["monoverse-camera-path"] = Field(SCHEMA, alias="schema")
    version: Literal[1] = VERSION
    seconds: float = Field(gt=0, le=MOST_SECONDS)
    fps: float = Field(gt=0, le=120)
    height: int = Field(ge=2, le=MOST_PIXELS)
    width: int = Field(ge=2, le=MOST_PIXELS)
    scales: list[Annotated[float, Field(gt=0)]]
    edits: list[Edit] = []
    views: list[PathView] = Field(min_length=2)


def write_camera_path(path: Path, camera_path: CameraPath) -> None:
    """Write a path, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(json.dumps(camera_path.model_dump(mode="json", by_alias=True), indent=1))


def read_camera_path(path: Path) -> CameraPath:
    """Read a path and check it."""
    if not path.exists():
        raise StageError(f"{path} does not exist; save a path in `python -m pipeline.view_scene`")
    try:
        return CameraPath.model_validate(read_json(path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "it"
        raise StageError(f"{path} is no camera path: {where}: {fault['msg']}; save it anew in view_scene") from error
