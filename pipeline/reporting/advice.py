"""What a person can do next for a better result: each piece of advice follows from something that this run measured."""

import shlex
from typing import Any

import numpy as np
import pandas as pd

from pipeline.formats.geometry_file import ROLLS, ZOOMS, Geometry, ObjectGeometry
from pipeline.formats.scene_file import Scene
from pipeline.reporting.facts import method_title
from pipeline.reporting.unexplained import unexplained_advice

DOUBTED_MASK = 0.6  # confidence below which a click is worth more than anything else
ROUGH_DB = 25.0
WAYS_TO_BOUND = "Film where that happens, or give the scene `depth: FOLDER`, depth maps, in config.yaml."
MOST_ADVICE = 5


def advice(
    name: str,
    geometry: Geometry,
    objects: dict[str, Any],
    metrics: pd.DataFrame,
    notes: dict[str, Any],
    scene: Scene,
) -> list[str]:
    """The most useful first; nothing where nothing was found wanting. `notes` are those of evaluation.json."""
    names = {entry.id: entry.name for entry in geometry.objects}
    found = [*camera_advice(geometry), *mask_advice(name, objects, scene)]
    found += unexplained_advice(name, notes["unexplained"], names)
    found += [*geometry_advice(geometry, objects), *scale_advice(notes["limits"], names), *training_advice(metrics)]
    return found[:MOST_ADVICE]


def camera_advice(geometry: Geometry) -> list[str]:
    """How to film, and what to tell of the camera."""
    found = []
    if geometry.camera != "moving":
        found.append(
            "Film again while walking sideways past the scene: without parallax the background's depth is a guess."
        )
    if geometry.intrinsics_source == "default":
        found.append("Give the scene its `intrinsics` in config.yaml: the focal length is a guess.")
    return found


def mask_advice(name: str, objects: dict[str, Any], scene: Scene) -> list[str]:
    """Where to click."""
    command = f"`python -m pipeline.pick_prompts {shlex.quote(name)}`"
    elsewhere = "Not in config.yaml? Give the video's path in place of the name."
    if not any(entry["id"] for entry in objects["objects"]):
        return [f"If something moves, click on it ({command}): no moving object was found. {elsewhere}"]
    found = []
    index_of = {int(entry["id"]): index for index, entry in enumerate(scene.objects)}
    for entry in objects["objects"]:
        if entry["id"] and is_doubted(entry):
            frame = clearest_frame(scene, index_of.get(int(entry["id"])))
            where = f" in frame {frame}" if frame is not None else ""
            found.append(
                f"Click on {entry['name']}{where} ({command}): its mask is doubtful, {entry['confidence']:.2f}. {elsewhere}"
            )
    return found


def is_doubted(entry: dict[str, Any]) -> bool:
    """Whether an object's mask is unsure; of a mask that was given nobody can say."""
    sure = entry.get("confidence")
    return sure is not None and sure < DOUBTED_MASK


def clearest_frame(scene: Scene, index: int | None) -> int | None:
    """The frame that shows most of an object; None of one that is not in the scene."""
    if index is None:
        return None
    areas = (scene.object_ids == index).sum((1, 2))
    return int(np.argmax(areas)) if areas.any() else None


def geometry_advice(geometry: Geometry, objects: dict[str, Any]) -> list[str]:
    """Of objects whose reconstruction is weak or failed although their masks are not what is doubted."""
    doubted = {entry["id"] for entry in objects["objects"] if is_doubted(entry)}
    bad = [entry for entry in geometry.objects if entry.verdict != "ok" and entry.id not in doubted]
    return [object_advice(entry) for entry in bad]


def object_advice(entry: ObjectGeometry) -> str:
    if entry.id == 0 and ZOOMS in entry.reason:
        return "Film without zooming, or give the scene a `start` and an `end` between which the video does not zoom."
    if entry.id == 0 and ROLLS in entry.reason:
        return "Film with a slower hand, a shorter readout (fewer lines, a higher frame rate) or a global shutter."
    if entry.id == 0:
        return f"Film more of the still background, sharply and from further apart: {entry.reason}."
    return f"Film {entry.name} larger, sharper or from more sides: {entry.reason}."


def scale_advice(limits: dict[str, list[dict[str, Any]]], names: dict[int, str]) -> list[str]:
    """Of scales that nothing in the film bounds on one side."""
    open_ends = [entry for listed in limits.values() for entry in listed if not entry["frames"]]
    found = []
    for above, side, missing in (
        (False, "below", "nothing passes between the camera and what moves"),
        (True, "above", "what moves passes before nothing that is near behind it"),
    ):
        things = [
            names.get(entry["object"], f"object {entry['object']}") for entry in open_ends if entry["above"] == above
        ]
        if things:
            verb = "scale of {} is" if len(things) == 1 else "scales of {} are"
            known = verb.format(" and ".join(dict.fromkeys(things)))
            found.append(f"The {known} not bounded from {side}: {missing}. {WAYS_TO_BOUND}")
    return found


def training_advice(metrics: pd.DataFrame) -> list[str]:
    """Longer training of the methods that show the video's own views roughly."""
    own = metrics[(metrics.stage == "render_views") & (metrics["item"] == "observed") & (metrics.metric == "psnr_db")]
    rough = own[own.value < ROUGH_DB].sort_values("value")
    return [
        f"Train {method_title(method)} longer (the next larger `preset` in config.yaml): it shows the video's own views at "
        f"{psnr:.1f} dB only."
        for method, psnr in zip(rough.method, rough.value, strict=True)
    ]
