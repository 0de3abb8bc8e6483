"""What the report says in words: whether to trust the result, what to be warned of, what each object came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pandas as pd

from pipeline.formats.geometry_file import Geometry, ObjectGeometry
from pipeline.formats.metrics_table import MEANINGS, OWN_PROTOCOL
from pipeline.reporting.pictures import hex_colour

Level = Literal["good", "caution", "bad"]
CAMERA_WORDS = {
    "moving": "The camera moves, so the background's depth can be told from parallax.",
    "rotating": "The camera only turns on the spot: there is no parallax, so the background's depth cannot be told.",
    "static": "The camera does not move: there is no parallax, so the background's depth cannot be told.",
}
SOURCE_WORDS = {
    "given": "given",
    "metadata": "from the file's metadata",
    "self_calibrated": "estimated from the video",
    "default": "a guess, as nothing in the video tells it",
}
STAGE_TITLES = {
    "simulate_scene": "Simulation",
    "import_dataset": "Data set",
    "extract_frames": "Frames",
    "check_inputs": "What was given",
    "estimate_flow": "Flow",
    "estimate_depth": "Depth",
    "segment_objects": "Masks",
    "track_points": "Tracks",
    "reconstruct_objects": "Geometry",
    "refine_masks": "Second pass of masks",
    "choose_method": "Method",
    "pack_scene": "Scene file",
    "train_osn": "Scales (OSN)",
    "train_semantic_flow": "Semantics",
    "train_baseline": "Baseline",
    "render_views": "Rendering",
    "export_splats": "Splats",
    "evaluate": "Evaluation",
}
METHOD_TITLES = {
    "osn": "OSN",
    "semantic_flow": "Semantic Flow",
    "hexplane": "HexPlane",
    "tineuvox": "TiNeuVox",
    "nsff": "NSFF",
    "dynnerf": "DynNeRF",
    "total_recon": "Total-Recon",
}
COST = ("seconds", "peak_memory_mb")


class Warned(NamedTuple):
    """A warning and the stage it came from."""

    source: str
    text: str


class Tile(NamedTuple):
    """One number that sums something up."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class Trust:
    """Whether the result can be trusted, in a word, a headline and a few sentences."""

    level: Level
    headline: str
    sentences: list[str]


def trust(geometry: Geometry, metrics: pd.DataFrame, has_truth: bool, unexplained: Sequence[str] = ()) -> Trust:
    """The one-paragraph verdict; `unexplained`: sentences on where the trained scene shows something else than the video."""
    background = [entry for entry in geometry.objects if entry.id == 0]
    moving = [entry for entry in geometry.objects if entry.id != 0]
    doubtful = [entry for entry in geometry.objects if entry.verdict != "ok"]
    doubts = [
        f"{entry.name.capitalize()} ({entry.verdict}): {entry.reason}." for entry in background if entry in doubtful
    ]
    likeness = likeness_sentences(metrics, has_truth)
    known = ["The truth is known of this video; no stage saw it before it judged their results."] if has_truth else []
    sentences = [CAMERA_WORDS[geometry.camera], objects_sentence(moving), *doubts, *unexplained, *likeness, *known]
    no_parallax = geometry.camera != "moving"
    if no_parallax or not background or background[0].verdict == "failed":
        headline = "No parallax: depth is a guess" if no_parallax else "The background could not be reconstructed"
        return Trust("bad", headline, sentences)
    if doubtful:
        names = ", ".join(f"{entry.name} ({entry.verdict})" for entry in doubtful)
        return Trust("caution", f"Usable with care: {names}", sentences)
    if unexplained:
        return Trust("caution", "Usable with care: parts of the video are shown otherwise", sentences)
    return Trust("good", "Every part was reconstructed", sentences)


