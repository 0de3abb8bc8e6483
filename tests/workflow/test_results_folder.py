"""What the graph does with the folder of results itself."""

from pathlib import Path

from workflow.results_folder import compared_runs, finished_trainings


def test_a_training_is_finished_where_its_checkpoint_lies(tmp_path: Path) -> None:
    """Not where it is still to come, nor of scenes that this run did not make, nor where a training is at work."""
    found = {
        "mine/osn": ("resume.pt", "checkpoint.pt"),
        "mine/semantic_flow": ("resume.pt",),
        "other/osn": ("resume.pt", "checkpoint.pt"),
        "again/osn": ("resume.pt", "checkpoint.pt", "resume.lock"),
        "mine/shared": ("features_1a2b.pt", "checkpoint.pt"),
    }
    for folder, files in found.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in files:
            (tmp_path / folder / name).write_text("")
    done = finished_trainings(["mine", "again", "absent"], tmp_path)
    assert done == [tmp_path / "mine/osn/resume.pt", tmp_path / "mine/shared/features_1a2b.pt"]


def test_runs_to_compare_are_those_named_else_all_with_numbers(tmp_path: Path) -> None:
    for name in ("b", "a", "unfinished"):
        (tmp_path / name).mkdir()
    for name in ("b", "a"):
        (tmp_path / name / "metrics.csv").touch()
    assert compared_runs([], tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert compared_runs(["never", "b"], tmp_path) == [tmp_path / "never", tmp_path / "b"]
