"""metrics.csv survives; numbers that are none count as missing."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.metrics_table import COLUMNS, MEANINGS, Findings, Row, own_numbers, read_metrics, write_metrics
from pipeline.runtime.errors import StageError

ROWS = [Row("evaluate", "osn", "all", "psnr_db", 25.5), Row("segment_objects", "", "1", "miou", 0.75)]


def test_rows_survive_with_unit_and_direction(tmp_path: Path) -> None:
    write_metrics(tmp_path / "metrics.csv", "demo", ROWS)
    table = read_metrics(tmp_path / "metrics.csv")
    assert tuple(table.columns) == COLUMNS
    assert table.iloc[0].tolist()[:8] == ["demo", "evaluate", "osn", "monoverse", "all", "psnr_db", 25.5, "dB"]
    assert table["item"].tolist() == ["all", "1"] and table["method"].tolist() == ["osn", ""]


def test_rows_and_missing_numbers_keep_their_protocol(tmp_path: Path) -> None:
    found = Findings.of([ROWS[0], ROWS[0]._replace(protocol="osn"), ROWS[1]._replace(value=np.inf, protocol="nsff")])
    write_metrics(tmp_path / "metrics.csv", "demo", found.rows)
    table = read_metrics(tmp_path / "metrics.csv")
    assert table["protocol"].tolist() == ["monoverse", "osn"] and len(own_numbers(table)) == 1
    assert [entry.protocol for entry in found.missing] == ["nsff"]


def test_numbers_that_are_not_finite_are_missing_with_their_reason() -> None:
    found = Findings.of([ROWS[0], ROWS[1]._replace(value=np.nan)])
    assert found.rows == ROWS[:1]
    assert found.missing[0][:4] == ROWS[1][:4] and "no finite number" in found.missing[0].reason
    absent = Findings.absent("evaluate", ["ssim", "lpips"], "no truth", method="osn")
    assert [entry.metric for entry in (found + absent).missing] == ["miou", "ssim", "lpips"]


def test_every_metric_has_a_sentence() -> None:
    assert all(meaning.sentence for meaning in MEANINGS.values())


def test_a_table_without_a_column_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("scene,stage,method,protocol,item,metric,value,unit\ndemo,a,b,p,c,d,1,dB\n")
    with pytest.raises(StageError, match="no column higher_is_better; delete it and run evaluate again"):
        read_metrics(tmp_path / "metrics.csv")
    (tmp_path / "metrics.csv").write_text("nothing")
    with pytest.raises(StageError, match="is not a table of metrics"):
        read_metrics(tmp_path / "metrics.csv")
