"""Splats in a file, read back by a reader that is not ours."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from pipeline.formats.splat_file import Splats, read_splats, write_splats
from pipeline.runtime.errors import StageError

DOCUMENTED = "x y z nx ny nz f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3"


def some(count: int = 5) -> Splats:
    random = np.random.default_rng(0)
    shapes = ((count, 3), (count, 3), (count, 4), (count,), (count, 3))
    return Splats(*(random.normal(size=shape).astype(np.float32) for shape in shapes))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_splats(tmp_path / "a.ply", some())
    again = read_splats(tmp_path / "a.ply")
    assert all(np.array_equal(value, getattr(some(), name)) for name, value in vars(again).items())


def test_another_reader_finds_the_documented_properties(tmp_path: Path) -> None:
    """trimesh keeps every vertex property by its name."""
    write_splats(tmp_path / "a.ply", some())
    vertices = trimesh.load(tmp_path / "a.ply").metadata["_ply_raw"]["vertex"]["data"]
    assert " ".join(vertices.dtype.names) == DOCUMENTED
    assert np.array_equal(vertices["opacity"], some().opacities) and np.array_equal(
        vertices["rot_0"], some().rotations[:, 0]
    )
    assert np.array_equal(vertices["f_dc_2"], some().colours[:, 2]) and not vertices["nx"].any()


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[50:], lambda data: b""])
def test_a_damaged_file_is_named(tmp_path: Path, damage) -> None:
    path = tmp_path / "a.ply"
    write_splats(path, some())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StageError, match=r"a\.ply is not a whole file of splats"):
        read_splats(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="cannot read"):
        read_splats(tmp_path / "no.ply")
