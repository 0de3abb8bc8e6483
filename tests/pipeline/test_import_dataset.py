import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.cameras import IGNORE_ID
from pipeline.config import ImportDatasetConfig
from pipeline.formats.masks_file import read_masks
from pipeline.import_dataset import import_dataset
from pipeline.rendering.trained_method import METHODS
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import read_truth
from tests.dataset_miniatures import (
    FRAMES,
    rig_cameras,
    sideways_cameras,
    write_multimotion,
    write_nsff,
    write_nvidia,
    write_osn,
    write_semantic_nvidia,
)
from tests.pipeline.cast_method import ENTRY, METHOD, train_cast
from tests.pipeline.imported_run import run_to_metrics
from tests.posed_miniatures import FIRST, write_dnerf, write_dycheck, write_hypernerf, write_nerfstudio


@dataclass(frozen=True)
class Miniature:
    """How a layout is written, the video's true cameras, the ids that its masks give to the room and the boxes, and what
    its protocol judges. Images that the data set itself made smaller are not quite those that are cast (`floor_db`)."""

    write: Callable[[Path], object]
    cameras: np.ndarray
    seen_as: tuple[int, int, int]
    protocol: str
    judged: tuple[str, ...]
    white: bool = False
    floor_db: float = 60.0


WHOLE, COVISIBLE = ("psnr_db", "ssim"), ("psnr_db_covisible", "ssim_covisible")
MINIATURES = {
    "osn": Miniature(write_osn, sideways_cameras(), (0, 1, 2), "osn", (*WHOLE, "psnr_db_covisible", "depth_mae", "miou")),
    "multimotion": Miniature(write_multimotion, sideways_cameras(), (0, 1, 2), "osn", WHOLE),
    "nvidia": Miniature(write_nvidia, rig_cameras(), (0, 1, 1), "dynnerf", WHOLE),
    "nsff": Miniature(write_nsff, rig_cameras(), (0, 1, 1), "nsff", (*WHOLE, "psnr_db_dynamic", "ssim_dynamic")),
    "semantic_nvidia": Miniature(write_semantic_nvidia, rig_cameras(), (0, 1, 0), "semantic_flow", WHOLE),
    "dycheck": Miniature(write_dycheck, FIRST, (0, 0, 0), "dycheck", COVISIBLE, floor_db=31),
    "hypernerf": Miniature(write_hypernerf, FIRST, (0, 0, 0), "dycheck", COVISIBLE, floor_db=31),
    "dnerf": Miniature(write_dnerf, FIRST, (0, 0, 0), "monoverse", WHOLE, white=True),
    "nerfstudio": Miniature(write_nerfstudio, FIRST, (0, 1, 1), "monoverse", WHOLE),
}  # fmt: skip


@pytest.mark.parametrize("layout", MINIATURES)
def test_every_layout_ends_in_numbers_by_its_protocol(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shown the true world, test views are alike to the last levels only if nothing on the way is half a pixel off.

    Exactly alike are 100 dB; half a pixel of all principal points leaves 24 to 29.
    """
    monkeypatch.setitem(METHODS, METHOD, ENTRY)
    mini = MINIATURES[layout]
    mini.write(tmp_path / "scene")
    (tmp_path / "run").mkdir()
    understood = run_to_metrics(
        f"{layout}:{tmp_path / 'scene'}",
        tmp_path / "run",
        lambda checkpoint: train_cast(checkpoint, mini.cameras, mini.seen_as, mini.white),
    )
    facts = json.loads((tmp_path / "run" / "dataset" / "dataset.json").read_text())
    assert {*facts["parts"]} <= set(understood)
    assert understood["poses"].startswith(f"{facts['frames']} of {facts['frames']} frames")
    assert (read_masks(tmp_path / "run" / "masks.h5") == IGNORE_ID).any() == (mini.protocol == "dycheck"), "holes"
    with (tmp_path / "run" / "metrics.csv").open() as file:
        every = list(csv.DictReader(file))
    rows = [row for row in every if row["item"] == "held_out" and row["protocol"] == mini.protocol]
    assert [float(row["value"]) for row in every if row["metric"] == "pck_t"] == [1.0] * (layout == "dycheck")
    found = {row["metric"]: float(row["value"]) for row in rows}
    assert {*mini.judged} <= set(found) and np.isfinite(list(found.values())).all()
    assert all(value > mini.floor_db for name, value in found.items() if name.startswith("psnr_db")), found


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
