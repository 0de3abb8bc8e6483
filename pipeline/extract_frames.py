"""The frames of a video that are worth working on: reduced, thinned to the sharpest of each interval, upright.

Reads   video        a file that FFmpeg opens, or a folder of images (pipeline/formats/video_source.py says how they are read)
        poses        (optional) poses that a person gives: the lens that they tell is undistorted
Writes  frames/      PNG images 000000.png, ...
        frames.json  where each came from, what was dropped and why, the focal length if the metadata knows it, the
                     lens and the pinhole that it became, shots, the part inside borders
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from pipeline.cli import run_stage
from pipeline.config import ExtractFramesConfig
from pipeline.footage.holes import mark_holes
from pipeline.footage.overlays import doubtful_in_words, find_overlays
from pipeline.footage.overlays import in_words as overlays_in_words
from pipeline.footage.shown_part import OUT_OF_SHOT, SHOWS_NOTHING, Footage, judge_footage, until
from pipeline.formats.frames_folder import FrameFiles, frame_name, write_image
from pipeline.formats.lens import Lens, Undistortion, undistortion
from pipeline.formats.source_view import SourceShape, SourceView
from pipeline.formats.video_source import DIAGONAL_35MM, Source, open_source
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.sfm.imported_poses import lens_of_poses

log = logging.getLogger("pipeline.extract_frames")
MOST_LISTED = 1000  # dropped frames that frames.json names one by one; the counts by reason are always complete
BLURRED = "a sharper frame of its interval was taken"
REPEATED = "repeats the frame before"
OUTSIDE = "outside start and end"
OTHER_SHOT = "of another shot"
BLANK = "black, or of one colour: it shows nothing"
LEFT_OUT = {-1: OUTSIDE, OUT_OF_SHOT: OTHER_SHOT, SHOWS_NOTHING: BLANK}
CHOICES = (BLURRED, REPEATED, OUTSIDE, OTHER_SHOT)  # dropped on purpose: not worth a warning
STILL = 0.8  # share of repeated frames above which a video hardly moves; 12 frames a second shown at 30 have 0.6
FEW = 3  # unreadable images that are called by name


@dataclass(frozen=True)
class Candidate:
    """A frame at its final size."""

    interval: int
    index: int
    time_s: float
    image: UInt8[np.ndarray, "height width rgb=3"]
    sharpness: float


@dataclass
class Ledger:
    """What came of every frame: rows of those taken; for the others counts of the reasons, and the first by name."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    dropped: list[dict[str, Any]] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)

    def drop(self, index: int, time_s: float, reason: str) -> None:
        self.counts[reason] += 1
        if len(self.dropped) < MOST_LISTED:
            self.dropped.append({"source_index": index, "time_s": round(time_s, 6), "reason": reason})


def extract_frames(video: Path, poses: Path | None, frames: Path, info: Path, config: ExtractFramesConfig) -> None:
    """Choose, crop, undistort, reduce and write frames of one shot, and say what came of the others."""
    source = open_source(video)
    intervals = choose_intervals(np.array(source.times_s), config)
    footage = judge_footage(video, source, intervals, config)
    lens = given_lens(poses, footage.shape)
    view = undistortion(lens) if lens is not None else None
    with whole(frames) as folder, whole(info) as info_file:
        ledger = take_different_frames(source, footage, folder, config.max_size, view)
        check_taken(video, source, ledger)
        facts = frames_info(video, source, ledger, footage) | lens_facts(lens, view, ledger)
        if config.find_overlays:
            facts |= overlay_facts(folder, ledger)
        facts |= hole_facts(video, source, ledger, folder, SourceView(footage.shape, view))
        info_file.write_text(json.dumps(facts, indent=1))
    report_ledger(video, source, ledger)


def report_ledger(video: Path, source: Source, ledger: Ledger) -> None:
    """A warning for each thing that went wrong, and how many frames were taken."""
    faults = [
        f"{count} frame(s) of {video.name}: {why}{which(source, ledger, why)}"
        for why, count in ledger.counts.items()
        if why not in CHOICES
    ]
    repeated = ledger.counts[REPEATED] / max(ledger.counts[REPEATED] + len(ledger.taken), 1)
    if repeated > STILL:
        faults.append(
            f"{100 * repeated:.0f} % of the frames of {video.name} repeat the one before, {len(ledger.taken)} are left: is it "
            "a still picture, or a slide show?"
        )
    for warning in [*source.warnings, *faults]:
        log.warning("%s", warning)
    height, width = ledger.size
    log.info("%d of %d frames taken at %dx%d", len(ledger.taken), len(source.times_s), width, height)


