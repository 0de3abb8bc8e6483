"""The lock file: exact versions of every package, no addresses. Used by `make lock` only."""

import sys
import tomllib
from pathlib import Path

LINUX_ONLY = ("nvidia-", "cuda-", "triton")


def ranges(pyproject: Path) -> list[str]:
    """Every requirement of the project, development tools included."""
    project = tomllib.loads(pyproject.read_text())["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["dev"]]


def pinned(line: str) -> str:
    """One line of `pip freeze` for the lock; CUDA's libraries exist for Linux only."""
    requirement = line.strip()
    if "==" not in requirement:
        raise ValueError(f"{requirement} has no exact version; the lock takes released packages only")
    return f'{requirement} ; sys_platform == "linux"' if requirement.startswith(LINUX_ONLY) else requirement


if __name__ == "__main__":
    if sys.argv[1] == "ranges":
        print(" ".join(ranges(Path("pyproject.toml"))))
    else:
        print("# Written by `make lock` from the ranges in pyproject.toml.")
        print("\n".join(pinned(line) for line in sys.stdin))
