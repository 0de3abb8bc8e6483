"""What the graph does with the folder of results itself."""

from pathlib import Path

from workflow.results_folder import finished_trainings


def test_a_training_is_finished_where_its_checkpoint_lies(tmp_path: Path) -> None:
    for method, files in (("osn", ("resume.pt", "checkpoint.pt")), ("semantic_flow", ("resume.pt",))):
        for name in files:
            path = tmp_path / "scene" / method / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
    assert finished_trainings(tmp_path) == [tmp_path / "scene" / "osn" / "resume.pt"]
