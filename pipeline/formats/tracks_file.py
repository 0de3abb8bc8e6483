"""tracks.h5: points followed through the video, each on one object."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from pipeline.formats.h5_schema import Field, read_h5, write_h5

SCHEMA, VERSION = "monoverse-tracks", 2
FIELDS = (
    Field("object_ids", "uint8", "track", "object that the point lies on, 0 is background"),
    Field("observation_track", "int32", "observation", "track of the observation; ascending"),
    Field("observation_frame", "int32", "observation", "frame of the observation; ascending within a track"),
    Field("observation_xy", "float32", "observation xy=2", "pixels, pixel centres at +0.5"),
    Field("observation_covariance", "float32", "observation xx_xy_yy=3", "of xy, pixels squared"),
)


@dataclass(frozen=True)
class Tracks:
    """Points followed through the video; observations are sorted by track, then frame."""

    object_ids: UInt8[np.ndarray, "track"]
    observation_track: Int[np.ndarray, "observation"]
    observation_frame: Int[np.ndarray, "observation"]
    observation_xy: Float[np.ndarray, "observation xy=2"]
    observation_covariance: Float[np.ndarray, "observation xx_xy_yy=3"]

    @property
    def covariance(self) -> Float[np.ndarray, "observation 2 2"]:
        """Of every observation, as matrices."""
        return self.observation_covariance[:, [0, 1, 1, 2]].reshape(-1, 2, 2).astype(np.float64)


def write_tracks(path: Path, tracks: Tracks, attributes: Mapping[str, Any]) -> None:
    """Write all tracks."""
    arrays = {field.name: getattr(tracks, field.name) for field in fields(tracks)}
    write_h5(path, SCHEMA, VERSION, FIELDS, arrays, attributes)


def read_tracks(path: Path) -> Tracks:
    """All tracks."""
    return Tracks(**read_h5(path, SCHEMA, VERSION, FIELDS)[0])
