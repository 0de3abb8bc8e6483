"""Every package says in its docstring what it may import and who may import it; here that is enforced, import by import."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.sources import ROOT, imported_modules

# At the top of pipeline/ beside the stages; cli is for stages alone.
NOUNS = ("config", "cameras", "cli")
EVERYTHING, STAGES, NOTHING = "everything", "stages only", "nothing of ours"
# Values that every layer passes on.
SHARED_MODELS = {"models.rays", "models.rendering"}


def packages(layer: str) -> dict[str, Path]:
    """The packages of a layer, by their dotted names."""
    return {f"{layer}.{path.parent.name}": path for path in sorted((ROOT / layer).glob("*/__init__.py"))}


PACKAGES = packages("pipeline") | packages("models")


def said(package: str, what: str) -> str:
    """What stands after `May import:` or `May be imported by:` in a package's docstring."""
    line = re.search(rf"^{what}: (.+)\.$", PACKAGES[package].read_text(), re.M)
    assert line, f"{package} does not say «{what}:» in its docstring"
    return line[1]


def named(package: str, text: str) -> set[str]:
    """The rooms of a list, as dotted names; those without a dot are of the package's own layer."""
    layer = package.split(".")[0]
    return {name if "." in name else f"{layer}.{name}" for name in re.split(r"[,;] ", text) if name != NOTHING}


def may_import(package: str) -> set[str]:
    """What a package says that it may import."""
    return named(package, said(package, "May import"))


def admits(package: str, importer: str) -> bool:
    """Whether a package says that another may import it. Stages may import every package."""
    text = said(package, "May be imported by")
    if text.startswith(EVERYTHING):
        return importer not in named(package, text.removeprefix(EVERYTHING).removeprefix(" but "))
    return text != STAGES and importer in named(package, text)


def home(module: str) -> str:
    """The package that a module is in, or the module itself where it is at the top of its layer."""
    return ".".join(module.split(".")[:2])


def arrows() -> Iterator[tuple[str, str, str]]:
    """Every import from one of our packages into another room of ours: package, imported room, file."""
    for package in PACKAGES:
        for path in sorted(PACKAGES[package].parent.rglob("*.py")):
            for module in imported_modules(path):
                room = home(module)
                known = room in PACKAGES or (ROOT / f"{room.replace('.', '/')}.py").exists()
                if known and room != package and room.count(".") == 1:
                    yield package, room, str(path.relative_to(ROOT))


def forbidden(package: str, room: str) -> str:
    """Why a package may not import a room; empty where it may."""
    if room in PACKAGES:
        if room not in may_import(package):
            return f"{package} does not say that it may import {room}"
        return "" if admits(room, package) else f"{room} does not say that {package} may import it"
    if room in SHARED_MODELS or room in may_import(package):
        return ""
    if package == "pipeline.runtime":
        return "" if room == "pipeline.config" else f"runtime imports {room}"
    return "" if room in ("pipeline.config", "pipeline.cameras") else f"{room} is a stage, or for stages alone"


def test_imports_keep_to_what_the_packages_say() -> None:
    broken = sorted({f"{path}: {why}" for package, room, path in arrows() if (why := forbidden(package, room))})
    assert not broken, "\n".join(broken)


def test_a_forbidden_import_is_noticed() -> None:
    assert forbidden("pipeline.formats", "pipeline.osn") and forbidden("pipeline.osn", "pipeline.semantic_flow")
    assert forbidden("pipeline.osn", "pipeline.train_osn") and forbidden("pipeline.sfm", "pipeline.cli")
    assert forbidden("models.osn", "models.semantic_flow") and forbidden("pipeline.scene", "models.osn")
    assert not forbidden("pipeline.formats", "pipeline.runtime") and not forbidden("pipeline.osn", "models.osn")


def test_no_arrow_is_allowed_that_no_import_needs() -> None:
    """A permission that nobody uses is a door that someone will use."""
    used = {(package, room) for package, room, _ in arrows()}
    idle = sorted(
        f"{package} -> {room}"
        for package in PACKAGES
        for room in may_import(package)
        if room in PACKAGES and (package, room) not in used
    )
    assert not idle, "\n".join(idle)


def test_no_importer_is_admitted_that_does_not_come() -> None:
    """Where importers are listed by name, each of them imports."""
    idle = sorted(
        f"{room} admits {importer}"
        for room in PACKAGES
        if not said(room, "May be imported by").startswith((EVERYTHING, STAGES))
        for importer in named(room, said(room, "May be imported by"))
        if room not in may_import(importer)
    )
    assert not idle, "\n".join(idle)


def test_packages_form_no_circle() -> None:
    waiting = {package: {room for room in may_import(package) if room in PACKAGES} for package in PACKAGES}
    while free := [package for package, rooms in waiting.items() if not rooms & waiting.keys()]:
        waiting = {package: rooms for package, rooms in waiting.items() if package not in free}
    assert not waiting, f"a circle among {', '.join(waiting)}"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_says_what_lives_in_it_and_nothing_else(package: str) -> None:
    """An `__init__` is a sign at the door: no code, so that importing one module imports no other."""
    text = PACKAGES[package].read_text().strip()
    assert text.startswith('"""') and text.endswith('"""') and text.count('"""') == 2
    for room in may_import(package):
        assert room in PACKAGES or (ROOT / f"{room.replace('.', '/')}.py").exists(), room


def test_only_stages_and_three_nouns_are_at_the_top_of_pipeline() -> None:
    top = {path.stem for path in (ROOT / "pipeline").glob("*.py")} - {"__init__"}
    commands = {name for name in top if "\nif __name__ ==" in (ROOT / "pipeline" / f"{name}.py").read_text()}
    assert top - commands == set(NOUNS)
