"""A short campaign against one stage: nothing is lost, nothing silently wrong; and the campaign would notice."""

import random
import shutil
from pathlib import Path

import pytest

from benchmarks import reliability
from benchmarks.reliability import TRIALS, Campaign, plan_outcome, settings, table
from benchmarks.stage_trials import Count, Outcome, Stage, damage, output_flags, run, written
from pipeline.runtime.digests import keep_digests
from pipeline.runtime.sources import ROOT
from tests.synthetic import write_synthetic_scene

INPUTS = ("frames", "info", "flow", "masks", "objects", "reconstruction", "geometry")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A run of which only the last stage before training was run by itself."""
    folder = tmp_path_factory.mktemp("reliability")
    results = Path("results/demo")
    paths = write_synthetic_scene(folder / "run" / results)
    keep_digests([getattr(paths, name) for name in INPUTS], "a stage before")
    named = [(f"--{name}", str(results / getattr(paths, name).name)) for name in (*INPUTS, "scene")]
    named += [("--record", str(results / "records" / "pack_scene.json"))]
    words = ["python", "-m", "pipeline.pack_scene", *(word for pair in named for word in pair)]
    stage = Stage("pack_scene", words, written(words, output_flags()["pack_scene"]))
    assert run(stage, folder / "run").code == 0
    shutil.copy(ROOT / "config.yaml", folder / "run" / "config.yaml")
    return Campaign(folder / "run", [stage], folder / "trial", random.Random(3))


@pytest.mark.parametrize(("kind", "trials"), [("kills", 1), ("damage", 2), ("unsigned", 1), ("disks", 1)])
def test_nothing_is_lost_and_nothing_silently_wrong(campaign: Campaign, kind: str, trials: int) -> None:
    count, turns = Count(), campaign.turns()
    for _ in range(trials):
        TRIALS[kind](campaign, next(turns), count)
    assert count.trials == trials and table({kind: count}).count("\n") == 2, table({kind: count})
    assert count.stopped == trials if kind in ("damage", "disks") else True


def test_settings_end_as_a_configuration_or_a_sentence(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    count = Count()
    monkeypatch.setattr(reliability, "planned", lambda *where: plan_outcome(0, "a plan"))
    for _ in range(40):
        settings(campaign, campaign.stages[0], count)
    assert count.trials == 40 and 0 < count.stopped < 40 and not count.tracebacks, table({"settings": count})


def test_an_error_of_snakemake_that_is_not_ours_counts_as_a_traceback() -> None:
    ours = plan_outcome(1, "WorkflowError in file common.smk, line 88:\ntrain_osn.steps: is missing; add it")
    other = plan_outcome(1, "KeyError in file common.smk, line 88:\n'steps'")
    assert ours.sentence and other.traceback and not plan_outcome(0, "KeyError").traceback


def test_the_campaign_notices() -> None:
    count = Count()
    count.add("crash", Outcome(-11, "", 0))
    count.add("words", Outcome(1, "Traceback (most recent call last)", 0))
    count.add("nothing said", Outcome(1, "", 0))
    count.add("other numbers", Outcome(0, "", 0), silent=True, partial=True)
    count.add("as promised", Outcome(1, "10:00:00 ERROR pack_scene: a sentence", 0))
    assert "| kind | 5 | 1 | 1 | 2 | 1 | 1 |" in table({"kind": count})


def test_damage_changes_a_file(tmp_path: Path) -> None:
    for seed in range(20):
        (tmp_path / "file").write_bytes(bytes(100))
        damage(tmp_path / "file", random.Random(seed))
        assert (tmp_path / "file").read_bytes() != bytes(100)
