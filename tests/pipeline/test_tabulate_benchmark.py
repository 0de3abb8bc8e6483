"""The table of a benchmark whose runs have known numbers."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.formats.metrics_table import Row, write_metrics
from pipeline.formats.renders_folder import Renders, planned_set, write_renders, write_set
from pipeline.runtime.errors import StageError
from pipeline.tabulate_benchmark import tabulate_benchmark
from pipeline.tabulation.runs import Run, numbers
from pipeline.truth.truth_file import write_truth
from tests.analytic_world import analytic_truth

PSNR = {("own", "osn"): (26.0, 26.4), ("none", "hexplane"): (18.0, 18.2), ("sfm", "hexplane"): (18.1, 20.1)}


def written_run(folder: Path, method: str, psnr: float) -> Path:
    """A run with a few numbers and one view."""
    folder.mkdir(parents=True)
    train = "train_baseline" if method == "hexplane" else f"train_{method}"
    rows = [
        Row("render_views", method, "held_out", "psnr_db", psnr),
        Row("render_views", method, "held_out", "psnr_db", psnr - 1, "osn"),
        Row("render_views", method, "observed", "psnr_db", 40.0),
        Row("render_views", method, "scenes", "psnr_db", psnr - 2),
        Row("render_views", method, "scenes", "psnr_db_std", 0.1 * psnr),
        Row("render_views", method, "all", "seconds", 999.0),
        Row(train, method, "all", "seconds", 100.0 + psnr),
    ]
    write_metrics(folder / "metrics.csv", "scene", rows)
    name = "colour" if method == "hexplane" else "colour_loss"
    pd.DataFrame({"step": range(20), name: 1 / np.arange(1.0, 21)}).to_csv(folder / "history.csv", index=False)
    entry = planned_set("held_out_000", "held_out", [1.0], 1.0, [2, 3], views=[2, 3], fps=2.0)
    size = analytic_truth().train.depth.shape[1:]
    (folder / "renders").mkdir()
    grey = np.full((2, *size, 3), int(psnr), np.uint8)
    write_set(folder / "renders", entry, grey, np.zeros((2, *size), np.uint8), np.ones((2, *size), np.float32))
    write_renders(folder / "renders", Renders(method=method, valid_scales=1, object_ids=[0], sets=[entry]))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("bench") / "small" / "room_1"
    return [
        written_run(place / f"{supervision}_{seed}" / method, method, value)
        for (supervision, method), values in PSNR.items()
        for seed, value in enumerate(values)
    ]


@pytest.fixture(scope="module")
def tables(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables") / "small"
    folder.mkdir()
    write_truth(folder / "truth.h5", analytic_truth())
    out = (folder / f"table.{kind}" for kind in ("csv", "tex", "html"))
    tabulate_benchmark(runs, [folder / "truth.h5"], *out)
    return folder


def test_means_and_spreads_are_over_seeds_and_best_is_beyond_the_spread(tables: Path) -> None:
    table = pd.read_csv(tables / "table.csv")
    table = table[table["item"] != "scenes"].set_index(["method", "depth_supervision", "protocol", "metric"])
    osn = table.loc[("osn", "own", "monoverse", "psnr_db")]
    assert osn["mean"] == pytest.approx(26.2) and osn["spread"] == pytest.approx(0.4 / 2**0.5) and osn["seeds"] == 2
    assert osn["best"]  # 26.2 against 19.1, by more than 1.41
    assert not table.loc[("hexplane", "sfm", "monoverse", "seconds"), "best"]
    assert table.loc[("hexplane", "none", "monoverse", "seconds"), "mean"] == pytest.approx(118.1)
    assert not table.loc[("hexplane", "none", "monoverse", "seconds"), "best"]  # 118.1 against 119.1, within 1.41
    assert table.loc[("osn", "own", "osn", "psnr_db"), "mean"] == pytest.approx(25.2)  # that of a paper's formula
    assert 40.0 not in set(table["mean"]) and 999.0 not in set(table["mean"])


def test_the_spread_over_the_true_scenes_stands_beside_their_mean(tables: Path) -> None:
    """As in OSN's Table 2: here 2.6 and 2.64, mean over two seeds."""
    table = pd.read_csv(tables / "table.csv").query("item == 'scenes' and method == 'osn'")
    assert list(table["metric"]) == ["psnr_db"] and table["over_scenes"].item() == pytest.approx(2.62)
    page = (tables / "table.html").read_text()
    assert "<b>24.20 ± 0.28 (scenes ± 2.62)</b>" in page and "psnr_db over the true scenes" in page


def test_latex_has_a_row_for_each_method_and_supervision(tables: Path) -> None:
    first = (tables / "table.tex").read_text().split("\\end{tabular}")[0]
    assert r"method & depth & room\_1" in first
    assert r"OSN & its own use of sparse points & \textbf{26.20 $\pm$ 0.28}" in first
    assert r"HexPlane & no depth & 18.10 $\pm$ 0.14" in first


def test_the_page_shows_every_method_beside_truth(tables: Path) -> None:
    page = (tables / "table.html").read_text()
    assert "<h1>small</h1>" in page and "<b>26.20 ± 0.28</b>" in page and "over 2 seeds" in page
    assert re.findall(r'<img src="data:image/jpeg[^>]*alt="(\w+)"', page) == ["truth", "OSN", "HexPlane", "HexPlane"]


def test_no_single_seed_is_best(runs: list[Path], tables: Path, tmp_path: Path) -> None:
    out = [tmp_path / f"table.{kind}" for kind in ("csv", "tex", "html")]
    tabulate_benchmark(runs[::2], [tables / "truth.h5"], *out)
    assert not pd.read_csv(out[0])["best"].any()
    assert "no\nspread is known" in out[2].read_text()


def test_what_is_no_run_or_was_not_judged_is_named(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is not the folder of a run"):
        numbers([Run(written_run(tmp_path / "scene" / "none" / "osn", "osn", 20.0))])
    folder = tmp_path / "scene" / "none_0" / "osn"
    folder.mkdir(parents=True)
    write_metrics(folder / "metrics.csv", "scene", [Row("render_views", "osn", "observed", "psnr_db", 30.0)])
    with pytest.raises(StageError, match="has no number of held-out views"):
        numbers([Run(folder)])
    with pytest.raises(StageError, match="0 truth files were given for 1 scenes"):
        tabulate_benchmark(runs, [], *(tmp_path / name for name in "abc"))


def test_the_page_shows_by_how_much_each_training_still_falls(tables: Path) -> None:
    """1 / k for k from 1 to 20: the mean of the last four is 0.0541, that of the four before 0.0694."""
    page = (tables / "table.html").read_text()
    assert page.count("<td>22 %</td>") == 3  # one of each supervision, of the first seed
    assert page.count("loss of colours") == 3 and "<svg" in page and "&lt;svg" not in page
