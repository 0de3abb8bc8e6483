"""Scenes of Nerfies and HyperNeRF, by DyCheck's protocol where two cameras were used, else by TiNeuVox's.

import_dataset.split: `mono` (the video is the left camera's alone: what this project is made for), `intl` (the cameras take
turns, as the papers trained), `common` (mono's video, judged by the views that neither trains on), `dataset` (the lists of
dataset.json), `tineuvox` (one camera: every fourth image trains, the ones between them test). The protocol reads images at
a quarter, of the scene curls at an eighth. What else: pipeline/datasets/nerfies_scene.py.
"""

from collections import Counter
from pathlib import Path

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.files import read_data_json
from pipeline.datasets.imported_scene import ImportedScene
from pipeline.datasets.nerfies_scene import Capture, Lists, imported, named_lists, read_capture
from pipeline.runtime.errors import StageError

FACTOR, FACTOR_OF_CURLS = 4, 8
RIG = ("mono", "intl", "common")
EVERY, BETWEEN = 4, 2  # TiNeuVox, load_hyper.py


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene."""
    usual = FACTOR_OF_CURLS if "curls" in path.name else FACTOR
    capture = read_capture(path, config.factor, usual)
    known = known_splits(capture)
    if config.split not in (None, *known):
        raise StageError(f"import_dataset.split is {config.split}, but {path} has {', '.join(known)}")
    split = config.split or known[0]
    if split in RIG:
        return imported(capture, rig_lists(capture, split), [])
    return imported(capture, dataset_lists(path) if split == "dataset" else tineuvox_lists(capture), [])


def known_splits(capture: Capture) -> list[str]:
    """The lists that a scene has, the usual one first."""
    seen = Counter(capture.time_of.values())
    data = read_data_json(capture.folder / "dataset.json", "ids")
    rig = list(RIG) if max(seen.values()) > 1 else []
    return [*rig, *(["dataset"] if data.get("val_ids") else []), "tineuvox"]


def rig_lists(capture: Capture, split: str) -> Lists:
    """DyCheck's lists, from splits/ or by the rule that made them."""
    train = "train_mono" if split == "common" else f"train_{split}"
    if all((capture.folder / "splits" / f"{name}.json").exists() for name in (train, f"val_{split}")):
        return named_lists(capture, split, train, f"val_{split}")
    mono, turns = trained_on(capture)
    video, left_out = {"mono": (mono, mono), "intl": (turns, turns), "common": (mono, mono | turns)}[split]
    return Lists(split, sorted(video), sorted(capture.time_of.keys() - left_out), f"val_{split}")


def trained_on(capture: Capture) -> tuple[set[str], set[str]]:
    """IDs of the first camera, and IDs of cameras that take turns."""
    cameras = sorted(set(capture.camera_of.values()))
    times = sorted(set(capture.time_of.values()))
    turn = {time: cameras[index % len(cameras)] for index, time in enumerate(times)}
    mono = {name for name, camera in capture.camera_of.items() if camera == cameras[0]}
    turns = {name for name, camera in capture.camera_of.items() if turn[capture.time_of[name]] == camera}
    return mono, turns


def dataset_lists(path: Path) -> Lists:
    """The lists of dataset.json."""
    data = read_data_json(path / "dataset.json", "train_ids", "val_ids")
    return Lists("dataset", [str(name) for name in data["train_ids"]], [str(name) for name in data["val_ids"]])


def tineuvox_lists(capture: Capture) -> Lists:
    """TiNeuVox's reading of one camera's video."""
    ids = list(capture.time_of)
    return Lists("tineuvox", ids[::EVERY], ids[BETWEEN::EVERY])
