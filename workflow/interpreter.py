"""Jobs run in the environment that Snakemake itself runs in, with the workflow's own code, wherever they run."""

import os
import sys
from pathlib import Path


def put_interpreter_on_path() -> None:
    """Let `python` in a job mean this interpreter; conda and containers put their own before it."""
    own = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if not path.startswith(f"{own}{os.pathsep}"):
        os.environ["PATH"] = f"{own}{os.pathsep}{path}"


def put_code_on_path(place: Path) -> None:
    """Let `python -m pipeline.STAGE` in a job find the workflow's code, also where jobs run in another folder."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(place), *(path for path in paths if path not in ("", str(place)))])
