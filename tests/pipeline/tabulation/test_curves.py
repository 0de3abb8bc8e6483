"""Curves of training: what is read of a history, and how much still falls at the end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.tabulation.curves import colour_curve, curves, still_falls
from pipeline.tabulation.runs import Run


def test_a_curve_is_the_loss_of_colours_over_the_part_that_is_done() -> None:
    history = pd.DataFrame({"step": [1, 2, 3, 4], "colour_loss": [0.4, np.nan, 0.2, 0.1], "colour": 9.0})
    curve = colour_curve(history)
    assert list(curve.index) == pytest.approx([1 / 3, 2 / 3, 1]) and list(curve) == [0.4, 0.2, 0.1]
    assert colour_curve(pd.DataFrame({"step": [1], "loss": [2.0]})).empty


def test_what_still_falls_is_the_last_fifth_against_the_fifth_before() -> None:
    values = pd.Series([9.0] * 9 + [4.0, 5.0, 6.0] + [4.0, 4.0, 4.0])
    assert still_falls(values) == pytest.approx(0.2)  # 4 against 5
    assert still_falls(pd.Series([1.0] * 40)) == 0.0
    assert still_falls(pd.Series([1.0] * 8)) is None


def test_each_scene_and_supervision_has_its_curves_of_the_first_seed(tmp_path: Path) -> None:
    runs = []
    for place, values in (("room/none_1/nsff", 20), ("room/none_2/nsff", 30), ("room/sfm_1/nsff", 4)):
        (tmp_path / place).mkdir(parents=True)
        pd.DataFrame({"step": range(values), "colour": 0.5}).to_csv(tmp_path / place / "history.csv", index=False)
        runs.append(Run(tmp_path / place))
    found = curves(runs)
    assert [(group["scene"], group["supervision"]) for group in found] == [("room", "none"), ("room", "sfm")]
    assert [group["rows"] for group in found] == [[("NSFF", "0 %")], [("NSFF", "too few steps to tell")]]
    assert all("NSFF" in group["figure"] for group in found)
