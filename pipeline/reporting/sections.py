"""The report's sections, each the values that the template puts into words and pictures."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from markupsafe import Markup

from pipeline.formats.flow_file import read_flow_attributes
from pipeline.formats.frames_folder import read_json
from pipeline.formats.geometry_file import Geometry
from pipeline.formats.masks_file import read_masks
from pipeline.formats.renders_folder import Renders, read_renders
from pipeline.formats.scene_file import Scene
from pipeline.formats.training_history import read_history
from pipeline.reporting.facts import (
    CAMERA_WORDS,
    SOURCE_WORDS,
    STAGE_TITLES,
    lens_sentence,
    method_title,
    number_text,
)
from pipeline.reporting.figures import cost_figure, geometry_figure, training_figure, validity_figure
from pipeline.reporting.geometry_figures import fit_figure, focal_figure
from pipeline.reporting.lens_figure import calibrated_lens_figure, lens_figure
from pipeline.reporting.scales import comparison_rows, limit_rows
from pipeline.reporting.semantics import overlap_figure, semantic_rows
from pipeline.reporting.videos import (
    edited_video,
    flow_video,
    flow_wheel,
    held_out_video,
    masks_sheet,
    masks_video,
    observed_video,
    path_video,
    valid_scenes,
)
from pipeline.runtime.errors import StageError
from pipeline.runtime.record import commit
from pipeline.runtime.status_words import span
from pipeline.truth.truth_file import Truth

SHEET_WIDTH = 300
Images = UInt8[np.ndarray, "frame height width rgb=3"]


@dataclass(frozen=True)
class Facts:
    """What several sections draw on."""

    title: str
    info: dict[str, Any]
    objects: dict[str, Any]
    metrics: pd.DataFrame
    notes: dict[str, Any]
    records: list[dict[str, Any]]
    scene: Scene
    truth: Truth | None


def subtitle(facts: Facts) -> str:
    """Size and length in one line."""
    count = len(facts.info["frames"])
    seconds = frame_rate_span(facts.info)[1]
    length = f" over {seconds:.1f} s" if seconds > 0 else ""
    return f"{count} frames of {facts.info['width']} × {facts.info['height']} pixels{length}"


def frame_rate_span(info: dict[str, Any]) -> tuple[float, float]:
    """Frames a second and seconds of the extracted frames."""
    times = [frame["time_s"] for frame in info["frames"]]
    seconds = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    return (float(np.clip((len(times) - 1) / seconds, 1, 60)) if seconds > 0 else 10.0), seconds


def input_section(images: Images, masks: Path, info: dict[str, Any], width: int) -> dict[str, Any]:
    """The input beside the masks, and the sheet."""
    ids = read_masks(masks)
    if ids.shape != images.shape[:3]:
        raise StageError(f"{masks} has shape {ids.shape}, the frames {images.shape[:3]}; run segment_objects again")
    return {
        "video": masks_video(images, ids, frame_rate_span(info)[0], width),
        "sheet": masks_sheet(images, ids, SHEET_WIDTH),
        "source": {name: number_text(value) for name, value in (info.get("source") or {}).items() if value is not None},
        "dropped": len(info.get("dropped") or []),
        "lens": Markup(lens_figure(info, images[0])),
    }


def flow_section(images: Images, flow: Path, info: dict[str, Any], width: int) -> dict[str, Any]:
    """Flow as colours, with the backend that made it."""
    video, largest, consistent = flow_video(images, flow, frame_rate_span(info)[0], width)
    attributes = {name: plain(value) for name, value in read_flow_attributes(flow).items()}
    return {
        "video": video,
        "wheel": flow_wheel(),
        "largest": f"{largest:.1f}",
        "consistent": f"{100 * consistent:.0f}",
        "backend": str(attributes.get("model") or attributes.get("backend", "")),
    }


def camera_section(geometry: Geometry, scene: Scene) -> dict[str, Any]:
    """Intrinsics in words, and the picture of points and cameras."""
    fx, _, cx, cy = geometry.intrinsics
    spread = geometry.focal_std_px
    return {
        "words": CAMERA_WORDS[geometry.camera],
        "focal": f"{fx:.1f}" + (f" ± {spread:.1f}" if spread else ""),
        "angle": f"{2 * np.degrees(np.arctan(scene.camera.width / 2 / fx)):.0f}",
        "centre": f"({cx:.1f}, {cy:.1f})",
        "source": SOURCE_WORDS[geometry.intrinsics_source],
        "figure": Markup(geometry_figure(scene)),
        "fit": Markup(fit_figure(geometry)),
        "focal_figure": Markup(focal_figure(geometry)),
        "lens": lens_sentence(geometry),
        "lens_figure": Markup(calibrated_lens_figure(geometry, scene.images[0])),
    }


def method_section(
    folder: Path, histories: list[Path], facts: Facts, names: dict[int, str], width: int
) -> dict[str, Any]:
    """Training and renders of one method."""
    listed = read_renders(folder)
    slices = facts.notes["validity"].get(listed.method) or []
    limits = facts.notes["limits"].get(listed.method) or []
    history = [path for path in histories if path.parent.name == listed.method]
    panel = max(width * 2 // 3, 64)
    return {
        "name": listed.method,
        "title": method_title(listed.method),
        "training": Markup(training_figure(read_history(history[0]))) if history else "",
        "observed": [observed_video(folder, entry, facts.scene.images, panel) for entry in listed.of_kind("observed")],
        "held_out": held_out_section(folder, listed, facts, panel),
        "edits": [edited_video(folder, entry, facts.scene.images, panel) for entry in listed.of_kind("edit")],
        "path": [path_video(folder, entry, panel) for entry in listed.of_kind("path")],
        "scenes": valid_scenes(folder, listed, names, panel),
        "valid_scales": listed.valid_scales,
        "validity": Markup(validity_figure(slices, limits, names)) if slices else "",
        "limits": limit_rows(limits, names),
        "classes": semantic_rows(facts.metrics, listed.method),
        "overlap": Markup(overlap_figure(facts.notes.get("semantics", {}).get(listed.method) or {})),
        "remarks": listed.remarks,
        "comparison": comparison_rows(facts.metrics, listed.method),
        "validity_has_truth": any(entry["true"] is not None for entry in slices),
    }


def held_out_section(folder: Path, listed: Renders, facts: Facts, width: int) -> list[Any]:
    """The best candidate's held-out views beside truth."""
    best = facts.notes["best_held_out"].get(listed.method)
    entries = [entry for entry in listed.of_kind("held_out") if entry.name == best]
    return [held_out_video(folder, entry, facts.truth, width) for entry in entries] if facts.truth else []


