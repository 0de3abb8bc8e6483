"""The pretrained weights that stages can use: where each comes from, how to check it, and which is preferred.

They are declared in the table WEIGHTS of the module that reads them, best first, and collected from there without
importing it: the Snakefile asks for them, and must not wait for torch.
"""

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

WeightsStage = Literal["estimate_flow", "segment_objects", "train_semantic_flow", "evaluate"]
PIPELINE = Path(__file__).parents[1]
DECLARED_IN: dict[WeightsStage, str] = {
    "estimate_flow": "correspondence/backends/*.py",
    "segment_objects": "segmentation/backends/*.py",
    "train_semantic_flow": "semantic_flow/frame_features.py",
    "evaluate": "evaluation/lpips.py",
}


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One file under weights/.

    `sha256` is the whole digest, or its first 8 digits where the publisher states no more than that (torchvision puts
    them into the file's name). Without an `address` the file is used where a person has put it, but not downloaded.
    """

    file: str
    model: str
    address: str | None
    sha256: str
    size_mb: float
    licence: str
    origin: str


def declared_weights(module: Path) -> list[Weight]:
    """The table WEIGHTS of a module's file; its values must be literals. Empty where there is none."""
    for statement in ast.parse(module.read_text()).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="WEIGHTS")], value=ast.Tuple(elts=entries)):
                return [weight_of(entry) for entry in entries if isinstance(entry, ast.Call)]
    return []


def weight_of(entry: ast.Call) -> Weight:
    """One entry of a table, from its source."""
    return Weight(**{value.arg: ast.literal_eval(value.value) for value in entry.keywords if value.arg})


def known_weights(stage: WeightsStage | None = None) -> list[Weight]:
    """All weights of a stage, or of every stage."""
    patterns = DECLARED_IN.values() if stage is None else [DECLARED_IN[stage]]
    modules = [path for pattern in patterns for path in sorted(PIPELINE.glob(pattern))]
    return [weight for module in modules for weight in declared_weights(module)]


def weights_present(folder: Path | None, stage: WeightsStage) -> list[Weight]:
    """The known files of a stage that lie in `folder`, best first."""
    if folder is None:
        return []
    return [weight for weight in known_weights(stage) if (folder / weight.file).is_file()]


def is_genuine(path: Path, weight: Weight) -> bool:
    """Whether a file is the published one."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(weight.sha256)
