"""Compiled kernels are of the sources as they are."""

import ast
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


def test_an_edited_function_reaches_the_kernels_that_call_it_from_other_files(tmp_path: Path) -> None:
    """Numba looks at the kernel's own file only."""
    source = Path(__file__).parents[3] / "models" / "ops" / "compiled.py"
    (tmp_path / "models" / "ops").mkdir(parents=True)
    (tmp_path / "models" / "ops" / "compiled.py").write_text(source.read_text())
    (tmp_path / "models" / "kernel.py").write_text(KERNEL)
    for factor, expected in ((2.0, "7.0"), (5.0, "16.0")):
        (tmp_path / "models" / "part.py").write_text(PART.format(factor=factor))
        command = [sys.executable, "-c", "from models.kernel import whole; print(whole(3.0))"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


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
