"""HDF5 files whose layout is data: one table of fields gives the writer, the reader and the validator.

Every dataset carries `dims` and `meaning` as attributes, so that `h5dump` shows what it holds.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import GuardedFile, guarded
from pipeline.runtime.record import commit


@dataclass(frozen=True)
class Field:
    """One dataset: its dims are names, or `name=size` for a fixed axis."""

    name: str
    dtype: str
    dims: str
    meaning: str

    @property
    def axes(self) -> list[str]:
        return self.dims.split()


def write_h5(
    path: Path,
    schema: str,
    version: int,
    fields: Sequence[Field],
    arrays: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> None:
    """Write all fields, whole or not at all; the arrays must fit the table."""
    given = {field.name: np.asarray(arrays[field.name], dtype=field.dtype) for field in fields}
    check_dimensions(str(path), fields, {name: array.shape for name, array in given.items()})
    with new_h5(path) as (file, disk):
        write_attributes(file, schema, version, attributes)
        for field in fields:
            write_field(file, field, given[field.name])
            disk.check()


@contextmanager
def new_h5(path: Path) -> Iterator[tuple[h5py.File, GuardedFile]]:
    """A new HDF5 file, whole or not at all, and the file on disk, whose faults long writers should ask for."""
    with whole(path) as partial, guarded(partial) as disk, h5py.File(disk, "w") as file:
        yield file, disk


def write_attributes(file: h5py.File, schema: str, version: int, attributes: Mapping[str, Any]) -> None:
    """The file's own attributes, after its schema and the code that wrote it."""
    file.attrs.update({"schema": schema, "schema_version": version, "commit": commit(), **attributes})


def write_field(file: h5py.Group, field: Field, array: np.ndarray) -> None:
    """One dataset, compressed by its first axis where it is large."""
    large = array.ndim > 1 and array.size > 4096
    chunks = (1, *array.shape[1:]) if large and array.ndim > 2 else None
    dataset = file.create_dataset(
        field.name, data=array, compression="lzf" if large else None, chunks=chunks, fletcher32=large
    )
    describe(dataset, field)


def describe(dataset: h5py.Dataset, field: Field) -> None:
    """Say in the file what a dataset holds."""
    dataset.attrs["dims"] = field.dims
    dataset.attrs["meaning"] = field.meaning


def read_h5(
    path: Path, schema: str, version: int, fields: Sequence[Field], without: Collection[str] = ()
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All fields and attributes of a file that has been checked against the table.

    Fields to do without have their shape, and zeros that take no memory.
    """
    with open_checked(path, schema, version, fields) as file:
        try:
            arrays = {
                field.name: np.broadcast_to(np.zeros((), field.dtype), file[field.name].shape)
                if field.name in without
                else file[field.name][...]
                for field in fields
            }
        except OSError as error:
            raise StageError(f"{path} is damaged ({error}); delete it and run again") from error
        return arrays, dict(file.attrs)


def open_checked(path: Path, schema: str, version: int, fields: Sequence[Field]) -> h5py.File:
    """The open file, after a look at its schema, its version and its dimensions."""
    if not path.exists():
        raise StageError(f"{path} does not exist; run the stage that writes it")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise StageError(f"{path} is not a readable HDF5 file ({error}); delete it and run again") from error
    try:
        check_schema(path, file, schema, version)
        shapes = {}
        for field in fields:
            if field.name not in file:
                raise StageError(f"{path} has no {field.name} ({field.meaning}); delete it and run again")
            shapes[field.name] = file[field.name].shape
        check_dimensions(str(path), fields, shapes)
    except BaseException:
        file.close()
        raise
    return file


def check_schema(path: Path, file: h5py.File, schema: str, version: int) -> None:
    """Refuse a file of another kind or version."""
    found = (file.attrs.get("schema"), file.attrs.get("schema_version"))
    if found != (schema, version):
        raise StageError(
            f"{path} has schema {found[0]} {found[1]}, expected {schema} {version}; delete it and run again"
        )


def check_dimensions(where: str, fields: Sequence[Field], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Bind every dimension name once over the file, and name the field that disagrees.

    A name in the table may be an offset of another, `pair` being one less than `frame`.
    """
    sizes: dict[str, tuple[int, str]] = {}
    for field in fields:
        shape = shapes[field.name]
        if len(shape) != len(field.axes):
            raise StageError(f"{where}: {field.name} has shape {shape}, expected dims ({field.dims})")
        for axis, size in zip(field.axes, shape, strict=True):
            name, _, fixed = axis.partition("=")
            expected, by = (int(fixed), "the schema") if fixed else sizes.setdefault(name, (size, field.name))
            if size != expected:
                raise StageError(f"{where}: {field.name} has {name}={size}, {by} has {expected}")
    if "pair" in sizes and "frame" in sizes and sizes["pair"][0] != max(sizes["frame"][0] - 1, 0):
        raise StageError(
            f"{where}: {sizes['pair'][1]} has pair={sizes['pair'][0]}, expected one less than frame={sizes['frame'][0]}"
        )
