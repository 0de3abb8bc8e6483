"""Time and memory of stages."""

import json
from pathlib import Path

from pipeline.evaluation.cost import cost_findings


def test_a_record_belongs_to_the_method_that_its_name_or_its_stage_says(tmp_path: Path) -> None:
    paths = []
    for number, (name, stage) in enumerate(
        [
            ("pack_scene", "pack_scene"),
            ("train_osn", "train_osn"),
            ("render_views_semantic_flow", "render_views"),
            ("train_hexplane", "train_baseline"),
        ]
    ):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps({"stage": stage, "seconds": number + 0.5, "peak_memory_mb": 100 * number}))
    rows = [(row.stage, row.method, row.metric, row.value) for row in cost_findings(paths).rows]
    assert rows == [
        ("pack_scene", "", "seconds", 0.5),
        ("pack_scene", "", "peak_memory_mb", 0.0),
        ("train_osn", "osn", "seconds", 1.5),
        ("train_osn", "osn", "peak_memory_mb", 100.0),
        ("render_views", "semantic_flow", "seconds", 2.5),
        ("render_views", "semantic_flow", "peak_memory_mb", 200.0),
        ("train_baseline", "hexplane", "seconds", 3.5),
        ("train_baseline", "hexplane", "peak_memory_mb", 300.0),
    ]
