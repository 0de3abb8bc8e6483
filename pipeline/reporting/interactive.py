"""The interactive scene of the report: splats, poses and what judges scales, small enough to lie inside the page."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from markupsafe import Markup

from models.rendering import VALID_SCORE
from pipeline.formats.scene_file import Scene
from pipeline.formats.splat_file import Splats
from pipeline.formats.splats_folder import (
    Likeness,
    ScaleRecord,
    read_likeness,
    read_object_splats,
    read_scale_record,
)
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.reporting.embedding import image_uri
from pipeline.reporting.pictures import fitted, hex_colour

SCRIPTS = (
    "scale_score.js",
    "placement.js",
    "splat_order.js",
    "splat_raster.js",
    "splat_view.js",
    "scene_page.js",
    "scene_controls.js",
)
FOLDER = Path(__file__).parent / "viewer"
MOST_SPLATS = 90_000  # of all objects: 17 bytes each, of which base64 makes 23
FILM_FRAMES, FILM_WIDTH, FILM_QUALITY = 48, 320, 60
MOST_OBJECTS = 255  # a byte of each splat says whose it is


def why_no_scene(folder: Path, scene: Scene) -> str:
    """What keeps a method's splats from being shown; empty where nothing does."""
    if not read_object_splats(folder):
        return "no object left any splats"
    if not scene.visible[0].any():
        return "no frame has a known camera"
    if scene.object_count > MOST_OBJECTS:
        return f"it shows at most {MOST_OBJECTS} objects, and this scene has {scene.object_count}"
    return ""


def interactive_scene(folder: Path, scene: Scene, fps: float) -> dict[str, Any]:
    """What the template needs of one method's splats, which nothing keeps from being shown."""
    splats = read_object_splats(folder)
    likeness = read_likeness(folder)
    data = scene_data(scene, splats, read_scale_record(folder), fps)
    height, width = scene.size
    return {
        "moves": scene.object_count > 1,
        "width": width,
        "height": height,
        "splats": f"{sum(one['count'] for one in data['objects']):,}".replace(",", " "),
        "likeness": likeness_text(likeness),
        "data": Markup(json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")),
        "script": Markup("\n".join((FOLDER / name).read_text() for name in SCRIPTS)),
        "style": Markup((FOLDER / "scene.css").read_text()),
    }


def likeness_text(likeness: Likeness) -> str:
    return f"PSNR {likeness.field_db:.1f} dB to them, {likeness.frames_db:.1f} dB to the film's frames"


def scene_data(scene: Scene, splats: dict[int, Splats], record: ScaleRecord, fps: float) -> dict[str, Any]:
    """Everything that the page's script reads."""
    share = min(1.0, MOST_SPLATS / sum(len(one.places) for one in splats.values()))
    playable = np.flatnonzero(scene.visible[0]).tolist()
    objects = [
        {
            "name": str(entry["name"]),
            "colour": hex_colour(int(entry["id"])),
            **packed(splats.get(int(entry["id"])), share),
        }
        for entry in scene.objects
    ]
    depths = scene.observation_depth[scene.observation_object == 0]
    return {
        "objects": objects,
        "frames": scene.frame_count,
        "playable": playable,
        "start": playable[len(playable) // 2],
        "fps": round(fps, 3),
        "depth": float(np.median(depths)) if len(depths) else float(scene.depth_range[1]) / 2,
        "intrinsics": [*scene.intrinsics.tolist(), scene.size[1], scene.size[0]],
        "poses": text(scene.object_from_camera[:, :, :3].astype("<f4")),
        "visible": ["".join("01"[int(known)] for known in row) for row in scene.visible],
        "film": film(scene.images),
        "scales": scale_data(record),
    }


def packed(splats: Splats | None, share: float) -> dict[str, Any]:
    """An object's splats in 17 bytes each; the most opaque and largest share of them."""
    if splats is None:
        return {
            "count": 0,
            "places": "",
            "sizes": "",
            "turns": "",
            "colours": "",
            "reach": 1.0,
            "size_range": [0.0, 1.0],
        }
    weight = splats.opacities + splats.log_scales.sum(axis=1)
    kept = np.sort(np.argsort(-weight, kind="stable")[: max(1, round(share * len(weight)))])
    reach = float(np.median(np.abs(splats.places[kept]))) or 1.0
    low, high = (float(value) for value in np.percentile(splats.log_scales[kept], [0.1, 99.9]))
    opacity = 1 / (1 + np.exp(-splats.opacities[kept, None]))
    turns = splats.rotations[kept] / np.linalg.norm(splats.rotations[kept], axis=1, keepdims=True)
    return {
        "count": len(kept),
        "places": text(squeezed(splats.places[kept], reach)),
        "sizes": text(steps_of(splats.log_scales[kept], low, high)),
        "turns": text(np.round(127 * turns).astype(np.int8)),
        "colours": text(np.round(255 * np.concatenate([splats.rgb[kept], opacity], axis=1)).astype(np.uint8)),
        "reach": reach,
        "size_range": [low, high],
    }


def squeezed(places: Float[np.ndarray, "splat xyz=3"], reach: float) -> Int[np.ndarray, "splat xyz=3"]:
    """x / (reach + |x|) in steps of 1 / 32767: fine near the middle, and without an end."""
    return np.round(32767 * places / (reach + np.abs(places))).clip(-32766, 32766).astype("<i2")


def steps_of(values: Float[np.ndarray, "splat xyz=3"], low: float, high: float) -> UInt8[np.ndarray, "splat xyz=3"]:
    """Values between two bounds in 255 steps."""
    return np.round(255 * ((values - low) / max(high - low, 1e-9)).clip(0, 1)).astype(np.uint8)


def film(images: UInt8[np.ndarray, "frame height width rgb=3"]) -> list[str]:
    """The frames, small; of a long film some."""
    chosen = evenly_chosen(len(images), FILM_FRAMES)
    return [image_uri(fitted(images[t], min(FILM_WIDTH, images.shape[2])), FILM_QUALITY) for t in chosen]


def scale_data(record: ScaleRecord) -> dict[str, Any]:
    """The scale network, its samples and the rays that tell reasons."""
    layers = zip(record.weights, record.biases, strict=True)
    return {
        "range": record.scale_range.tolist(),
        "samples": record.samples.round(6).tolist(),
        "shift": record.shift,
        "least": VALID_SCORE,
        "layers": [{"weights": text(w.astype("<f4")), "biases": text(b.astype("<f4"))} for w, b in layers],
        "depth": text(record.depth.astype("<f4")),
        "seen": text(record.seen.astype(np.uint8)),
        "frames": text(record.frames.astype("<u2")),
        "share": record.share,
        "hiding": {
            "depth": text(record.hiding_depth.astype("<f4")),
            "seen": text(record.hiding_seen.astype(np.uint8)),
            "frames": text(record.hiding_frames.astype("<u2")),
            "counts": text(record.hiding_counts.astype("<u2")),
            "limit": record.hiding_limit,
        },
    }


def text(array: np.ndarray) -> str:
    """An array's bytes as base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