def which(source: Source, ledger: Ledger, why: str) -> str:
    """The first images of a folder that were dropped for a reason, by name; nothing for a video."""
    names = source.facts.get("names", [])
    found = [names[row["source_index"]] for row in ledger.dropped if row["reason"] == why] if names else []
    return f" ({', '.join(found[:FEW])}{', ...' if len(found) > FEW else ''})" if found else ""


def given_lens(poses: Path | None, shape: SourceShape) -> Lens | None:
    """The lens that given poses tell, for what the frames show of the video; None where it is a pinhole, or not told."""
    if poses is None or not all(shape.size):
        return None
    lens = lens_of_poses(poses, shape)
    if lens is None or not lens.distorted:
        return None
    log.info("undistorting a %s lens, which moves image points by up to %.0f px", lens.model, lens.displacement_px)
    return lens


def lens_facts(lens: Lens | None, view: Undistortion | None, ledger: Ledger) -> dict[str, Any]:
    """What frames.json says of a lens that was undistorted: the lens, and (fx, fy, cx, cy) of the pinhole that it became."""
    if lens is None or view is None:
        return {}
    return {"lens": lens.values, "camera": view.camera.resized(*ledger.size).values.tolist()}


def choose_intervals(times_s: Float[np.ndarray, "frame"], config: ExtractFramesConfig) -> Int[np.ndarray, "frame"]:
    """The interval that each frame competes in, -1 outside start..end; frames of a repeated time stamp share theirs.

    Intervals are as long as `fps` asks, or one a frame; if that makes more than `max_frames`, as many equal parts.
    """
    start, end = config.start or 0.0, config.end if config.end is not None else np.inf
    inside = (times_s >= start) & (times_s < end)
    if not inside.any():
        asked = f"{start:g} s to {'the end' if np.isinf(end) else f'{end:g} s'}"
        raise StageError(f"the video lasts {times_s.max():.2f} s and has no frame from {asked}; change start and end")
    since = times_s[inside] - times_s[inside][0]
    # A hair added, as 3 * (1 / 3) may fall short of 1.
    place = np.floor(since * config.fps + 1e-6) if config.fps else since
    _, number = np.unique(place, return_inverse=True)
    if number.max() >= config.max_frames:
        number = number * config.max_frames // (number.max() + 1)
    intervals = np.full(len(times_s), -1)
    intervals[inside] = number
    return intervals


def take_different_frames(
    source: Source, footage: Footage, folder: Path, max_size: int, view: Undistortion | None
) -> Ledger:
    """Frames without repetitions, unless hardly anything else is in the video: a still picture is one, too."""
    folder.mkdir()
    ledger = take_frames(source, footage, folder, max_size, view, drop_repeats=True)
    if len(ledger.taken) < 2 and ledger.counts[REPEATED]:
        ledger = take_frames(source, footage, folder, max_size, view, drop_repeats=False)
    return ledger


def take_frames(
    source: Source,
    footage: Footage,
    folder: Path,
    max_size: int,
    view: Undistortion | None,
    drop_repeats: bool,
) -> Ledger:
    """Write the sharpest frame of every interval, never holding more than two."""
    ledger = Ledger()
    best: Candidate | None = None
    for candidate in candidates(source, footage, max_size, ledger, view, drop_repeats):
        if best is not None and candidate.interval == best.interval:
            worse, best = sorted((best, candidate), key=lambda one: one.sharpness)
            ledger.drop(worse.index, worse.time_s, BLURRED)
            continue
        if best is not None:
            ledger.taken.append(write_candidate(folder, len(ledger.taken), best))
        best = candidate
    if best is not None:
        ledger.taken.append(write_candidate(folder, len(ledger.taken), best))
    return ledger


def candidates(
    source: Source,
    footage: Footage,
    max_size: int,
    ledger: Ledger,
    view: Undistortion | None,
    drop_repeats: bool,
) -> Iterator[Candidate]:
    """Decoded frames that may be taken; the ledger learns of the others, also of those that never came."""
    before: np.ndarray | None = None
    intervals, shown = footage.intervals, SourceView(footage.shape, view)
    last = int(np.flatnonzero(intervals >= 0).max())
    came = np.zeros(len(intervals), bool)
    for frame in progress(until(source.read(), last), "decoding", total=last + 1, unit="frames"):
        came[frame.index] = True
        if frame.image is None or intervals[frame.index] < 0:
            ledger.drop(frame.index, frame.time_s, frame.fault or LEFT_OUT[int(intervals[frame.index])])
            continue
        image = fitted(shown.apply(frame.image), max_size, ledger)
        if drop_repeats and before is not None and np.array_equal(image, before):
            ledger.drop(frame.index, frame.time_s, REPEATED)
            continue
        before = image
        yield Candidate(int(intervals[frame.index]), frame.index, frame.time_s, image, sharpness(image))
    for index in np.flatnonzero(~came & (intervals < -1)):
        ledger.drop(int(index), source.times_s[index], LEFT_OUT[int(intervals[index])])
    for index in np.flatnonzero(~came & (intervals >= 0)):
        ledger.drop(int(index), source.times_s[index], "cannot be decoded")


