"""flow.h5: optical flow between neighbouring frames, both ways, written and read pair by pair; on demand also
between frames further apart."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Bool, Float

from pipeline.formats.h5_schema import Field, describe, new_h5, open_checked, write_attributes
from pipeline.formats.lens import Undistortion
from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import GuardedFile

SCHEMA, VERSION = "monoverse-flow", 1
FIELDS = (
    Field("forward", "float32", "pair height width xy=2", "pixels, from frame t to t+1"),
    Field("backward", "float32", "pair height width xy=2", "pixels, from frame t+1 to t"),
    Field("forward_valid", "bool", "pair height width", "pixels of frame t that return when followed there and back"),
    Field(
        "backward_valid", "bool", "pair height width", "pixels of frame t+1 that return when followed back and forth"
    ),
)


@dataclass(frozen=True)
class FlowPair:
    """Flow between frames t and t+1."""

    forward: Float[np.ndarray, "height width xy=2"]
    backward: Float[np.ndarray, "height width xy=2"]
    forward_valid: Bool[np.ndarray, "height width"]
    backward_valid: Bool[np.ndarray, "height width"]


def write_flow(
    path: Path,
    pairs: Iterable[FlowPair],
    count: int,
    size: tuple[int, int],
    attributes: Mapping[str, Any],
    longer: Mapping[int, Iterable[FlowPair]] | None = None,
) -> None:
    """Write `count` pairs as they come, never holding more than one; `size` is (height, width).

    `longer` holds the flow between frames further apart, by their distance: groups stride_2, stride_4, ...
    """
    with new_h5(path) as (file, disk):
        write_attributes(file, SCHEMA, VERSION, attributes)
        write_pairs(file, disk, pairs, count, size)
        for stride, apart in (longer or {}).items():
            write_pairs(file.create_group(group_name(stride)), disk, apart, max(count + 1 - stride, 0), size)


def write_pairs(
    group: h5py.Group, disk: GuardedFile, pairs: Iterable[FlowPair], count: int, size: tuple[int, int]
) -> None:
    """The datasets of a group, filled as the pairs come."""
    for field in FIELDS:
        shape = (count, *size, *([2] if "xy=2" in field.axes else []))
        chunks = (1, *shape[1:]) if count else None
        dataset = group.create_dataset(
            field.name, shape, field.dtype, chunks=chunks, compression="lzf" if count else None, fletcher32=bool(count)
        )
        describe(dataset, field)
    for index, pair in enumerate(pairs):
        for field in FIELDS:
            group[field.name][index] = getattr(pair, field.name)
        disk.check()


def group_name(stride: int) -> str:
    """Where the flow between frames of a distance lies in the file."""
    return "/" if stride == 1 else f"stride_{stride}"


def read_flow_pairs(path: Path, pairs: Iterable[int] | None = None, stride: int = 1) -> Iterator[FlowPair]:
    """The flow of every pair (or of those asked for), one at a time; `stride` frames apart."""
    with open_checked(path, SCHEMA, VERSION, FIELDS) as file:
        if group_name(stride) not in file:
            raise StageError(f"{path} has no flow between frames {stride} apart; add {stride} to estimate_flow.strides")
        group = file[group_name(stride)]
        for index in range(len(group["forward"])) if pairs is None else pairs:
            try:
                pair = FlowPair(*(group[field.name][index] for field in FIELDS))
            except OSError as error:
                raise StageError(f"{path} is damaged ({error}); delete it and run again") from error
            yield pair


def straight_flow(view: Undistortion | None, pair: FlowPair) -> FlowPair:
    """Flow between frames as flow between their pinhole views; as it is where there is none."""
    if view is None:
        return pair
    forward, forward_valid = view.flow(pair.forward, pair.forward_valid)
    backward, backward_valid = view.flow(pair.backward, pair.backward_valid)
    return FlowPair(forward, backward, forward_valid, backward_valid)


def read_flow_attributes(path: Path) -> dict[str, Any]:
    """Backend, model and settings that made the flow; `pairs` is their number."""
    with open_checked(path, SCHEMA, VERSION, FIELDS) as file:
        return {**dict(file.attrs), "pairs": len(file["forward"])}
