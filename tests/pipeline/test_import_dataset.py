import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.check_inputs import check_inputs
from pipeline.config import CheckInputsConfig, ExtractFramesConfig, ImportDatasetConfig
from pipeline.extract_frames import extract_frames
from pipeline.import_dataset import import_dataset
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import read_truth
from tests.dataset_miniatures import FRAMES, write_nsff, write_nvidia, write_osn, write_semantic_nvidia
from tests.pipeline.imported_run import given, run_to_metrics
from tests.posed_miniatures import write_dnerf, write_dycheck, write_hypernerf, write_nerfstudio

WRITERS = {
    "osn": write_osn,
    "nvidia": write_nvidia,
    "nsff": write_nsff,
    "semantic_nvidia": write_semantic_nvidia,
    "dycheck": write_dycheck,
    "hypernerf": write_hypernerf,
    "dnerf": write_dnerf,
    "nerfstudio": write_nerfstudio,
}


def understood(imported: Path, work: Path) -> dict[str, str]:
    """What the checks say of an imported scene."""
    poses = given(imported, "transforms.json")
    extract_frames(imported / "images", poses, work / "frames", work / "frames.json", ExtractFramesConfig())
    parts = (given(imported, name) for name in ("masks", "transforms.json", "labels", "depth", "truth.h5"))
    check_inputs(work / "frames.json", *parts, work / "inputs.json", CheckInputsConfig())
    return json.loads((work / "inputs.json").read_text())


@pytest.mark.parametrize(("layout", "write"), WRITERS.items())
def test_imported_scenes_pass_the_checks(layout: str, write, tmp_path: Path) -> None:
    write(tmp_path / "scene")
    import_dataset(Path(f"{layout}:{tmp_path / 'scene'}"), tmp_path / "dataset", ImportDatasetConfig())
    words = understood(tmp_path / "dataset", tmp_path)
    facts = json.loads((tmp_path / "dataset" / "dataset.json").read_text())
    assert {"frames", *facts["parts"]} <= set(words) | {"frames"}
    assert words["poses"].startswith(f"{facts['frames']} of {facts['frames']} frames")


PROTOCOLS = {
    "nvidia": "dynnerf", "nsff": "nsff", "semantic_nvidia": "semantic_flow",
    "dycheck": "dycheck", "hypernerf": "dycheck", "dnerf": "monoverse", "nerfstudio": "monoverse",
}  # fmt: skip
JUDGED = {
    "dynnerf": {"psnr_db", "ssim"},
    "nsff": {"psnr_db", "ssim", "psnr_db_dynamic", "ssim_dynamic"},
    "semantic_flow": {"psnr_db", "ssim"},
    "dycheck": {"psnr_db_covisible", "ssim_covisible"},
    "monoverse": {"psnr_db", "ssim"},
}


@pytest.mark.parametrize("layout", PROTOCOLS)
def test_every_layout_ends_in_numbers_by_its_protocol(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path / "scene")
    (tmp_path / "run").mkdir()
    with run_to_metrics(f"{layout}:{tmp_path / 'scene'}", tmp_path / "run").open() as file:
        rows = [row for row in csv.DictReader(file) if row["item"] == "held_out"]
    protocol = PROTOCOLS[layout]
    found = {row["metric"]: float(row["value"]) for row in rows if row["protocol"] == protocol}
    assert JUDGED[protocol] <= set(found) and np.isfinite(list(found.values())).all()
    assert all(value > 16 for name, value in found.items() if name.startswith("psnr_db")), "of another view"


def test_parts_that_are_not_to_be_used_are_not_written(tmp_path: Path) -> None:
    write_osn(tmp_path / "scene")
    import_dataset(Path(f"osn:{tmp_path / 'scene'}"), tmp_path / "dataset", ImportDatasetConfig(use=["poses"]))
    written = {path.name for path in (tmp_path / "dataset").iterdir()}
    assert written == {"images", "transforms.json", "truth.h5", "dataset.json"}


def test_truth_of_a_data_set_has_what_it_knows_and_no_more(tmp_path: Path) -> None:
    write_osn(tmp_path / "scene", truths=(0.8,))
    import_dataset(Path(f"osn:{tmp_path / 'scene'}"), tmp_path / "dataset", ImportDatasetConfig())
    truth = read_truth(tmp_path / "dataset" / "truth.h5")
    assert truth.protocol == "osn" and truth.split == "indoor" and truth.object_count == 3
    assert truth.unknown_words == ["the depth of each object alone"] and not truth.knows_solo_depth
    assert truth.scenes is not None and truth.test.covisible is not None and len(truth.train.time) == FRAMES
    assert truth.test.names[0] == "0000.png" and not np.isnan(truth.test.depth).any()


@pytest.mark.parametrize("key", ["nothing:here", "osn", "osn:"])
def test_a_key_that_names_no_layout_says_how_to_write_it(key: str, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="LAYOUT:PATH"):
        import_dataset(Path(key), tmp_path / "dataset", ImportDatasetConfig())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is not a folder"):
        import_dataset(Path(f"osn:{tmp_path / 'absent'}"), tmp_path / "dataset", ImportDatasetConfig())


def test_a_data_set_goes_through_all_stages_to_numbers_of_its_test_views(tmp_path: Path) -> None:
    """Given poses that were half a pixel off, or in other axes, would not fit the tracks to a tenth of a pixel."""
    write_osn(tmp_path / "scene", frames=9, height=96, width=128)
    (tmp_path / "run").mkdir()
    with run_to_metrics(f"osn:{tmp_path / 'scene'}", tmp_path / "run").open() as file:
        found = {(row["item"], row["metric"]): float(row["value"]) for row in csv.DictReader(file)}
    assert found["0", "rotation_error_deg"] < 1e-4 and found["0", "trajectory_error_percent"] < 0.01
    assert found["0", "reprojection_error_px"] < 0.1 and found["all", "miou"] == 1
    assert {("held_out", name) for name in ("psnr_db", "psnr_db_covisible", "depth_mae", "miou")} <= set(found)
    missing = json.loads((tmp_path / "run" / "evaluation.json").read_text())["missing"]
    assert any("depth of each object alone" in row["reason"] for row in missing)