def fitted(
    image: UInt8[np.ndarray, "height width rgb=3"], max_size: int, ledger: Ledger
) -> UInt8[np.ndarray, "fitted_height fitted_width rgb=3"]:
    """The image reduced by area to the largest size allowed; one of another size than the first follows it."""
    if ledger.size == (0, 0):
        height, width = image.shape[:2]
        scale = min(1.0, max_size / max(height, width))
        ledger.size = (max(1, round(height * scale)), max(1, round(width * scale)))
    if image.shape[:2] == ledger.size:
        return image
    return cv2.resize(image, ledger.size[::-1], interpolation=cv2.INTER_AREA)


def sharpness(image: UInt8[np.ndarray, "height width rgb=3"]) -> float:
    """Variance of the Laplacian (Pech-Pacheco et al., 2000) of the smoothed grey image over its mean squared.

    Departs from it by the smoothing, against noise, and by the mean, so that exposure does not count.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 0.7)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var() / max(float(grey.mean()) ** 2, 1.0))


def write_candidate(folder: Path, number: int, candidate: Candidate) -> dict[str, Any]:
    """Write the image; its row of frames.json."""
    write_image(folder / frame_name(number), candidate.image)
    return {
        "file": frame_name(number),
        "time_s": round(candidate.time_s, 6),
        "source_index": candidate.index,
        "sharpness": round(candidate.sharpness, 6),
    }


def check_taken(video: Path, source: Source, ledger: Ledger) -> None:
    """Refuse what is no video."""
    if len(ledger.taken) >= 2:
        return
    reasons = "".join(
        f"; {count} dropped: {reason}{which(source, ledger, reason)}" for reason, count in ledger.counts.most_common()
    )
    found = "one frame" if ledger.taken else "no frame that can be decoded"
    raise StageError(
        f"{video} gives {found}, a scene needs at least 2{reasons}; give a longer or undamaged video, or change "
        "start, end or fps"
    )


def overlay_facts(folder: Path, ledger: Ledger) -> dict[str, Any]:
    """What frames.json says of text and logos drawn over the video: boxes (left, top, right, bottom) in pixels, and when."""
    found = find_overlays(FrameFiles(folder, len(ledger.taken)))
    if found.doubtful:
        log.warning(
            "something stands still before what hardly changes, at %s: drawn over the video, or part of the scene; it is "
            "kept, give masks with 255 there if it is drawn",
            doubtful_in_words(found.doubtful),
        )
    if not found.sure:
        return {}
    times_s = [row["time_s"] for row in ledger.taken]
    words = overlays_in_words(found.sure, times_s, ledger.size)
    log.warning("text or logos are drawn over the video (%s): masks ignore them", words)
    return {"overlays": [one.values for one in found.sure]}


def hole_facts(video: Path, source: Source, ledger: Ledger, folder: Path, shown: SourceView) -> dict[str, Any]:
    """What frames.json says of transparent pixels of a folder of images: their share, where frames are marked with them."""
    files = [video / name for name in source.facts.get("names", [])]
    share, holes = mark_holes(folder, ledger.taken, files, shown) if files else (0.0, False)
    if not share:
        return {}
    if not holes:
        log.warning("%.0f %% of the pixels of %s are transparent: they are laid on black", 100 * share, video.name)
        return {}
    log.warning(
        "%.2g %% of the pixels of %s are transparent: they are painted over from around, and masks ignore them",
        100 * share,
        video.name,
    )
    return {"transparent": share}


def frames_info(video: Path, source: Source, ledger: Ledger, footage: Footage) -> dict[str, Any]:
    """The contents of frames.json."""
    steps = np.diff(source.times_s)
    height, width = ledger.size
    shown = footage.shape.crop.size if footage.shape.crop else footage.shape.size
    diagonal = np.hypot(*footage.shape.size) * np.hypot(height, width) / np.hypot(*shown)  # of the whole video
    focal = float(source.focal_35mm * diagonal / DIAGONAL_35MM) if source.focal_35mm else None
    facts = {
        **source.facts,
        "name": video.name,
        "height": footage.shape.size[0],
        "width": footage.shape.size[1],
        "frames": len(source.times_s),
        "duration_s": round(float(max(source.times_s)), 6),
        "variable_frame_rate": bool(len(steps) and steps.max() > 1.2 * np.median(steps)),
    }
    return {
        "frames": ledger.taken,
        "height": height,
        "width": width,
        "focal_px": focal,
        "source": facts,
        "dropped": ledger.dropped,
        "dropped_counts": dict(ledger.counts),
    } | footage.facts


if __name__ == "__main__":
    run_stage(extract_frames)
