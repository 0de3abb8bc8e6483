"""The files of ours that a module is made of, found by reading its import statements."""

import hashlib
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "models")
# Settings reach a rule as its params: a new or renamed setting of one stage must not rerun all others.
NOT_CODE = ("pipeline.config", "pipeline.runtime.renamed_keys")
# Packages whose modules are picked by name at run time: whoever imports such a package may run any of them.
PICKED_BY_NAME = ("backends", "layouts", "propagators")

NAMES = r"[\w.]+(?:[ ]+as[ ]+\w+)?(?:,[ ]*[\w.]+(?:[ ]+as[ ]+\w+)?)*"
IMPORT = re.compile(
    rf"^[ ]*(?:from[ ]+([\w.]+)[ ]+import[ ]+(\([^)]*\)|{NAMES}|\*)|import[ ]+({NAMES}))[ ]*(?:#.*)?$", re.M
)
COMMENT = re.compile("#.*")


def sources(module: str, root: Path = ROOT) -> list[str]:
    """Paths, relative to the project, of `module` and of whatever of ours it imports, at any depth."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = module_file(name, root)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += imported_modules(path)
        if path.name == "__init__.py" and path.parent.name in PICKED_BY_NAME:
            waiting += [f"{name}.{other.stem}" for other in path.parent.glob("*.py") if other != path]
    return sorted(str(path.relative_to(root)) for path in found.values())


def code_digest(module: str, root: Path = ROOT) -> str:
    """What tells the code of a module, with all of ours that it imports, from another version of it."""
    total = hashlib.sha256()
    for path in sources(module, root):
        total.update(f"{path}\0".encode() + (root / path).read_bytes())
    return total.hexdigest()


@cache
def module_file(module: str, root: Path = ROOT) -> Path | None:
    """The file of a module of ours; None for a library, and for a name that is not a module."""
    if module.split(".")[0] not in PACKAGES or module in NOT_CODE:
        return None
    base = root.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.exists()), None)


@cache
def imported_modules(path: Path) -> list[str]:
    """Dotted names in the import statements of a file; `from a import b` gives `a` and `a.b`.

    They are read as text: parsing every file takes Snakemake, which asks at each start, longer than all else that it does.
    """
    names: list[str] = []
    for module, members, plain in IMPORT.findall(path.read_text()):
        listed = [
            name.split()[0] for name in COMMENT.sub("", members or plain).strip("() \n").split(",") if name.strip()
        ]
        names += [module, *(f"{module}.{name}" for name in listed)] if module else listed
    return names
