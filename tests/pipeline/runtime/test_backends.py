"""Backends picked by the name of their module."""

from pathlib import Path

import pytest

from pipeline.runtime.backends import choose_backend
from pipeline.runtime.errors import StageError

WEIGHT = "Weight(file={!r}, model='m', address=None, sha256='0', size_mb=1.0, licence='', origin='')"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Two backends with weights, of which importing fails, and one without."""
    folder = tmp_path / "some_backends"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, files in (("large", ("l1.pth", "l2.pth")), ("small", ("s.pth",))):
        entries = "".join(WEIGHT.format(file) + ", " for file in files)
        (folder / f"{name}.py").write_text(f"import not_installed\nWEIGHTS = ({entries})\n")
    (folder / "plain.py").write_text("VALUE = 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "some_backends"


def test_auto_takes_the_first_that_can_run_and_its_best_weights(package: str, tmp_path: Path) -> None:
    def taken(*present: str) -> tuple[str, str | None]:
        folder = tmp_path / "_".join(["weights", *present])
        folder.mkdir()
        for file in present:
            (folder / file).touch()
        backend = choose_backend(package, "stage.backend", "auto", ["large", "small", "plain"], folder)
        assert backend.checkpoint == (folder / backend.weight.file if backend.weight else None)
        return backend.name, backend.weight.file if backend.weight else None

    assert taken() == ("plain", None)
    assert taken("s.pth") == ("small", "s.pth")
    assert taken("s.pth", "l2.pth") == ("large", "l2.pth")
    assert taken("l1.pth", "l2.pth") == ("large", "l1.pth")


def test_a_backend_is_imported_only_when_it_is_taken(package: str) -> None:
    assert choose_backend(package, "stage.backend", "auto", ["large", "plain"], None).module.VALUE == 5


def test_a_backend_without_its_weights_says_what_to_do(package: str, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"stage.backend is small, but .* holds no SMALL weights.*auto or plain"):
        choose_backend(package, "stage.backend", "small", ["large", "plain"], tmp_path)


def test_certain_weights_are_taken_or_named_if_they_are_not_there(package: str, tmp_path: Path) -> None:
    for file in ("l1.pth", "l2.pth"):
        (tmp_path / file).touch()
    auto = ["large", "plain"]
    assert choose_backend(package, "stage.backend", "auto", auto, tmp_path, "l2.pth").checkpoint == tmp_path / "l2.pth"
    with pytest.raises(StageError, match=r"stage.weights_file other.pth is not in"):
        choose_backend(package, "stage.backend", "auto", auto, tmp_path, "other.pth")
    assert choose_backend(package, "stage.backend", "plain", auto, tmp_path, "other.pth").name == "plain"


def test_a_backend_that_does_not_exist_is_named(package: str) -> None:
    with pytest.raises(StageError, match=r"some_backends/absent.py does not exist"):
        choose_backend(package, "stage.backend", "absent", ["plain"], None)
