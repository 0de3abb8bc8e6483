"""What a stage notes of its run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.runtime.errors import StageError
from pipeline.runtime.record import read_record

PROGRAM = "from pipeline.runtime.record import peak_memory_mb; print(peak_memory_mb())"
# A program of 600 MB starts PROGRAM, as snakemake or a test run of any size starts a stage.
LARGE = f"""
import subprocess, sys
held = b"1" * 600_000_000
sys.exit(subprocess.run([sys.executable, "-c", {PROGRAM!r}]).returncode)
"""
OF_ITS_OWN = "held = b'1' * 600_000_000; " + PROGRAM


def peak(program: str) -> float:
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def test_memory_is_of_the_stage_and_not_of_what_started_it() -> None:
    alone = peak(PROGRAM)
    assert 5 < alone < 550
    assert abs(peak(LARGE) - alone) < 30
    assert 570 < peak(OF_ITS_OWN) - alone + 20 < 640


OLD = {"stage": "pack_scene", "seconds": 2.5, "peak_memory_mb": 100}
DAMAGED = {
    "no json": b"{", "no object": b"[]", "bytes": b'{"stage": "\xff"}', "key": OLD | {"seconds": None},
    "late": OLD | {"started": 1e15}, "warnings": OLD | {"warnings": [3]}, "versions": OLD | {"versions": {"torch": 2}},
}  # fmt: skip


def test_of_an_older_record_what_is_known_is_read(tmp_path: Path) -> None:
    (tmp_path / "pack_scene.json").write_text(json.dumps(OLD))
    record = read_record(tmp_path / "pack_scene.json")
    assert record["seconds"] == 2.5 and record["warnings"] == [] and record["started"] is None


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_named(content: Any, tmp_path: Path) -> None:
    (tmp_path / "pack_scene.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(StageError, match=r"pack_scene.json is damaged"):
        read_record(tmp_path / "pack_scene.json")
