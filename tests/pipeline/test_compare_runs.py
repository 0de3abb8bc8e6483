"""Runs held against each other: which can be compared, what differs, what is missing."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline.compare_runs import compare_runs
from pipeline.reporting.finished_runs import read_runs
from pipeline.runtime.errors import StageError
from tests.pipeline.judged_scene import judged_scene
from tests.pipeline.test_report import Page


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: the second is the first with another setting and a better number, the third is of other footage."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        scene = judged_scene(folder / "first", patch)
        scene.render()
        scene.evaluate()
    for name in ("more <steps>", "other"):
        shutil.copytree(folder / "first", folder / name)
    better = folder / "more <steps>"
    change_metrics(better, 10.0)
    record = better / "records" / "train_osn.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "options": {"seed": 0, "weights": {"depth": 0.5}}}))
    record = folder / "first" / "records" / "train_osn.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "options": {"seed": 0, "weights": {"depth": 0.1}}}))
    (folder / "other" / "frames" / "000000.png").write_bytes((folder / "other" / "frames" / "000001.png").read_bytes())
    return folder


def change_metrics(folder: Path, added: float) -> None:
    table = pd.read_csv(folder / "metrics.csv", keep_default_na=False)
    table.loc[table.metric == "psnr_db", "value"] += added
    table.to_csv(folder / "metrics.csv", index=False)


@pytest.fixture(scope="module")
def html(results: Path) -> str:
    named = ["first", "more <steps>", "other", "never"]
    compare_runs([results / name for name in named], results / "compare.html")
    return (results / "compare.html").read_text()


def test_the_page_is_whole_and_needs_nothing_from_outside(html: str) -> None:
    page = Page(html)
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets <= set(page.ids) and len(page.ids) == len(set(page.ids))
    assert all(address.startswith(("data:", "#")) for address in page.addresses)


def test_names_are_escaped(html: str) -> None:
    assert "more &lt;steps&gt;" in html and "<steps>" not in html


def test_a_run_that_is_not_there_is_said(html: str) -> None:
    assert "never : there is no" in Page(html).text


def test_only_runs_on_the_same_footage_stand_under_one_heading(html: str) -> None:
    text = Page(html).text
    assert "first, more <steps> show the same frames: " in text and "other: " in text
    numbers = html[html.index('id="numbers"') : html.index('id="pictures"')]
    better = numbers[numbers.index("more &lt;steps&gt;</td>") :]
    assert "<b>" in better[: better.index("</tr>")]
    other = numbers[numbers.index("<td>other</td>") :]
    assert "<b>" not in other[: other.index("</tr>")]


def test_settings_that_differ_are_listed_and_no_others(html: str) -> None:
    part = html[html.index('id="settings"') : html.index('id="times"')]
    assert "train_osn.weights.depth" in part and "train_osn.seed" not in part


def test_times_are_those_of_the_records(html: str) -> None:
    assert "12 s" in html[html.index('id="times"') :]


def test_pictures_are_of_the_frame_and_of_every_run(html: str) -> None:
    part = html[html.index('id="pictures"') : html.index('id="settings"')]
    assert part.count("as it was filmed") >= 2 and part.count("The same frame, rendered by") == 3


def test_without_any_run_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no finished run to compare"):
        compare_runs([tmp_path / "none"], tmp_path / "compare.html")


def test_another_truth_is_another_footage(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(results / "first", copy)
    assert read_runs(copy)[0].footage == read_runs(results / "first")[0].footage
    (copy / "truth.h5").write_bytes(b"another")
    assert read_runs(copy)[0].footage != read_runs(results / "first")[0].footage
