"""Numba's compiler with a cache that knows all of models/: kernels call functions of other files.

Numba compiles a kernel anew when its own file changes, but not when a function that it calls from another file does: an
edit of the contraction would leave yesterday's in every march. So the cache's folder is named by the sources' digest.
"""

import hashlib
import os
from pathlib import Path

from numba import config, njit

__all__ = ["njit"]
MODELS = Path(__file__).parents[1]


def sources_digest(folder: Path) -> str:
    """A name for the contents of all Python files under a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    setattr(config, "CACHE_DIR", str(MODELS / "__pycache__" / f"kernels-{sources_digest(MODELS)}"))  # noqa: B010
