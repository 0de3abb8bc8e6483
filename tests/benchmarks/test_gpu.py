"""The check of a GPU: it runs on a machine that has torch and little else, and what it found outlasts a run cut off."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.gpu_parts.gpu_tests import marked_files
from benchmarks.gpu_parts.results import Row, opened
from pipeline.config import RenderViewsConfig, SimulateSceneConfig, TrainOsnConfig, TrainSemanticFlowConfig
from pipeline.runtime.sources import ROOT

SECTIONS = [TrainOsnConfig, TrainSemanticFlowConfig, SimulateSceneConfig, RenderViewsConfig]
ABSENT = ["snakemake", "pycolmap", "av", "trimesh", "segment_anything", "beartype", "viser"]
# As on a machine where these are not installed; of pydantic only the stand-in is seen.
BARE = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
import pydantic, torch
from pipeline import config
torch.set_num_threads(1)
print(pydantic.__file__)
for name in {[section.__name__ for section in SECTIONS]}:
    print(getattr(config, name)().model_dump_json())
from benchmarks.gpu import main
main()
"""


def test_it_runs_on_a_machine_without_the_project_s_environment(tmp_path: Path) -> None:
    paths = [str(ROOT / "benchmarks/stand_ins"), str(ROOT)]
    work, out = tmp_path / "work", tmp_path / "out"
    flags = ["--out", str(out), "--work", str(work), "--size", "tiny", "--device", "cpu", "--parts", "operators"]
    done = subprocess.run(
        [sys.executable, "-c", BARE, *flags],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    where, *settings = done.stdout.splitlines()[: 1 + len(SECTIONS)]
    assert "stand_ins" in where
    assert [json.loads(line) for line in settings] == [section().model_dump(mode="json") for section in SECTIONS]
    table = json.loads((out / "gpu.json").read_text())
    verdicts = {row["what"]: row["values"].get("parity") for row in table["rows"] if row["part"] == "operators"}
    assert len(verdicts) >= 15 and set(verdicts.values()) == {"ok"} and table["card"] == "cpu"
    assert "| operators | blend of two fields | parity ok" in (out / "gpu.md").read_text()


def test_parts_that_are_run_again_are_replaced_and_the_others_stay(tmp_path: Path) -> None:
    facts = {"card": "one", "commit": "abc"}
    first = opened(tmp_path, facts)
    first.add("speed", "a step", steps_per_s=12.345678, rays=512)
    first.add("quality", "OSN", ended="by time")
    again = opened(tmp_path, facts)
    again.begin("speed")
    again.add("speed", "a step", steps_per_s=99.0)
    assert again.rows == [Row("quality", "OSN", {"ended": "by time"}), Row("speed", "a step", {"steps_per_s": 99.0})]
    assert opened(tmp_path, facts).rows == again.rows
    again.begin("speed", only="joint")
    assert opened(tmp_path, facts).rows == again.rows
    again.begin("speed", only="a st")
    assert [row.part for row in again.rows] == ["quality"]
    assert opened(tmp_path, {**facts, "card": "another"}).rows == []
    assert "| speed | a step | steps_per_s 99 |" in (tmp_path / "gpu.md").read_text()


def test_tests_for_a_gpu_are_found() -> None:
    assert "tests/pipeline/test_train_osn.py" in marked_files()
