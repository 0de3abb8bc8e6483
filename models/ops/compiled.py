"""Numba's compiler with a cache that knows all of models/: kernels call functions of other files.

Numba compiles a kernel anew when its own file changes, but not when a function that it calls from another file does: an
edit of the contraction would leave yesterday's in every march. So the cache's folder is named by the sources' digest.
In it, a kernel lies under its file's place in models/, wherever that is: copies of the project may share one cache
(`NUMBA_CACHE_DIR`), and a folder that moves keeps its own.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from numba import config, njit
from numba.core.caching import InTreeCacheLocator

__all__ = ["njit"]
MODELS = Path(__file__).parents[1]


def sources_digest(folder: Path) -> str:
    """A name for the contents of all Python files under a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


KERNELS = Path(os.environ.get("NUMBA_CACHE_DIR") or MODELS / "__pycache__") / f"kernels-{sources_digest(MODELS)}"


class PlaceInModels(InTreeCacheLocator):
    """Numba's folder of the compiled kernels of a file of models/."""

    def __init__(self, kernel: Callable[..., object], file: str) -> None:
        super().__init__(kernel, file)
        self._cache_path = str(KERNELS / Path(file).parent.relative_to(MODELS))

    @classmethod
    def from_function(cls, kernel: Callable[..., object], file: str) -> "PlaceInModels | None":
        """None for kernels of other projects, and where the folder cannot be written: Numba goes on to its own places."""
        return super().from_function(kernel, file) if Path(file).is_relative_to(MODELS) else None


PLACES = (f"{__name__}.PlaceInModels", "UserProvidedCacheLocator", "InTreeCacheLocator", "UserWideCacheLocator")
setattr(config, "CACHE_LOCATOR_CLASSES", ", ".join(PLACES))  # noqa: B010
