"""What the graph does with the folder of results itself."""

from pathlib import Path

from workflow.results_folder import finished_trainings


def test_a_training_is_finished_where_its_checkpoint_lies(tmp_path: Path) -> None:
    """Not where it is still to come, nor of scenes that this run did not make, nor where a training is at work."""
    found = {
        "mine/osn": ("resume.pt", "checkpoint.pt"),
        "mine/semantic_flow": ("resume.pt",),
        "other/osn": ("resume.pt", "checkpoint.pt"),
        "again/osn": ("resume.pt", "checkpoint.pt", "resume.lock"),
    }
    for folder, files in found.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in files:
            (tmp_path / folder / name).write_text("")
    assert finished_trainings(["mine", "again", "absent"], tmp_path) == [tmp_path / "mine" / "osn" / "resume.pt"]
