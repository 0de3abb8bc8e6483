"""The lock files: exact versions of every package, no addresses. Used by `make lock` only.

python workflow/lock.py ranges            what requirements.lock is made of
python workflow/lock.py ranges slurm      what an extra adds to it
pip freeze | python workflow/lock.py pins [requirements.lock]    the lines of a lock, without those of another
"""

import sys
import tomllib
from pathlib import Path

LINUX_ONLY = ("nvidia-", "cuda-", "triton")


def ranges(pyproject: Path, extra: str = "") -> list[str]:
    """Every requirement of the project, development tools included; or those of an extra."""
    project = tomllib.loads(pyproject.read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    return extras[extra] if extra else [*project["dependencies"], *extras["dev"]]


def pinned(line: str) -> str:
    """One line of `pip freeze` for the lock; CUDA's libraries exist for Linux only."""
    requirement = line.strip()
    if "==" not in requirement:
        raise ValueError(f"{requirement} has no exact version; the lock takes released packages only")
    return f'{requirement} ; sys_platform == "linux"' if requirement.startswith(LINUX_ONLY) else requirement


def pins(frozen: list[str], base: list[str]) -> list[str]:
    """The lines of a lock, without those of another that it is installed on top of."""
    lines = [pinned(line) for line in frozen]
    held = {line.strip() for line in base}
    if moved := sorted(line for line in held if "==" in line and line not in lines):
        raise ValueError(f"{moved[0]} of the other lock has another version here; lock both anew")
    return [line for line in lines if line not in held]


if __name__ == "__main__":
    if sys.argv[1] == "ranges":
        print(" ".join(ranges(Path("pyproject.toml"), *sys.argv[2:])))
    else:
        base = [line for path in sys.argv[2:] for line in Path(path).read_text().splitlines()]
        print("# Written by `make lock` from the ranges in pyproject.toml.")
        print("\n".join(pins(sys.stdin.readlines(), base if sys.argv[2:] else [])))