def lens_sentence(geometry: Geometry) -> str:
    """Whether the lens bends straight lines, as far as the tracks tell; empty where nobody asked them."""
    if geometry.radial is None:
        return ""
    told = f"k1 = {geometry.radial.k1:.3f} ± {geometry.radial.k1_std:.3f}"
    if geometry.lens is None:
        return (
            f"The lens is taken for a pinhole: its radial term, {told}, is not beyond doubt or moves no pixel visibly."
        )
    return (
        f"The lens bends straight lines, by {geometry.radial.corner_px:.1f} pixels at the corners ({told}). That is undone in the "
        "scene and its renders; masks and flow show the frames as they were filmed."
    )


def method_title(method: str) -> str:
    """What a method is called for people; one that has no title is called by its name."""
    return METHOD_TITLES.get(method, method)


def choice_sentence(choice: Mapping[str, Any]) -> str:
    """Which methods `method: auto` took, and why."""
    names = " and ".join(method_title(method) for method in choice["methods"])
    return f"{names} by `method: auto`: {choice['reason']}."


def objects_sentence(moving: list[ObjectGeometry]) -> str:
    """What moves."""
    if not moving:
        return "Nothing moves, as far as could be told: there is a still background only, with whatever did move blurred into it."
    sound = sum(entry.verdict == "ok" for entry in moving)
    noun = "moving object was" if len(moving) == 1 else "moving objects were"
    return f"{len(moving)} {noun} found, {sound} of them with a sound reconstruction."


def likeness_sentences(metrics: pd.DataFrame, has_truth: bool) -> list[str]:
    """How good the pictures are, from seen and unseen views, for every method."""
    rendering = metrics[(metrics.stage == "render_views") & (metrics.metric == "psnr_db")]
    sentences = []
    for method, rows in rendering.groupby("method"):
        name = method_title(str(method))
        values = {row["item"]: float(row["value"]) for row in rows.to_dict("records")}
        if "held_out" in values:
            value = values["held_out"]
            where = f", {samples_words(values['samples'])}" if "samples" in values else ""
            sentences.append(f"{name} shows views held out from it at {value:.1f} dB ({likeness_word(value)}){where}.")
        elif "observed" in values:
            value = values["observed"]
            unseen = (
                "no held-out view could be judged"
                if has_truth
                else "there is no truth, so unseen views were not judged"
            )
            sentences.append(
                f"{name} shows the video's own views at {value:.1f} dB ({likeness_word(value)}); {unseen}."
            )
    return sentences


def samples_words(psnr_db: float) -> str:
    """That the number before is of one valid scene of many."""
    return f"in the valid scene nearest to the truth; its valid scenes on the mean, {psnr_db:.1f} dB: the video fits them all alike"


def likeness_word(psnr_db: float) -> str:
    """A PSNR in a word, of the number as it is printed."""
    psnr_db = round(psnr_db, 1)
    bounds = ((30, "very good"), (25, "good"), (20, "rough"))
    return next((word for bound, word in bounds if psnr_db >= bound), "poor")


def warnings(records: list[dict[str, Any]], objects: dict[str, Any], geometry: Geometry) -> list[Warned]:
    """All that a user must know before believing anything, without repetition."""
    found = [Warned("Geometry", CAMERA_WORDS[geometry.camera])] if geometry.camera != "moving" else []
    if not any(entry.id for entry in geometry.objects) and not objects.get("warnings"):
        found.append(
            Warned("Masks", "Nothing moves in this video, as far as could be told: there is no moving object.")
        )
    if geometry.intrinsics_source == "default":
        found.append(
            Warned("Geometry", f"The focal length is {SOURCE_WORDS['default']}; give `intrinsics` if you know it.")
        )
    found += [Warned("Geometry", entry.doubt) for entry in geometry.objects if entry.verdict != "ok"]
    found += [Warned("Masks", text) for text in objects.get("warnings", [])]
    for record in records:
        title = STAGE_TITLES.get(record["stage"], record["stage"])
        found += [Warned(title, text) for text in record["warnings"]]
    return list(dict.fromkeys(found))


