"""Masks in the forms that other tools and people take: id images, COLMAP masks, a video to look at, a table.

Reads   frames/, frames.json, masks.h5, objects.json
Writes  masks/
          ids/000000.png              ids as a palette image: 0 background, 255 ignore; a scene's `masks:` takes them
          colmap/{id}/000000.png.png  white on the object, black elsewhere: COLMAP's `ImageReader.mask_path`
          overlay.mp4                 the video with every object tinted in its colour
          objects.csv                 id, name, confidence, colour, frames seen in, mean share of the image
"""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.cli import run_stage
from pipeline.formats.frames_folder import frame_paths, read_frame, read_frames_info, write_image
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.formats.video_file import write_video
from pipeline.reporting.pictures import hex_colour, object_colour, overlay
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress

log = logging.getLogger("pipeline.export_masks")
STILL_FPS = 10.0  # where the frames have no times of their own


def export_masks(frames: Path, info: Path, masks: Path, objects: Path, export: Path) -> None:
    object_ids = read_masks(masks)
    paths = frame_paths(frames)
    check_count(len(paths), len(object_ids))
    rows = object_rows(object_ids, read_objects(objects)["objects"])
    with whole(export) as partial:
        for index, path in enumerate(progress(paths, "masks written", unit="frames")):
            write_ids(partial / "ids" / path.name, object_ids[index])
            for row in rows:
                write_colmap_mask(partial / "colmap" / str(row["id"]), path.name, object_ids[index] == row["id"])
        write_video(partial / "overlay.mp4", overlays(paths, object_ids), frame_rate(read_frames_info(info)))
        write_rows(partial / "objects.csv", rows)
    log.info("masks of %d objects in %d frames are in %s", len(rows) - 1, len(paths), export)


def check_count(frames: int, masks: int) -> None:
    """Both come from one run of the pipeline."""
    if frames != masks:
        raise StageError(f"there are {frames} frames but masks for {masks}; run segment_objects again")


def object_rows(
    object_ids: UInt8[np.ndarray, "frame height width"], objects: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What the table says of each object, the background first."""
    known = {entry["id"]: entry for entry in objects}
    counts = np.stack([np.bincount(ids.ravel(), minlength=256) for ids in object_ids])
    present = set(np.flatnonzero(counts.sum(0)).tolist()) - {IGNORE_ID}
    rows = []
    for identity in sorted({BACKGROUND_ID, *known, *present}):
        entry = known.get(identity, {})
        seen = np.flatnonzero(counts[:, identity])
        share = 100 * counts[:, identity].mean() / object_ids[0].size
        rows.append(
            {
                "id": identity,
                "name": entry.get("name") or f"object {identity}",
                "confidence": entry.get("confidence"),
                "colour": hex_colour(identity),
                "frames": len(seen),
                "first_frame": int(seen[0]) if len(seen) else None,
                "last_frame": int(seen[-1]) if len(seen) else None,
                "mean_area_percent": round(float(share), 3),
            }
        )
    return rows


def write_ids(path: Path, ids: UInt8[np.ndarray, "height width"]) -> None:
    """One frame's ids as a palette image: viewers show colours, readers of the palette's indices get the ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = ids.shape
    image = Image.frombytes("P", (width, height), np.ascontiguousarray(ids).tobytes())
    image.putpalette(palette().tobytes())
    image.save(path, optimize=False)


def palette() -> UInt8[np.ndarray, "object rgb=3"]:
    """A colour for every id, no two alike: background black, ignore grey, the objects' own, darker each round."""
    rounds = 0.93 ** ((np.arange(256) - 1) // 8)
    colours = np.stack([object_colour(identity) for identity in range(256)]) * rounds[:, None]
    colours[BACKGROUND_ID], colours[IGNORE_ID] = 0, 128
    return np.rint(colours).astype(np.uint8)


def write_colmap_mask(folder: Path, name: str, used: Bool[np.ndarray, "height width"]) -> None:
    """COLMAP looks for the mask of 000000.png in 000000.png.png, and takes no features where it is black."""
    write_image(folder / f"{name}.png", np.where(used, 255, 0).astype(np.uint8))


def overlays(
    paths: Sequence[Path], object_ids: UInt8[np.ndarray, "frame height width"]
) -> Iterator[UInt8[np.ndarray, "height width rgb=3"]]:
    """The frames of the video, one at a time."""
    for path, ids in zip(paths, object_ids, strict=True):
        image = read_frame(path)
        if image.shape[:2] != ids.shape:
            raise StageError(f"{path} is {image.shape[:2]} pixels, its mask {ids.shape}; run segment_objects again")
        yield overlay(image, ids)


def frame_rate(info: Mapping[str, Any]) -> float:
    """Frames a second at which the video plays as long as it was filmed."""
    times = [frame["time_s"] for frame in info["frames"]]
    seconds = times[-1] - times[0] if len(times) > 1 else 0.0
    return (len(times) - 1) / seconds if seconds > 0 else STILL_FPS


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The table as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    run_stage(export_masks)
