"""Time and memory of every stage, as each noted them itself."""

from pathlib import Path

from pipeline.formats.metrics_table import Findings, Row
from pipeline.runtime.record import read_record


def cost_findings(records: list[Path]) -> Findings:
    """Time and memory of every stage that ran; a record is named after its stage, then its method."""
    rows = []
    for path in records:
        record = read_record(path)
        method = path.stem.removeprefix(record["stage"]).removeprefix("train_").lstrip("_")
        method = method or record["stage"].partition("train_")[2]
        for metric in ("seconds", "peak_memory_mb"):
            rows.append(Row(record["stage"], method, "all", metric, float(record[metric])))
    return Findings.of(rows)
