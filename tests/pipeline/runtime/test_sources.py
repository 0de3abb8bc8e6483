"""The files that a module is made of, and the direction of imports."""

import ast
from pathlib import Path

import pytest

from pipeline.runtime.sources import ROOT, imported_modules, sources

STAGES = sorted(
    path.stem for path in (ROOT / "pipeline").glob("*.py") if "run_stage(" in path.read_text() and path.stem != "cli"
)


def make_project(root: Path) -> None:
    (root / "pipeline").mkdir()
    (root / "models" / "deep").mkdir(parents=True)
    (root / "pipeline" / "stage.py").write_text(
        "import numpy\nfrom pipeline.noun import thing\nfrom models import deep\n"
    )
    (root / "pipeline" / "noun.py").write_text("def f():\n    import pipeline.late\n")
    (root / "pipeline" / "late.py").write_text("")
    (root / "pipeline" / "other.py").write_text("")
    (root / "models" / "__init__.py").write_text("")
    (root / "models" / "deep" / "__init__.py").write_text("from models.deep.net import Net\n")
    (root / "models" / "deep" / "net.py").write_text("")


def test_sources_are_followed_at_any_depth(tmp_path: Path) -> None:
    make_project(tmp_path)
    expected = [
        "models/__init__.py",
        "models/deep/__init__.py",
        "models/deep/net.py",
        "pipeline/late.py",
        "pipeline/noun.py",
    ]
    assert sources("pipeline.stage", tmp_path) == [*expected, "pipeline/stage.py"]


def test_a_package_of_backends_counts_with_all_of_them(tmp_path: Path) -> None:
    make_project(tmp_path)
    package = tmp_path / "pipeline" / "backends"
    package.mkdir()
    for name, text in (("__init__", ""), ("fast", "import pipeline.late\n"), ("good", "")):
        (package / f"{name}.py").write_text(text)
    (tmp_path / "pipeline" / "stage.py").write_text("from pipeline import backends\n")
    picked = [f"pipeline/backends/{name}.py" for name in ("__init__", "fast", "good")]
    assert sources("pipeline.stage", tmp_path) == [*picked, "pipeline/late.py", "pipeline/stage.py"]


def test_settings_are_not_code(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "pipeline" / "config.py").write_text("")
    (tmp_path / "pipeline" / "stage.py").write_text("from pipeline.config import Config\n")
    assert sources("pipeline.stage", tmp_path) == ["pipeline/stage.py"]


def test_statements_read_as_text_are_those_of_the_syntax() -> None:
    for path in [file for part in ("pipeline", "models", "workflow") for file in (ROOT / part).rglob("*.py")]:
        parsed = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                parsed |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                parsed |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        assert {*imported_modules(path)} == parsed, path


def test_statements_over_lines_with_comments_and_other_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "from a import (\n    b,  # why\n    c as d,\n)\nif True:\n    import e.f as g, h  # here\nfrom i import *\n"
        '"""From here on it would\nimport what it likes\nfrom anywhere\n"""\n'
    )
    assert imported_modules(tmp_path / "one.py") == ["a", "a.b", "a.c", "e.f", "h", "i", "i.*"]


@pytest.mark.parametrize("path", sorted((ROOT / "models").rglob("*.py")), ids=str)
def test_models_import_no_pipeline(path: Path) -> None:
    assert not [name for name in imported_modules(path) if name.startswith(("pipeline", "workflow"))]


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline").rglob("*.py")), ids=str)
def test_pipeline_imports_no_stage_and_no_workflow(path: Path) -> None:
    forbidden = {f"pipeline.{stage}" for stage in STAGES if stage != path.stem}
    names = imported_modules(path)
    assert not [name for name in names if name.startswith("workflow") or name in forbidden]


@pytest.mark.parametrize(
    "path", [ROOT / "pipeline" / "config.py", *sorted((ROOT / "pipeline" / "settings").glob("*.py"))], ids=str
)
def test_settings_import_pydantic_only(path: Path) -> None:
    tree = ast.parse(path.read_text())
    modules = {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    others = {name for name in modules if not name.startswith("pipeline.settings.")}
    assert others <= {"typing", "pydantic"} and not any(isinstance(node, ast.Import) for node in ast.walk(tree))


def test_no_module_uses_postponed_annotations() -> None:
    """They would hide the shapes from the run-time check."""
    files = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "models").rglob("*.py")]
    assert files and not [path for path in files if "from __future__ import annotations" in path.read_text()]
