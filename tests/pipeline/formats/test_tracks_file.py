"""tracks.h5 survives, and covariances are symmetric matrices."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.formats.tracks_file import Tracks, read_tracks, write_tracks
from pipeline.runtime.errors import StageError


def tracks() -> Tracks:
    return Tracks(
        object_ids=np.array([0, 2], np.uint8),
        observation_track=np.array([0, 0, 1], np.int32),
        observation_frame=np.array([0, 1, 1], np.int32),
        observation_xy=np.array([[1.5, 2.5], [1.75, 2.25], [7.0, 8.0]], np.float32),
        observation_covariance=np.array([[4, 1, 2]] * 3, np.float32),
    )


def test_tracks_survive_the_file(tmp_path: Path) -> None:
    write_tracks(tmp_path / "tracks.h5", tracks(), {"backend": "truth"})
    again = read_tracks(tmp_path / "tracks.h5")
    for name in Tracks.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(tracks(), name))


def test_covariances_are_symmetric_matrices() -> None:
    np.testing.assert_array_equal(tracks().covariance, [[[4, 1], [1, 2]]] * 3)


def test_a_file_of_another_version_says_what_to_do(tmp_path: Path) -> None:
    write_tracks(tmp_path / "tracks.h5", tracks(), {})
    with h5py.File(tmp_path / "tracks.h5", "a") as file:
        file.attrs["schema_version"] = 1
    with pytest.raises(StageError, match="monoverse-tracks 1, expected monoverse-tracks 2; delete it and run again"):
        read_tracks(tmp_path / "tracks.h5")
