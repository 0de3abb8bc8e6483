"""Which model that finds things by their name lies under weights/; the Snakefile asks too, and must not wait for torch."""

from importlib.util import find_spec
from pathlib import Path

from pipeline.runtime.errors import StageError
from pipeline.runtime.model_folders import model_folder

MODEL_TYPES = ("sam3_video",)  # of config.json
INSTALL = "`pip install 'transformers>=5'`"
FETCH = (
    "put its folder there, as in `hf download facebook/sam3 --local-dir {}/sam3` (848 M parameters; one accepts the SAM License "
    "on its page first)"
)


def text_model(weights: Path | None) -> Path:
    """The folder of SAM 3.

    Errors: there is none, or `transformers` is missing.
    """
    folder, place = model_folder(weights, MODEL_TYPES), weights or "weights"
    if folder is None:
        raise StageError(
            f"prompts with text need SAM 3, but {place} holds no folder of it (config.json with model_type "
            f"{' or '.join(MODEL_TYPES)}); {FETCH.format(place)}, or give points or a box in place of the text"
        )
    if find_spec("transformers") is None:
        raise StageError(
            f"prompts with text need transformers, which is not installed: {INSTALL}; or give points or a box in place of the "
            "text"
        )
    return folder
