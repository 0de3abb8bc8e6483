"""splats/: a file of splats for each object, where each stands at every time, their likeness, and what judges scales."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.formats.frames_folder import read_json
from pipeline.formats.splat_file import Splats, read_splats, write_splats
from pipeline.runtime.errors import StageError

LIKENESS, POSES, SCALES = "likeness.json", "poses.json", "scales.npz"


class Likeness(BaseModel):
    """PSNR in dB: of each object's splats, by its id, to its field; of all together to the field and to the frames."""

    model_config = ConfigDict(frozen=True)
    objects: dict[int, float]
    field_db: float
    frames_db: float


@dataclass(frozen=True)
class ScaleRecord:
    """Valid scales, and the scale network as its layers: see ScaleJudge in pipeline/scene/method_interface.py.

    `samples` are valid scenes, the suggested one first. No layers: no scale is judged, every one is valid.
    """

    samples: Float[np.ndarray, "sample object"]
    scale_range: Float[np.ndarray, "object bound=2"]
    weights: list[Float[np.ndarray, "_ _"]]
    biases: list[Float[np.ndarray, "_"]]
    shift: float
    depth: Float[np.ndarray, "ray object"]
    seen: Int[np.ndarray, "ray"]
    frames: Int[np.ndarray, "ray"]
    share: float
    hiding_depth: Float[np.ndarray, "hiding_ray object"]
    hiding_seen: Int[np.ndarray, "hiding_ray"]
    hiding_frames: Int[np.ndarray, "hiding_ray"]
    hiding_counts: Int[np.ndarray, "hiding_ray"]
    hiding_limit: float


def write_object_splats(folder: Path, splats: dict[int, Splats]) -> None:
    """Each object's splats, in its own frame and units."""
    for identity, one in splats.items():
        write_splats(folder / f"{identity}.ply", one)


def read_object_splats(folder: Path) -> dict[int, Splats]:
    """Splats by the objects' ids."""
    return {int(path.stem): read_splats(path) for path in sorted(folder.glob("*.ply"), key=lambda path: int(path.stem))}


def write_likeness(folder: Path, likeness: Likeness) -> None:
    (folder / LIKENESS).write_text(json.dumps(likeness.model_dump(mode="json"), indent=1))


def read_likeness(folder: Path) -> Likeness:
    try:
        return Likeness.model_validate(read_json(folder / LIKENESS))
    except ValidationError as error:
        raise StageError(f"{folder / LIKENESS} is damaged ({error}); run export_splats again") from error


def write_scale_record(folder: Path, record: ScaleRecord) -> None:
    """Everything that is needed to judge scales elsewhere."""
    lists = ("weights", "biases")
    arrays: dict[str, Any] = {name: value for name, value in vars(record).items() if name not in lists}
    arrays |= {f"weights_{n}": array for n, array in enumerate(record.weights)}
    arrays |= {f"biases_{n}": array for n, array in enumerate(record.biases)}
    np.savez_compressed(folder / SCALES, **arrays)


def read_scale_record(folder: Path) -> ScaleRecord:
    try:
        with np.load(folder / SCALES) as file:
            arrays = {name: file[name] for name in file.files}
        count = sum(name.startswith("weights_") for name in arrays)
        layers = [[arrays.pop(f"{kind}_{n}") for n in range(count)] for kind in ("weights", "biases")]
        shift, share, limit = (float(arrays.pop(name)) for name in ("shift", "share", "hiding_limit"))
        return ScaleRecord(weights=layers[0], biases=layers[1], shift=shift, share=share, hiding_limit=limit, **arrays)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise StageError(f"{folder / SCALES} is damaged ({error}); run export_splats again") from error
