"""What stages took of memory and time, beside what a cluster is asked for.

    python -m benchmarks.job_size results/demo results/other

Prints a line for each stage of each scene: seconds and megabytes of its record, and the minutes and megabytes of
workflow/job_size.py, without what the steps of a training add.
"""

import argparse
import json
from pathlib import Path

from workflow.job_size import DEMANDS, Size, memory_mb, run_minutes, scene_size


def rows(results: Path) -> list[str]:
    """The lines of one scene."""
    size = scene_size(results, Size(0.0, 1))
    found = []
    for path in sorted((results / "records").glob("*.json")):
        record = json.loads(path.read_text())
        stage = record["stage"]
        if stage not in DEMANDS:
            continue
        asked = f"{run_minutes(stage, size, 1):6d} min {memory_mb(stage, size, 1):7d} MB"
        taken = f"{record['seconds']:8.1f} s {record['peak_memory_mb']:7.0f} MB"
        found.append(f"{results.name:16} {size.megapixels:6.2f} Mpx {path.stem:28} {taken}   asked: {asked}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", help="folders of scenes")
    for results in parser.parse_args().results:
        print("\n".join(rows(results)))


if __name__ == "__main__":
    main()
