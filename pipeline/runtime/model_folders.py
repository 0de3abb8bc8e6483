"""Models that lie as folders under weights/, as Hugging Face publishes them (config.json, model.safetensors, ...)."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

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


def read_model(folder: Path, network: str, processor: str, kind: str, way_out: str) -> tuple[Any, Any]:
    """Network and processor of a folder, by the names of their classes in `transformers`; nothing is fetched from the net.

    `kind` and `way_out` are for the errors: what cannot be read, and weights that are missing.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    try:
        read, notes = getattr(transformers, network).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        prepares = getattr(transformers, processor).from_pretrained(folder, local_files_only=True)
    except Exception as error:  # transformers raises many kinds, even bare ones of safetensors
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StageError(
            f"{folder} cannot be read as a {kind} by transformers {transformers.__version__} (5.20 and later are known to read "
            f"all): {reason}; fetch the folder again (config.json, model.safetensors, the processor's files), {way_out}"
        ) from error
    if missing := notes["missing_keys"]:
        raise StageError(
            f"{folder} lacks {len(missing)} weights, {min(missing)} among them; fetch the folder again, {way_out}"
        )
    return read, prepares
