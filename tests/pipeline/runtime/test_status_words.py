"""Progress in words: spans of time, and a line a stage."""

import pytest

from pipeline.runtime.owner_note import Owner
from pipeline.runtime.run_status import RunStatus, StageStatus
from pipeline.runtime.status_words import progress_words, span, stage_line, status_lines

DONE = StageStatus("estimate_flow", "done", elapsed_s=7.6, expected_s=6.0, expected_from="record")
RUNNING = StageStatus("train_osn", "running", elapsed_s=61.0, expected_s=185.0, process=Owner("node7", 5, "81"))
WAITING = StageStatus("render_views_osn", "waiting", expected_s=4000.0, expected_from="size")
UNKNOWN = StageStatus("choose_method", "waiting")
FAILED = StageStatus("report", "failed", said="no frames", log="results/demo/logs/report.log")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185.0, "3 min 05 s"),
        (3600.0, "1 h 00 min"),
        (7830.0, "2 h 10 min"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_a_line_says_state_times_process_and_what_is_wrong() -> None:
    lines = [" ".join(stage_line(stage).split()) for stage in (DONE, RUNNING, WAITING, UNKNOWN, FAILED)]
    assert lines == [
        "estimate_flow done 8 s, expected about 6 s",
        "train_osn running 1 min 01 s of about 3 min 05 s (process 5 on node7, job 81)",
        "render_views_osn waiting about 1 h 06 min, by the video's size",
        "choose_method waiting",
        "report failed - no frames - see results/demo/logs/report.log",
    ]


def test_what_is_left_is_a_lower_bound_where_a_stage_is_unknown() -> None:
    known = RunStatus("demo", "working", (DONE, RUNNING, WAITING))
    assert progress_words(known) == "1 of 3 stages done, about 1 h 08 min left"
    assert "at least 1 h 08 min left" in progress_words(RunStatus("demo", "working", (RUNNING, WAITING, UNKNOWN)))
    assert progress_words(RunStatus("demo", "failed", (DONE, FAILED))) == "1 of 2 stages done, 1 failed"


def test_a_killed_run_says_how_to_go_on() -> None:
    assert "run the same snakemake command again" in status_lines(RunStatus("demo", "gone", (WAITING,)))[0]
