"""The command line derived from a stage's signature."""

import argparse
import errno
import importlib
import json
import logging
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pipeline.cli import DISK_FAULTS, disk_fault, flag, read_call, read_options, stage_parser
from pipeline.config import EstimateFlowConfig
from pipeline.runtime.digests import digest, read_digest
from pipeline.runtime.errors import StageError
from pipeline.runtime.sources import ROOT
from tests.full_disk import files_up_to

STAGE = """
    import logging
    from pathlib import Path
    from pipeline.runtime.atomic import whole
    from pipeline.cli import run_stage
    from pipeline.config import EstimateFlowConfig
    from pipeline.runtime.errors import StageError

    def copy_text(source: Path, extra: Path | None, many: list[Path], target: Path, config: EstimateFlowConfig) -> None:
        if not source.exists():
            raise StageError(f"{source} does not exist; give another")
        logging.getLogger("pipeline.copy").warning("only a copy")
        with whole(target) as partial:
            partial.write_text(f"{source.read_text()} {extra} {len(many)} {config.backend}")

    if __name__ == "__main__":
        run_stage(copy_text)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    path = tmp_path / "copy_text.py"
    path.write_text(textwrap.dedent(STAGE))
    (tmp_path / "in put.txt").write_text("text")
    return path


def run(stage: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, stage, *arguments],
        capture_output=True,
        text=True,
        cwd=stage.parent,
        env={"PYTHONPATH": str(root)},
    )


def example(a: Path, b: Path | None, c: list[Path], config: EstimateFlowConfig) -> None:
    """An example."""


def test_signature_becomes_flags() -> None:
    arguments = vars(stage_parser(example).parse_args(["--a", "x y", "--b", "--c", "1", "2", "--threads", "3"]))
    assert (arguments["a"], arguments["b"], arguments["c"]) == (Path("x y"), None, [Path("1"), Path("2")])
    assert arguments["threads"] == 3


def test_required_path_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stage_parser(example).parse_args([])
    assert "--a" in capsys.readouterr().err


def test_parameter_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="size is a"):
        flag("size", int)


def test_help_groups_paths_and_settings_with_their_defaults_and_meaning() -> None:
    paths, settings = " ".join(stage_parser(example).format_help().split()).split("settings: ")
    assert "paths: --a PATH --b [PATH] --c [PATH ...]" in paths
    for name, field in EstimateFlowConfig.model_fields.items():
        default = "none" if field.default is None else json.dumps(field.default)
        assert f"--{name.replace('_', '-')} " in settings
        assert f"{field.description} (default: {default})" in settings


def test_flags_count_more_than_options() -> None:
    call = read_call(example, ["--a", "x", "--options", '{"backend": "dis", "iterations": 3}', "--iterations", "4"])
    assert call.config == EstimateFlowConfig(backend="dis", iterations=4)
    assert call.paths == {"a": Path("x"), "b": None, "c": []}


@pytest.mark.parametrize("words", [["--consistency_px", "2"], ["--consistency-px=2"], ["--consistency_px=2"]])
def test_flags_may_be_written_as_in_config_yaml(words: list[str]) -> None:
    assert read_call(example, ["--a", "x", *words]).config == EstimateFlowConfig(consistency_px=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--iterations", "0"], "--iterations: Input should be greater than or equal to 1 (got '0'); see --help"),
        (["--iterations", "many"], "--iterations: Input should be a valid integer"),
        (["--strides", "2", "x"], "--strides: 1: Input should be a valid integer"),
        (["--strides", "[2,"], "--strides: [2, is not JSON"),
        (["--backend", "lsd"], "--backend: Input should be 'auto'"),
        (["--options", '{"iterations": 0}'], "--options: iterations: Input should be greater"),
        (["--options", "[1]"], "--options is [1], not a JSON object"),
        (["--iteration", "3"], "there is no flag --iteration; did you mean --iterations?"),
        (["stray"], "stray belongs to no flag"),
    ],
)
def test_wrong_value_ends_in_one_sentence_with_its_flag(words: list[str], said: str) -> None:
    with pytest.raises(StageError) as stopped:
        read_call(example, ["--a", "x", *words])
    assert str(stopped.value).startswith(said) and "\n" not in str(stopped.value)


def test_stage_takes_its_settings_as_flags(stage: Path) -> None:
    done = run(stage, "--source", "in put.txt", "--target", "out.txt", "--backend", "dis")
    assert done.returncode == 0, done.stderr
    assert (stage.parent / "out.txt").read_text() == "text None 0 dis"
    done = run(stage, "--source", "in put.txt", "--target", "two.txt", "--backend", "magic")
    assert done.returncode == 1 and "copy_text: --backend: Input should be" in done.stderr
    assert "Traceback" not in done.stderr and not (stage.parent / "two.txt").exists()


def every_stage() -> list[str]:
    """Names of the modules that run a stage."""
    files = (ROOT / "pipeline").glob("*.py")
    return sorted(path.stem for path in files if f"run_stage({path.stem})" in path.read_text())


@pytest.mark.parametrize("name", every_stage())
def test_no_flag_of_a_stage_has_two_meanings(name: str) -> None:
    stage_parser(getattr(importlib.import_module(f"pipeline.{name}"), name))


def test_two_meanings_of_a_flag_are_an_error() -> None:
    def clash(backend: Path, config: EstimateFlowConfig) -> None: ...

    with pytest.raises(argparse.ArgumentError, match="conflicting option string: --backend"):
        stage_parser(clash)


def test_missing_options_take_their_defaults() -> None:
    assert read_options(example, '{"backend": "dis"}') == EstimateFlowConfig(backend="dis")


@pytest.mark.parametrize(
    ("options", "said"),
    [("{", "not JSON"), ('{"bakend": "dis"}', "bakend"), ('{"consistency_px": -1}', "consistency_px.*got -1")],
)
def test_wrong_options_are_named(options: str, said: str) -> None:
    with pytest.raises(StageError, match=said):
        read_options(example, options)


def test_stage_runs_and_writes_its_record(stage: Path) -> None:
    folder = stage.parent
    done = run(
        stage, "--source", "in put.txt", "--extra", "--many", "a", "--target", "out.txt", "--record", "r/record.json"
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "out.txt").read_text() == "text None 1 auto"
    record = json.loads((folder / "r/record.json").read_text())
    assert record["stage"] == "copy_text" and record["warnings"] == ["only a copy"]
    assert 0 <= record["seconds"] < 60 and 5 < record["peak_memory_mb"] < 2000
    kept = read_digest(folder / "r/record.json")  # evaluate and report read records
    assert kept == {"stage": "copy_text", "sha256": digest(folder / "r/record.json")}
    assert record["options"]["backend"] == "auto"


def test_bad_input_ends_in_one_line_and_exit_code_1(stage: Path) -> None:
    done = run(stage, "--source", "none.txt", "--target", "out.txt")
    assert done.returncode == 1
    assert "none.txt does not exist; give another" in done.stderr and "Traceback" not in done.stderr
    assert not (stage.parent / "out.txt").exists()


def test_unwritable_output_is_named(stage: Path) -> None:
    (stage.parent / "file").write_text("not a folder")
    done = run(stage, "--source", "in put.txt", "--target", "file/out.txt")
    assert done.returncode == 1 and "cannot write file/out.txt" in done.stderr and "Traceback" not in done.stderr


def test_what_a_disk_says_becomes_one_sentence_with_the_file_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(3000))
    with pytest.raises(OSError) as full, files_up_to(1000):
        shutil.copyfile(tmp_path / "a", tmp_path / "b")
    assert disk_fault(full.value) == f"cannot use {tmp_path / 'b'} (File too large): {DISK_FAULTS[errno.EFBIG]}"
    with pytest.raises(OSError) as gone:
        (tmp_path / "no" / "c").write_text("")
    assert f"{tmp_path / 'no' / 'c'} (No such file or directory): it is not there" in disk_fault(gone.value)


def test_only_our_warnings_are_kept() -> None:
    from pipeline.cli import start_logging

    kept = start_logging()
    logging.getLogger("matplotlib.font").warning("not ours")
    logging.getLogger("pipeline.x").warning("ours")
    logging.getLogger().removeHandler(kept)
    assert kept.texts == ["ours"]


def test_a_damaged_input_stops_the_stage_that_would_read_it(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "source.txt").write_text("one")
    assert run(stage, "--source", "source.txt", "--target", "first.txt").returncode == 0
    again = ("--source", "first.txt", "--target", "second.txt")
    assert (tmp_path / ".digests" / "first.txt.json").exists() and not (
        tmp_path / ".digests" / "source.txt.json"
    ).exists()
    (tmp_path / ".digests" / "first.txt.json").write_text(
        (tmp_path / ".digests" / "first.txt.json").read_text().replace("copy_text", "write_text")
    )
    assert run(stage, *again).returncode == 0
    (tmp_path / "first.txt").write_text("tampered")
    done = run(stage, *again)
    assert done.returncode == 1 and "first.txt is not what write_text wrote" in done.stderr
