"""Snakemake's command line in a process that has imported it already and forks for each call: imports take it longest.

    python tests/workflow/forked_snakemake.py

Each line of its input is a call, as JSON: a folder, a file for what is said, arguments. Each line of its output is a return
code. Nothing of the project is imported before the fork: every call finds the code of its own folder.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

import snakemake.cli

LIBRARIES = ("cv2", "h5py", "jaxtyping", "numpy", "pydantic", "yaml", "snakemake.dag", "snakemake.executors.dryrun")


def become(call: dict[str, Any]) -> None:
    """This process is `snakemake` in the call's folder."""
    os.chdir(call["folder"])
    for stream, file in ((0, os.devnull), (1, call["said"]), (2, call["said"])):
        opened = os.open(file, os.O_RDWR | os.O_APPEND)
        os.dup2(opened, stream)
    sys.path[0] = call["folder"]
    sys.argv = ["snakemake", *call["arguments"]]


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(json.loads(line))
            return snakemake.cli.main()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    for name in LIBRARIES:
        import_module(name)
    main()
