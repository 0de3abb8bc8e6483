"""Compiled kernels are of the sources as they are."""

import ast
import os
import subprocess
import sys
from pathlib import Path

from models.ops.compiled import sources_digest

KERNEL = """
from models.ops.compiled import njit
from models.part import part

@njit(cache=True)
def whole(x):
    return part(x) + 1.0
"""
PART = "from models.ops.compiled import njit\n\n@njit(inline='always')\ndef part(x):\n    return {factor} * x\n"


def write_kernel(project: Path) -> None:
    """A kernel that calls a function of another file, and our compiler."""
    source = Path(__file__).parents[3] / "models" / "ops" / "compiled.py"
    (project / "models" / "ops").mkdir(parents=True)
    (project / "models" / "ops" / "compiled.py").write_text(source.read_text())
    (project / "models" / "kernel.py").write_text(KERNEL)
    (project / "models" / "part.py").write_text(PART.format(factor=2.0))


def test_an_edited_function_reaches_the_kernels_that_call_it_from_other_files(tmp_path: Path) -> None:
    """Numba looks at the kernel's own file only."""
    write_kernel(tmp_path)
    for factor, expected in ((2.0, "7.0"), (5.0, "16.0")):
        (tmp_path / "models" / "part.py").write_text(PART.format(factor=factor))
        assert said_by_kernel(tmp_path, tmp_path / "kernels") == expected


def said_by_kernel(project: Path, kernels: Path, ask: str = "whole(3.0)") -> str:
    """What a program in a project prints of its kernel."""
    command = [sys.executable, "-c", f"from models.kernel import whole; print({ask})"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(kernels), "PYTHONDONTWRITEBYTECODE": "1"}  # edits come fast
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_copy_of_the_project_takes_the_kernels_that_are_there(tmp_path: Path) -> None:
    hits = "(whole(3.0), sum(whole.stats.cache_hits.values()))"
    for folder, expected in (("one", "(7.0, 0)"), ("copy", "(7.0, 1)")):
        write_kernel(tmp_path / folder)
        assert said_by_kernel(tmp_path / folder, tmp_path / "kernels", hits) == expected


def test_digest_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    before = sources_digest(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.py").write_text("")
    assert sources_digest(tmp_path) != before


def test_no_kernel_that_may_reorder_sums_is_called_by_another() -> None:
    """Callers hold copies of it, optimised each in its own way; which one runs depends on what came from the cache."""
    models = Path(__file__).parents[3] / "models"
    kernels = [
        (node, "".join(map(ast.unparse, node.decorator_list)))
        for path in models.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and "njit(" in "".join(map(ast.unparse, node.decorator_list))
    ]
    reordering = {node.name for node, how in kernels if "fastmath=True" in how and "inline='always'" not in how}
    called = {
        call.func.id if isinstance(call.func, ast.Name) else call.func.attr
        for node, _ in kernels
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute)
    }
    assert len(reordering) > 4 and not reordering & called
