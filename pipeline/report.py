"""One self-contained page that says what was made of a video, and how far it can be trusted.

Reads   frames/, frames.json, flow.h5, masks.h5, objects.json, geometry.json, scene.h5, training histories, renders,
        splats, metrics.csv, evaluation.json, records; inputs.json, which says what was given; truth.h5 if there is one,
        method.json of `method: auto`, depth/ where a network estimated it
Writes  report.html   no other file and no network are needed to read it
"""

import logging
from pathlib import Path
from typing import Any

from pipeline.cli import run_stage
from pipeline.config import ReportConfig
from pipeline.formats.frames_folder import read_frames, read_frames_info, read_json
from pipeline.formats.geometry_file import read_geometry
from pipeline.formats.masks_file import read_objects
from pipeline.formats.metrics_table import own_numbers, read_metrics
from pipeline.formats.scene_file import FLOW_FIELDS, read_scene
from pipeline.reporting.advice import advice
from pipeline.reporting.facts import choice_sentence, metric_groups, object_rows, tiles, trust, warnings
from pipeline.reporting.interactive import interactive_scene, why_no_scene
from pipeline.reporting.page import render_page
from pipeline.reporting.scales import limit_sentences
from pipeline.reporting.sections import (
    Facts,
    camera_section,
    flow_section,
    frame_rate_span,
    given_section,
    input_section,
    method_section,
    run_section,
    subtitle,
)
from pipeline.reporting.unexplained import unexplained_sentences
from pipeline.runtime.atomic import whole
from pipeline.runtime.record import read_record
from pipeline.truth.truth_file import read_truth

log = logging.getLogger(__name__)


def report(
    frames: Path,
    info: Path,
    flow: Path,
    masks: Path,
    objects: Path,
    geometry: Path,
    scene: Path,
    histories: list[Path],
    renders: list[Path],
    splats: list[Path],
    metrics: Path,
    notes: Path,
    records: list[Path],
    method: Path | None,
    inputs: Path | None,
    depth: Path | None,
    truth: Path | None,
    report: Path,
    config: ReportConfig,
) -> None:
    judged = read_metrics(metrics)
    facts = Facts(
        title=report.resolve().parent.name,
        info=read_frames_info(info),
        objects=read_objects(objects),
        metrics=own_numbers(judged),
        notes=read_json(notes),
        records=[read_record(path) for path in records],
        scene=read_scene(scene, without=FLOW_FIELDS),
        truth=read_truth(truth) if truth else None,
    )
    verdicts, images = read_geometry(geometry), read_frames(frames)
    names = {row["id"]: row["name"] for row in object_rows(facts.objects, verdicts)}
    shown, no_scene = first_scene(splats, facts, names)
    otherwise = unexplained_sentences(facts.notes["unexplained"], names)
    page = {
        "title": facts.title,
        "subtitle": subtitle(facts),
        "trust": trust(verdicts, facts.metrics, facts.truth is not None, otherwise),
        "choice": choice_sentence(read_json(method)) if method else "",
        "advice": advice(facts.title, verdicts, facts.objects, facts.metrics, facts.notes, facts.scene),
        "warnings": warnings(facts.records, facts.objects, verdicts),
        "tiles": tiles(facts.metrics, verdicts),
        "scene": shown,
        "no_scene": no_scene,
        "objects": object_rows(facts.objects, verdicts),
        "camera": camera_section(verdicts, facts.scene),
        "input": input_section(images, masks, facts.info, config.video_width),
        "flow": flow_section(images, flow, facts.info, config.video_width),
        "methods": [method_section(folder, histories, facts, names, config.video_width) for folder in renders],
        "metrics": metric_groups(judged, {str(identity): name for identity, name in names.items()}),
        "missing": facts.notes["missing"],
        "run": run_section(facts),
        "given": given_section(inputs, depth),
    }
    with whole(report) as partial:
        partial.write_text(render_page("template.html", page))
    log.info("%s, %.1f MB", report.name, report.stat().st_size / 1e6)


def first_scene(splats: list[Path], facts: Facts, names: dict[int, str]) -> tuple[dict[str, Any] | None, str]:
    """The interactive scene, of the first method that has splats; or why there is none."""
    if not splats:
        return None, "it is drawn from the objects' splats, which no method of this run leaves (OSN does)"
    folder = splats[0]
    obstacle = why_no_scene(folder, facts.scene)
    if obstacle:
        return None, obstacle
    shown = interactive_scene(folder, facts.scene, frame_rate_span(facts.info)[0])
    limits = facts.notes["limits"].get(folder.parent.name) or []
    return {**shown, "limits": limit_sentences(limits, names)}, ""


if __name__ == "__main__":
    run_stage(report)
