"""The live viewer's command."""

from pathlib import Path

import pytest

from pipeline import view_scene as command


def test_errors_end_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([str(tmp_path)])
    assert ended.value.code == 1 and "does not exist" in capsys.readouterr().err


def test_page_and_its_tunnel_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        command.tell(8080, [8081, 8082], "a beside b")
    assert "http://127.0.0.1:8080 shows a beside b" in caplog.text
    assert "ssh -L 8080:127.0.0.1:8080 -L 8081:127.0.0.1:8081 -L 8082:127.0.0.1:8082 " in caplog.text
