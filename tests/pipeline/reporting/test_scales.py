"""Scales in words, and on the map."""

import pandas as pd

from pipeline.reporting.figures import validity_figure
from pipeline.reporting.scales import comparison_rows, limit_rows

NAMES = {0: "wall", 3: "ball", 7: "box"}
SUNK = {"object": 3, "above": True, "scale": 1.234, "seen": 3, "shown": 0, "share": 0.0123, "frames": [2, 5, 9, 11, 20]}
FREE = {"object": 7, "above": False, "scale": 0.07, "seen": None, "shown": None, "share": None, "frames": []}


def test_a_limit_says_who_would_hide_whom_and_when():
    first, second = limit_rows([SUNK, FREE], NAMES)
    assert first == {
        "object": "ball",
        "limit": "at most 1.23",
        "reason": "wall would hide ball",
        "frames": "2, 5, 9, 11, 20",
        "share": "1.2 %",
    }
    assert second["limit"] == "at least 0.07" and "nothing contradicts" in second["reason"] and second["share"] == ""


def test_the_map_names_what_ends_the_valid_region():
    entry = {
        "objects": [3, 7],
        "axes": [[0.1, 1.0, 2.0], [0.1, 1.0, 2.0]],
        "best": [0.8, 0.9],
        "score": [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
        "true": None,
        "true_scales": None,
    }
    plain = validity_figure([entry], [], NAMES)
    marked = validity_figure([entry], [SUNK, FREE], NAMES)
    assert "wall would hide" in marked and "ball in frames 2, 5, 9, 11 …" in marked
    assert "would hide" not in plain


def test_valid_scenes_stand_beside_fixed_scales():
    rows = [
        ("render_views", "osn", item, metric, value)
        for item, metric, value in (
            ("held_out", "psnr_db", 25.12),
            ("held_out", "depth_mae", 0.16),
            ("samples", "psnr_db", 21.0),
            ("samples", "psnr_db_std", 0.91),
            ("fixed_middle", "psnr_db", 22.6),
            ("scenes", "psnr_db", 24.0),
            ("scenes", "psnr_db_std", 1.0),
            ("scenes_fixed_middle", "psnr_db", 20.0),
        )
    ]
    metrics = pd.DataFrame(rows, columns=["stage", "method", "item", "metric", "value"])
    table = {(row["truth"], row["title"]): row["values"] for row in comparison_rows(metrics, "osn")}
    assert table["the filmed scene", "valid scene nearest to the truth"] == ["25.1", "", "", "0.160"]
    assert table["the filmed scene", "valid scenes, mean"][0] == "21.0 ± 0.9"
    assert table["all true scenes", "valid scene nearest to each"][0] == "24.0 ± 1.0"
    assert table["all true scenes", "one fixed scale: the middle of the range"][0] == "20.0"
    assert len(table) == 5
    assert comparison_rows(metrics, "semantic_flow") == []
