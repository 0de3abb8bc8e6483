"""What a stage notes of its run."""

import subprocess
import sys

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
