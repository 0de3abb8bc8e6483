"""The tests that need a GPU, as a row of the table: pytest in a process of its own, on the files that have such tests."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from benchmarks.gpu_parts.results import Results

ROOT = Path(__file__).parents[2]
MARK = "mark" + ".gpu"  # in two parts, or this file would be one of them


def marked_files() -> list[str]:
    """Files with tests that are marked as wanting a GPU."""
    return sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob("test_*.py") if MARK in p.read_text())


def gpu_tests(results: Results, seconds: float) -> None:
    report = results.folder / "gpu_tests.xml"
    report.unlink(missing_ok=True)
    # `addopts` asks for a shape checker that a bare machine does not have.
    flags = ["-q", "-rs", "-o", "addopts=", "-p", "no:cacheprovider", "-m", "gpu", f"--junitxml={report}"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *flags, *marked_files()],
            cwd=ROOT, timeout=seconds, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        results.add("tests", "marked gpu", ended=f"cut off after {seconds:.0f} s")
        return
    print(done.stdout[-3000:] + done.stderr[-1000:], flush=True)
    if not report.exists():
        results.add("tests", "marked gpu", ended=f"pytest wrote no report (exit code {done.returncode})")
        return
    suite = ElementTree.parse(report).getroot()[0]
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    results.add("tests", "marked gpu", **counts)
    for case in suite.iter("testcase"):
        for kind in ("failure", "error", "skipped"):
            if (found := case.find(kind)) is not None:
                results.add("tests", f"{case.get('name')}", **{kind: str(found.get("message", ""))[:200]})
