"""flow.h5: optical flow between neighbouring frames, both ways, written and read pair by pair."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Bool, Float

from pipeline.atomic import whole
from pipeline.h5_schema import Field, describe, open_checked, write_attributes

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
    path: Path, pairs: Iterable[FlowPair], count: int, size: tuple[int, int], attributes: Mapping[str, Any]
) -> None:
    """Write `count` pairs as they come, never holding more than one; `size` is (height, width)."""
    with whole(path) as partial, h5py.File(partial, "w") as file:
        write_attributes(file, SCHEMA, VERSION, attributes)
        for field in FIELDS:
            shape = (count, *size, *([2] if "xy=2" in field.axes else []))
            chunks = (1, *shape[1:]) if count else None
            dataset = file.create_dataset(
                field.name, shape, field.dtype, chunks=chunks, compression="lzf" if count else None
            )
            describe(dataset, field)
        for index, pair in enumerate(pairs):
            for field in FIELDS:
                file[field.name][index] = getattr(pair, field.name)


def read_flow_pairs(path: Path, pairs: Iterable[int] | None = None) -> Iterator[FlowPair]:
    """The flow of every pair (or of those asked for), one at a time."""
    with open_checked(path, SCHEMA, VERSION, FIELDS) as file:
        for index in range(len(file["forward"])) if pairs is None else pairs:
            yield FlowPair(*(file[field.name][index] for field in FIELDS))


def read_flow_attributes(path: Path) -> dict[str, Any]:
    """Backend, model and settings that made the flow; `pairs` is their number."""
    with open_checked(path, SCHEMA, VERSION, FIELDS) as file:
        return {**dict(file.attrs), "pairs": len(file["forward"])}
