"""The documents tell the truth of the repository: paths, names, commands and links that they state exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from pipeline.config import Config
from pipeline.runtime.renamed_keys import RENAMED_KEYS
from pipeline.runtime.sources import ROOT
from workflow.package_map import PAGE, Package, package, packages, table, with_table

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "pipeline|models|workflow|tests|benchmarks|docs|envs"
PATH = re.compile(rf"(?<![\w./-])((?:{FOLDERS})/[\w./-]*\w/?)(?:::(\w+))?")
MODULE = re.compile(r"python -m ((?:pipeline|benchmarks|workflow)\.[\w.]*\w)")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
PLACEHOLDER = re.compile(r"[A-Z]{3,}(?!\w|\.md)")  # as in pipeline/STAGE.py; README.md is a name

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
# A changelog also says where things were.
every_page_of_today = pytest.mark.parametrize(
    "page", [p for p in PAGES if p.stem != "CHANGELOG"], ids=lambda page: page.name
)


def stated_paths(text: str) -> list[tuple[str, str]]:
    """Paths in a text, each with the name that is said to be in it, if one is."""
    return [(path, name) for path, name in PATH.findall(text) if not PLACEHOLDER.search(path)]


@cache
def names_in(path: Path) -> set[str]:
    """Functions, classes and tables of a module, and the methods of its classes."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    tables = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return tables | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page_of_today
def test_stated_paths_exist_and_hold_the_names_said_to_be_in_them(page: Path) -> None:
    stated = stated_paths(page.read_text())
    assert not [path for path, _ in stated if not (ROOT / path).exists()]
    assert not [f"{path}::{name}" for path, name in stated if name and name not in names_in(ROOT / path)]


@every_page
def test_stated_modules_exist(page: Path) -> None:
    modules = [name for name in MODULE.findall(page.read_text()) if not PLACEHOLDER.search(name)]
    assert not [name for name in modules if not ROOT.joinpath(*name.split(".")).with_suffix(".py").exists()]


@every_page
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file.read_text()), f"{page.name} links to #{anchor}"


def test_what_these_tests_look_for_is_found(tmp_path: Path) -> None:
    """The patterns see a wrong path, a wrong name and a wrong link."""
    text = "`pipeline/gone.py`, models/rays.py::Beam, pipeline/STAGE.py, tests/workflow/; [x](GONE.md) [y](#the-map)"
    assert stated_paths(text) == [("pipeline/gone.py", ""), ("models/rays.py", "Beam"), ("tests/workflow/", "")]
    assert "Rays" in names_in(ROOT / "models/rays.py") and "Beam" not in names_in(ROOT / "models/rays.py")
    assert LINK.findall(text) == [("GONE.md", ""), ("", "the-map")] and anchors("## The map\n") == {"the-map"}
    assert MODULE.findall("python -m pipeline.train_osn. python -m benchmarks.NAME") == [
        "pipeline.train_osn",
        "benchmarks.NAME",
    ]


def test_architecture_has_the_packages_as_their_docstrings_say() -> None:
    text = PAGE.read_text()
    assert with_table(text, packages()) == text, "run `make config`"
    assert len(packages()) > 15 and all(f"`{one.name}/`" in text for one in packages())


def test_package_without_its_rules_is_refused(tmp_path: Path) -> None:
    silent = tmp_path / "pipeline" / "silent" / "__init__.py"
    silent.parent.mkdir(parents=True)
    silent.write_text('"""Things."""\n')
    with pytest.raises(ValueError, match=r"silent/__init__\.py lacks its lines"):
        package(silent, tmp_path)


def test_row_of_a_package_is_its_docstring(tmp_path: Path) -> None:
    path = tmp_path / "pipeline" / "sound" / "__init__.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        '"""Sounds:\nof all kinds.\n\nMay import: runtime; models.ops.\nMay be imported by: stages only.\n"""\n'
    )
    assert package(path, tmp_path) == Package(
        "pipeline/sound", "Sounds: of all kinds.", "runtime; models.ops", "stages only"
    )
    assert table([package(path, tmp_path)]).endswith(
        "| `pipeline/sound/` | Sounds: of all kinds. | runtime; models.ops | stages only |"
    )


def test_changelog_names_every_setting_that_was_renamed() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    old_and_new = {key.split(".", 1)[1] for pair in RENAMED_KEYS.items() for key in pair}
    assert not {name for name in old_and_new if f"`{name}`" not in text}


def test_readme_lists_every_stage_of_the_graph() -> None:
    rows = re.findall(r"^\| ([\w, ]+) \|", (ROOT / "README.md").read_text(), re.M)
    listed = {name for row in rows for name in row.split(", ")}
    sections = {name for name, field in Config.model_fields.items() if (ROOT / "pipeline" / f"{name}.py").exists()}
    assert sections - {"export_dataset", "export_objects"} <= listed
