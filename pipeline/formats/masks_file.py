"""masks.h5 and objects.json: which object every pixel shows, and what the objects are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from pipeline.formats.frames_folder import read_json
from pipeline.formats.h5_schema import Field, read_h5, write_h5
from pipeline.runtime.atomic import whole

SCHEMA, VERSION = "monoverse-masks", 1
FIELDS = (Field("object_ids", "uint8", "frame height width", "0 is background, 255 means ignore"),)


def write_masks(path: Path, object_ids: UInt8[np.ndarray, "frame height width"], attributes: Mapping[str, Any]) -> None:
    """Write the ids of all frames."""
    write_h5(path, SCHEMA, VERSION, FIELDS, {"object_ids": object_ids}, attributes)


def read_masks(path: Path) -> UInt8[np.ndarray, "frame height width"]:
    """The ids of all frames."""
    return read_h5(path, SCHEMA, VERSION, FIELDS)[0]["object_ids"]


def write_objects(path: Path, backend: str, objects: list[dict[str, Any]], warnings: list[str]) -> None:
    """Write objects.json: each object's id, name, evidence and confidence; object 0 is the background."""
    with whole(path) as partial:
        partial.write_text(json.dumps({"backend": backend, "objects": objects, "warnings": warnings}, indent=1))


def read_objects(path: Path) -> dict[str, Any]:
    """The contents of objects.json."""
    return read_json(path)
