"""What the report draws from."""

from pipeline.evaluation.results import Results, notes_by_kind, training_stage


def test_notes_are_gathered_by_kind_and_a_method_without_one_is_left_out() -> None:
    results = [
        Results("osn", notes={"best_held_out": "held_out_001"}),
        Results("osn", notes={"validity": [1], "limits": []}),
        Results("semantic_flow", notes={"semantics": {"miou": [1.0]}}),
    ]
    assert notes_by_kind(results) == {
        "semantics": {"semantic_flow": {"miou": [1.0]}},
        "best_held_out": {"osn": "held_out_001"},
        "validity": {"osn": [1]},
        "limits": {"osn": []},
        "unexplained": {},
    }
    assert training_stage("osn") == "train_osn"
