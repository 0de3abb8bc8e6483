"""Models that lie as folders under weights/, as Hugging Face publishes them (config.json, model.safetensors, ...)."""

import json
from collections.abc import Collection
from pathlib import Path

from pipeline.runtime.errors import StageError


def model_folder(weights: Path | None, model_types: Collection[str], name: str | None = None) -> Path | None:
    """The folder whose config.json has one of these `model_type`; the largest of several, or the one called `name`.

    Errors: a config.json that cannot be read.
    """
    found = []
    for path in sorted(weights.glob("*/config.json")) if weights else []:
        try:
            entries = json.loads(path.read_text())
        except (ValueError, OSError) as error:
            raise StageError(f"{path} cannot be read ({error}); fetch the folder again, or take it away") from error
        fits = isinstance(entries, dict) and entries.get("model_type") in model_types
        if fits and name in (None, path.parent.name):
            size = sum(file.stat().st_size for file in path.parent.glob("*.safetensors"))
            found.append((size, path.parent))
    return max(found)[1] if found else None


def model_type(folder: Path) -> str:
    """What config.json says the model of a folder is."""
    return str(json.loads((folder / "config.json").read_text())["model_type"])
