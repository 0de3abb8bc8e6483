"""The state of a scene's stages, asked for by hand."""

from pathlib import Path

import pytest

from pipeline.runtime.errors import StageError
from pipeline.show_status import main, show_status


def test_it_prints_a_line_a_stage_and_writes_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "evaluate.json").write_text('{"seconds": 62}')
    main([str(tmp_path)])
    assert "evaluate                 done     1 min 02 s" in capsys.readouterr().out
    assert (tmp_path / "status.json").exists()


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="results/demo"):
        show_status([tmp_path / "none"])
