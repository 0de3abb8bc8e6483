"""Which depth network lies under weights/; the Snakefile asks too, and must not wait for torch."""

from importlib.util import find_spec
from pathlib import Path

from pipeline.runtime.errors import StageError
from pipeline.runtime.model_folders import model_folder

MODEL_TYPES = ("depth_anything", "depth_pro", "dpt", "glpn", "zoedepth")  # of config.json
INSTALL = "`pip install 'transformers>=5'`"
FETCH = (
    "put a model's folder there, as in "
    "`hf download depth-anything/Depth-Anything-V2-Small-hf --local-dir {}/depth-anything-v2-small`"
)


def depth_model(weights: Path | None, name: str | None) -> Path:
    """The folder of the depth model to take: the one called `name`, else the largest at hand.

    Errors: there is none, or `transformers` is missing.
    """
    folder = model_folder(weights, MODEL_TYPES, name)
    place = weights or "weights"
    if folder is None:
        wanted = f"no depth model called {name}" if name else "no depth model"
        raise StageError(
            f"depth: estimate needs a network, but {place} holds {wanted} (a folder whose config.json has model_type "
            f"{', '.join(MODEL_TYPES)}); {FETCH.format(place)}, or give a folder of depth maps, or leave depth out"
        )
    if find_spec("transformers") is None:
        raise StageError(f"depth: estimate needs transformers, which is not installed: {INSTALL}")
    return folder
