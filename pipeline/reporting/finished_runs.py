"""Finished runs, read back to be compared: one of each scene and method, with its numbers, settings, times and pictures."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from pipeline.formats.frames_folder import read_frame, read_frames_info, read_json
from pipeline.formats.metrics_table import read_metrics
from pipeline.formats.renders_folder import Renders, RenderSet, read_renders
from pipeline.runtime.errors import StageError

Image = UInt8[np.ndarray, "height width rgb=3"]
JUDGING = {"observed_frames": "observed", "held_out_frames": "held-out", "held_out_samples": "scales"}
OF_A_METHOD = ("train_", "render_views_", "export_splats_")  # records that name their method


@dataclass(frozen=True)
class FinishedRun:
    """What became of one scene by one method; `footage` is the same for runs on the same frames judged by the same truth."""

    folder: Path
    method: str
    footage: str
    size: str
    metrics: pd.DataFrame
    records: Mapping[str, Mapping[str, Any]]  # of each stage that it went through, in the order of the graph

    @property
    def scene(self) -> str:
        return self.folder.name

    @property
    def name(self) -> str:
        return f"{self.scene}, {self.method}"

    @property
    def seconds(self) -> dict[str, float]:
        """What each stage took."""
        return {stage: float(record["seconds"]) for stage, record in self.records.items() if "seconds" in record}

    @property
    def judged_on(self) -> str:
        """How many views its numbers are of, and under how many scales: those of other choices are not comparable."""
        told = self.settings
        views = [(told.get(f"render_views.{key}"), word) for key, word in JUDGING.items()]
        return ", ".join(f"{count} {word}" for count, word in views if count is not None)

    @property
    def settings(self) -> dict[str, str]:
        """Every setting as STAGE.KEY, as JSON."""
        found: dict[str, str] = {}
        for stage, record in self.records.items():
            section = f"train_{self.method}" if stage.startswith("train_") else stage.removesuffix(f"_{self.method}")
            found |= {f"{section}.{key}": value for key, value in flat(record.get("options") or {})}
        return found


def flat(options: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, str]]:
    """Nested settings by their dotted names."""
    for key, value in options.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", json.dumps(value)


def read_runs(folder: Path) -> list[FinishedRun]:
    """The runs of a scene's folder, one a method."""
    if not (folder / "metrics.csv").exists():
        raise StageError(f"there is no {folder / 'metrics.csv'}")
    metrics = read_metrics(folder / "metrics.csv")
    info = read_frames_info(folder / "frames.json")
    methods = [method for method in metrics.method.unique() if method]
    records = {path.stem: read_json(path) for path in sorted((folder / "records").glob("*.json"), key=moment)}
    return [
        FinishedRun(
            folder,
            method,
            footage_of(folder, info),
            f"{len(info['frames'])} frames of {info['width']} × {info['height']}",
            metrics[metrics.method.isin(["", method])],
            {stage: record for stage, record in records.items() if is_of(stage, method, methods)},
        )
        for method in methods
    ]


def moment(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def is_of(stage: str, method: str, methods: list[str]) -> bool:
    """Whether a method's result depends on a stage: all but what other methods did."""
    other = [name for name in methods if name != method]
    return not any(stage == f"{verb}{name}" for verb in OF_A_METHOD for name in other)


def footage_of(folder: Path, info: Mapping[str, Any]) -> str:
    """A digest of the frames that were shown, and of the truth that judged them where the folder has it."""
    digest = hashlib.sha256()
    for frame in info["frames"]:
        digest.update((folder / "frames" / frame["file"]).read_bytes())
    for truth in (folder / "truth.h5", folder / "dataset" / "truth.h5"):
        if truth.exists():
            digest.update(truth.read_bytes())
    return digest.hexdigest()


def middle_frame(run: FinishedRun) -> Image:
    """The frame in the middle of the video."""
    frames = read_frames_info(run.folder / "frames.json")["frames"]
    return read_frame(run.folder / "frames" / frames[len(frames) // 2]["file"])


def middle_views(run: FinishedRun) -> dict[str, Image | None]:
    """Of the renders: the frame's own view, and a held-out one; None where there is none."""
    folder = run.folder / run.method / "renders"
    if not (folder / "renders.json").exists():
        return {"observed": None, "held_out": None}
    renders = read_renders(folder)
    count = len(read_frames_info(run.folder / "frames.json")["frames"])
    return {
        "observed": nearest_view(folder, renders.of_kind("observed"), count // 2),
        "held_out": nearest_view(folder, best_held_out(run, renders), count // 2),
    }


def best_held_out(run: FinishedRun, renders: Renders) -> list[RenderSet]:
    """The held-out views that were judged best."""
    name = read_json(run.folder / "evaluation.json")["best_held_out"].get(run.method)
    return [entry for entry in renders.of_kind("held_out") if entry.name == name]


def nearest_view(folder: Path, sets: list[RenderSet], frame: int) -> Image | None:
    """The view of a set that is nearest in time."""
    if not sets or not sets[0].frames:
        return None
    index = int(np.argmin(np.abs(np.array(sets[0].frames) - frame)))
    return read_frame(folder / (sets[0].images % index))
