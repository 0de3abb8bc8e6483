"""Jobs run in the environment that Snakemake itself runs in, also where it was not activated."""

import os
import sys
from pathlib import Path


def put_interpreter_on_path() -> None:
    """Let `python` in a job mean this interpreter; conda and containers put their own before it."""
    own = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if not path.startswith(f"{own}{os.pathsep}"):
        os.environ["PATH"] = f"{own}{os.pathsep}{path}"
