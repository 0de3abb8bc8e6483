"""HDF5 files whose layout is data."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.formats.h5_schema import Field, read_h5, write_h5
from pipeline.runtime.errors import StageError

FIELDS = (
    Field("images", "uint8", "frame height width rgb=3", "sRGB"),
    Field("object_ids", "uint8", "frame height width", "0 is background"),
    Field("flow", "float32", "pair height width xy=2", "pixels"),
)


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 255, (3, 40, 50, 3), dtype=np.uint8),
        "object_ids": np.zeros((3, 40, 50), np.uint8),
        "flow": rng.normal(size=(2, 40, 50, 2)).astype(np.float32),
    }


def write(path: Path, **changes: np.ndarray) -> None:
    write_h5(path, "test", 1, FIELDS, {**arrays(), **changes}, {"note": "hello"})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    read, attributes = read_h5(tmp_path / "a.h5", "test", 1, FIELDS)
    assert all(np.array_equal(read[name], array) for name, array in arrays().items())
    assert attributes["note"] == "hello" and attributes["schema_version"] == 1


def test_datasets_say_what_they_hold(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["flow"].attrs["dims"] == "pair height width xy=2" and file["flow"].attrs["meaning"] == "pixels"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"object_ids": np.zeros((3, 50, 40))}, "object_ids has height=50, images has 40"),
        ({"images": np.zeros((3, 40, 50, 4))}, "images has rgb=4, the schema has 3"),
        ({"flow": np.zeros((3, 40, 50, 2))}, "flow has pair=3, expected one less than frame=3"),
        ({"object_ids": np.zeros((3, 40))}, r"object_ids has shape \(3, 40\)"),
    ],
)
def test_wrong_shape_is_named_before_anything_is_written(
    tmp_path: Path, change: dict[str, np.ndarray], said: str
) -> None:
    with pytest.raises(StageError, match=said):
        write(tmp_path / "a.h5", **change)
    assert list(tmp_path.iterdir()) == []


def test_other_schema_and_version_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    for schema, version in (("other", 1), ("test", 2)):
        with pytest.raises(StageError, match=f"has schema test 1, expected {schema} {version}; delete it"):
            read_h5(tmp_path / "a.h5", schema, version, FIELDS)


def test_missing_dataset_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["flow"]
    with pytest.raises(StageError, match="has no flow"):
        read_h5(tmp_path / "a.h5", "test", 1, FIELDS)


def test_damaged_files_give_one_clear_error(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    damaged = tmp_path / "b.h5"
    for content in (b"", b"not hdf5 at all", whole[: len(whole) // 2]):
        damaged.write_bytes(content)
        with pytest.raises(StageError, match=r"b\.h5 .*(readable|damaged).*delete it and run again"):
            read_h5(damaged, "test", 1, FIELDS)
    with pytest.raises(StageError, match="does not exist"):
        read_h5(tmp_path / "none.h5", "test", 1, FIELDS)


def test_flipped_bytes_inside_a_dataset_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path)
    with h5py.File(path) as file:
        start = file["flow"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[start + 100] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(StageError, match=r"a\.h5 is damaged .*delete it and run again"):
        read_h5(path, "test", 1, FIELDS)
