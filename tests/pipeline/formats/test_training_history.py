"""Training histories that are none."""

from pathlib import Path

import pytest

from pipeline.formats.training_history import read_history
from pipeline.runtime.errors import StageError


def test_a_history_that_is_none_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("step,loss\n1,0.5\n")
    assert list(read_history(tmp_path / "history.csv")["loss"]) == [0.5]
    (tmp_path / "history.csv").write_text("")
    with pytest.raises(StageError, match=r"history\.csv is not a training history .*train again"):
        read_history(tmp_path / "history.csv")