def tiles(metrics: pd.DataFrame, geometry: Geometry) -> list[Tile]:
    """The few numbers that come first."""
    wanted = [
        ("render_views", "held_out", "psnr_db", "Held-out views", "{:.1f} dB", "likeness of unseen views, PSNR"),
        ("render_views", "observed", "psnr_db", "Observed views", "{:.1f} dB", "likeness of the video's views, PSNR"),
        ("train_osn", "all", "valid_fraction", "Valid scales", "{:.0%}", "of the scales' range explain the video"),
        ("segment_objects", "all", "miou", "Masks", "{:.2f}", "overlap with the true masks, IoU"),
        ("estimate_flow", "all", "epe_px", "Flow", "{:.2f} px", "mean error"),
        ("reconstruct_objects", "0", "trajectory_error_percent", "Camera path", "{:.1f} %", "error after alignment"),
    ]
    found = []
    for stage, item, metric, label, form, note in wanted:
        rows = metrics[(metrics.stage == stage) & (metrics["item"] == item) & (metrics.metric == metric)]
        for row in rows.to_dict("records"):
            method = method_title(row["method"])
            found.append(
                Tile(f"{label} ({method})" if len(rows) > 1 and method else label, form.format(row["value"]), note)
            )
    sound = sum(entry.verdict == "ok" for entry in geometry.objects)
    found.append(Tile("Reconstructions", f"{sound} of {len(geometry.objects)}", "sound, the background among them"))
    return found


def object_rows(objects: dict[str, Any], geometry: Geometry) -> list[dict[str, Any]]:
    """All that is known of each object, masks and geometry together."""
    found = {entry["id"]: entry for entry in objects["objects"]}
    judged = {entry.id: entry for entry in geometry.objects}
    rows = []
    for identity in sorted(found | judged):
        mask, entry = found.get(identity, {}), judged.get(identity)
        rows.append(
            {
                "id": identity,
                "name": entry.name if entry else mask.get("name", f"object {identity}"),
                "colour": hex_colour(identity),
                "verdict": entry.verdict if entry else "failed",
                "reason": entry.reason if entry else "it was not reconstructed",
                "method": entry.method if entry else "",
                "numbers": readable(entry.numbers) if entry else {},
                "evidence": readable(mask.get("evidence") or {}),
                "confidence": mask.get("confidence"),
            }
        )
    return rows


def readable(numbers: Any) -> dict[str, str]:
    """Names and values as a person writes them."""
    pairs = numbers.items() if isinstance(numbers, dict) else [("evidence", numbers)]
    return {str(name).replace("_", " "): number_text(value) for name, value in pairs}


def number_text(value: Any) -> str:
    """A value in as few digits as it needs."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    if isinstance(value, list):
        return ", ".join(number_text(entry) for entry in value)
    return str(value)


def metric_groups(metrics: pd.DataFrame, names: dict[str, str]) -> list[dict[str, Any]]:
    """Numbers by stage, method and protocol, without time and memory: a row for each kind, a column for each item."""
    shown = metrics[~metrics.metric.isin(COST)]
    groups = []
    for (stage, method, protocol), rows in shown.groupby(["stage", "method", "protocol"], sort=False):
        title = STAGE_TITLES.get(str(stage), str(stage))
        title += f", {method_title(str(method))}" if stage == "render_views" else ""
        title += f", by the protocol {protocol}" if protocol != OWN_PROTOCOL else ""
        items = sorted(rows["item"].unique(), key=lambda item: (item == "all", item.startswith("held_out_")))
        lines = [metric_line(str(metric), of_kind, items) for metric, of_kind in rows.groupby("metric", sort=False)]
        columns = [names.get(item, item.replace("_", " ")) for item in items]
        groups.append({"title": title, "columns": columns, "rows": lines})
    return groups


def metric_line(metric: str, rows: pd.DataFrame, items: list[str]) -> dict[str, Any]:
    """One line of the table of metrics; items without this number stay empty."""
    meaning = MEANINGS[metric]
    values = dict(zip(rows["item"], rows["value"], strict=True))
    better = meaning.higher_is_better
    return {
        "metric": metric,
        "values": [number_text(float(values[item])) if item in values else "" for item in items],
        "unit": meaning.unit,
        "direction": "" if better is None else "↑" if better else "↓",
        "meaning": meaning.sentence,
    }