def run_section(facts: Facts) -> dict[str, Any]:
    """What ran: time, memory, versions, settings."""
    records = facts.records
    stages = [STAGE_TITLES.get(record["stage"], record["stage"]) for record in records]
    versions = {name: text for record in records for name, text in record["versions"].items()}
    return {
        "cost": Markup(cost_figure(stages, [r["seconds"] for r in records], [r["peak_memory_mb"] for r in records]))
        if records
        else "",
        "seconds": f"{sum(record['seconds'] for record in records):.0f}",
        "times": [time_row(stage, record) for stage, record in zip(stages, records, strict=True)],
        "versions": versions,
        "devices": sorted({record["device"] for record in records}),
        "commit": commit(),
        "settings": [(r["stage"], json.dumps(r["options"], indent=1)) for r in records if r["options"]],
        "masks_backend": facts.objects.get("backend", ""),
    }


def given_section(inputs: Path | None, depth: Path | None) -> dict[str, str]:
    """What a person gave and how it was understood, and the network that estimated depth where one did."""
    understood: dict[str, str] = read_json(inputs) if inputs else {}
    if depth is not None:
        note = read_json(depth / "alignment.json")
        used = f"{sum(note['used'])} of {len(note['used'])} frames fit the sparse points"
        understood = understood | {"depth": f"estimated by {note['model']}, which tells {note['tells']}; {used}"}
    return understood


def time_row(stage: str, record: dict[str, Any]) -> dict[str, str]:
    """When a stage began, how long it took, and how long it was expected to; of older records not all is known."""
    began, expected = record.get("started"), record.get("expected_seconds")
    return {
        "stage": stage,
        "began": datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if began else "",
        "took": span(record["seconds"]),
        "expected": f"about {span(expected)}" if expected else "",
    }


def plain(value: Any) -> Any:
    """An HDF5 attribute as a Python value."""
    return value.item() if isinstance(value, np.generic) else value
