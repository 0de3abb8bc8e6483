"""Odd but common inputs through the stages that read them, beside what a good tool does with each: one table.

    python -m benchmarks.cases CASES [--only NAME] [--markdown]

CASES is a folder that ../shared/cases/build.py made. Each row is one input: extract_frames and check_inputs read it, as
the graph does before anything expensive. `held` is what was expected: read with the right numbers, read with a warning that
names the thing, or stopped by a sentence. A traceback never holds.
"""

import argparse
import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.check_inputs import check_inputs
from pipeline.config import CheckInputsConfig, ExtractFramesConfig
from pipeline.extract_frames import extract_frames
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.mask_folder import read_mask_folder
from pipeline.runtime.errors import StageError
from pipeline.sfm.imported_poses import read_poses

CLOSE = 1e-5  # of a pose, whose file has text
SAME_FOCAL = 0.01
TRUE_FOCAL = 277.128
READ, WARNS, STOPS = "read", "warns", "stops"


@dataclass(frozen=True)
class Outcome:
    """What came of a case: what was understood, warnings, or the sentence that stopped it."""

    understood: dict[str, str]
    warnings: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    crash: str = ""

    @property
    def kind(self) -> str:
        return "crash" if self.crash else STOPS if self.fault else WARNS if self.warnings else READ

    @property
    def words(self) -> str:
        """What a person reads first."""
        said = self.crash or self.fault or (self.warnings[0] if self.warnings else "")
        return said or "; ".join(f"{name}: {words}" for name, words in self.understood.items() if name != "frames")


Check = Callable[[Outcome, Path], str]


@dataclass(frozen=True)
class Case:
    """An input: the video, what is given beside it, which outcomes are good, words that must be said, and a check."""

    name: str
    video: str
    expected: tuple[str, ...]
    given: dict[str, str] = field(default_factory=dict)
    said: str = ""
    check: Check | None = None


def objects(count: int) -> Check:
    """Whether so many objects were understood, and the masks of all frames can be read."""

    def check(outcome: Outcome, case: Path) -> str:
        kept = KeptFrames.of_info(outcome.facts)
        folder = Path(outcome.facts["mask_folder"])
        found = read_mask_folder(folder, kept, (int(outcome.facts["height"]), int(outcome.facts["width"])))
        return "" if len(found.names) == count else f"{len(found.names)} objects, not {count}"

    return check


def true_poses(outcome: Outcome, case: Path) -> str:
    """Whether the poses are the expected ones of the same frames, and the focal length is the true one."""
    expected = np.linalg.inv(np.load(next(case.glob("expected*"))))
    found = read_poses(Path(outcome.facts["poses"]), outcome.facts)
    kept = np.isfinite(found.camera_from_world[:, 0, 0])
    source = [row["source_index"] for row in outcome.facts["frames"]]
    error = float(np.abs(found.camera_from_world[kept] - expected[source][kept]).max())
    if error > CLOSE:
        return f"poses are off by {error:.2g}"
    if found.camera and abs(found.camera.fx / TRUE_FOCAL - 1) > SAME_FOCAL:
        return f"focal length {found.camera.fx:.1f}, not {TRUE_FOCAL:.1f}"
    return ""


def says(key: str, value: object = True) -> Check:
    """Whether frames.json says something of the video."""

    def check(outcome: Outcome, case: Path) -> str:
        found = outcome.facts["source"].get(key, outcome.facts.get(key))
        return "" if (found is not None if value is True else found == value) else f"{key} is {found}, not {value}"

    return check


def size(height: int, width: int) -> Check:
    """Whether the frames have this size."""

    def check(outcome: Outcome, case: Path) -> str:
        found = outcome.facts["height"], outcome.facts["width"]
        return "" if found == (height, width) else f"frames are {found[1]}x{found[0]}, not {width}x{height}"

    return check


def frame_count(least: int, most: int) -> Check:
    """Whether so many frames were taken."""

    def check(outcome: Outcome, case: Path) -> str:
        count = len(outcome.facts["frames"])
        return "" if least <= count <= most else f"{count} frames, not {least} to {most}"

    return check


def mask_cases() -> list[Case]:
    forms = {
        "soft_edges": (1, READ),
        "file_per_object": (2, READ),
        "folder_per_object": (2, READ),
        "track_anything": (2, READ),
    }
    many = [
        Case(
            f"mask_forms/{name}",
            "mask_forms/video.mp4",
            (kind,),
            {"mask_folder": f"mask_forms/{name}"},
            "",
            objects(count),
        )
        for name, (count, kind) in forms.items()
    ]
    black_and_white = [
        Case(
            f"masks_0_255/{name}",
            "masks_0_255/video.mp4",
            (READ,),
            {"mask_folder": f"masks_0_255/{name}"},
            "",
            objects(1),
        )
        for name in ("one_object", "rgb")
    ]
    lossy = Case(
        "mask_forms/jpeg", "mask_forms/video.mp4", (STOPS,), {"mask_folder": "mask_forms/jpeg"}, "save them as PNG"
    )
    sampled = Case(
        "more_than_100", "more_than_100/video.mp4", (READ,), {"mask_folder": "more_than_100/masks"}, "", objects(2)
    )
    repeats = Case(
        "repeats_with_masks",
        "repeats_with_masks/video.mp4",
        (READ,),
        {
            "mask_folder": "repeats_with_masks/masks",
            "labels": "repeats_with_masks/labels",
            "depth": "repeats_with_masks/depth",
        },
        "",
        objects(2),
    )
    return [*black_and_white, *many, lossy, sampled, repeats]


def pose_cases() -> list[Case]:
    unpadded = [
        Case(
            f"unpadded_names/{name}",
            "unpadded_names/images",
            (READ,),
            {"poses": f"unpadded_names/{name}"},
            "",
            true_poses,
        )
        for name in ("colmap", "transforms.json")
    ]
    blender = [
        Case(
            f"dnerf_blender/{name}", "dnerf_blender/train", (READ,), {"poses": f"dnerf_blender/{name}"}, "", true_poses
        )
        for name in ("transforms_train.json", "unpadded.json")
    ]
    dialects = [
        Case(
            f"fisheye_transforms/{name}",
            "fisheye_transforms/pinhole.mp4",
            (READ,),
            {"poses": f"fisheye_transforms/{name}.json"},
        )
        for name in ("null_k", "bom", "per_frame", "matrix_3x4")
    ]
    fisheye = Case(
        "fisheye_transforms/fisheye_k0",
        "fisheye_transforms/fisheye.mp4",
        (READ,),
        {"poses": "fisheye_transforms/fisheye_k0.json"},
        "OPENCV_FISHEYE, undistorted",
    )
    colmap = [
        Case(
            f"colmap_variants/{name}",
            "colmap_variants/video.mp4",
            kind,
            {"poses": f"colmap_variants/{name}"},
            said,
            check,
        )
        for name, kind, said, check in (
            ("camera_per_image", (WARNS,), "a camera for each image", None),
            ("submodels", (WARNS,), "the largest, 1, is taken", true_poses),
            ("only_model_1", (READ,), "", true_poses),
            ("subfolder_names", (READ,), "", true_poses),
            ("distorted", (READ,), "", true_poses),
        )
    ]
    return [*unpadded, *blender, fisheye, *dialects, *colmap]


def map_cases() -> list[Case]:
    depth = [
        Case(f"depth_forms/{name}", "depth_forms/video.mp4", (kind,), {"depth": f"depth_forms/{name}"}, said)
        for name, kind, said in (
            ("npz", READ, ""),
            ("npy_and_preview", READ, ""),
            ("mm16", READ, ""),
            ("disparity8_rgb", STOPS, "colours are for people"),
            ("wrong_aspect", STOPS, "another shape"),
        )
    ]
    junk = {"mask_folder": "appledouble/masks", "labels": "appledouble/labels", "poses": "appledouble/transforms.json"}
    return [
        Case("labels_palette", "labels_palette/video.mp4", (READ,), {"labels": "labels_palette/unpadded"}),
        *depth,
        Case("appledouble", "appledouble/images", (READ,), junk, "", objects(2)),
    ]


def video_cases() -> list[Case]:
    zoo = {
        "mjpeg.avi": (READ, "", frame_count(32, 32)),
        "prores4444_alpha.mov": (READ, "", frame_count(32, 32)),
        "vp9.webm": (READ, "", frame_count(32, 32)),
        "vp9_alpha.webm": (READ, "", frame_count(32, 32)),
        "gray16.mkv": (READ, "", frame_count(32, 32)),
        "mpeg2.mpg": (READ, "", frame_count(32, 32)),
        "mpeg4.avi": (READ, "", frame_count(32, 32)),
        "av1.mp4": (READ, "", frame_count(32, 32)),
        "raw.h264": (READ, "", frame_count(32, 32)),
        "late.ts": (READ, "", frame_count(32, 32)),
        "one.mp4": (STOPS, "gives one frame", None),
        "two.mp4": (READ, "", frame_count(2, 2)),
        "odd.mkv": (READ, "", size(239, 319)),
        "tiny.mp4": (READ, "", size(24, 32)),
        "strip.mp4": (READ, "", size(16, 320)),
        "black.mp4": (STOPS, "shows nothing", None),
        "dark.mp4": (READ, "", frame_count(32, 32)),
        "gif8.gif": (READ, "", frame_count(32, 32)),
        "longgop_cut.mp4": (READ, "", frame_count(32, 32)),
        "audio_only.m4a": (STOPS, "is not a video", None),
        "truncated.mp4": (STOPS, "cut off", None),
        "bit_errors.mp4": (WARNS, "damaged", None),
        "size_changes.ts": (WARNS, "the picture changes from 320x240 to 240x240", frame_count(13, 16)),
        "pulldown_30fps.mp4": (READ, "", None),
    }
    return [
        Case("hard_cut", "hard_cut/cut.mp4", (WARNS,), {}, "is cut at frame 20", frame_count(20, 20)),
        Case("bars_and_overlay", "bars_and_overlay/overlay.mp4", (WARNS,), {}, "has bars", says("overlays")),
        Case("interlaced", "interlaced/interlaced.mp4", (READ,), {}, "", says("interlaced", "top field first")),
        Case("phone_hdr_vfr", "phone_hdr_vfr/IMG_0042.MOV", (READ,), {}, "", says("variable_frame_rate")),
        Case("awkward_names/folder", "awkward_names/20230519_142233", (READ,), {}, "", frame_count(32, 32)),
        *(
            Case(f"awkward_names/{name}", f"awkward_names/{name}", (READ,), {}, "", frame_count(32, 32))
            for name in (
                "take #2.mp4",
                "kitchen: take 2.mp4",
                "-clip.mp4",
                "CLIP.MOV",
                "1e3.mp4",
                "100%.mp4",
                "link.mp4",
            )
        ),
        *(
            Case(f"video_zoo/{name}", f"video_zoo/{name}", (kind,), {}, said, check)
            for name, (kind, said, check) in zoo.items()
        ),
    ]


class Warnings(logging.Handler):
    """Keeps what the stages warn of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def outcome_of(case: Case, cases: Path, folder: Path) -> Outcome:
    """Run the stages that read a case."""
    heard = Warnings()
    logging.getLogger().addHandler(heard)
    paths: dict[str, Any] = dict.fromkeys(("mask_folder", "poses", "labels", "depth", "truth"))
    paths |= {name: cases / place for name, place in case.given.items()}
    info = folder / "frames.json"
    try:
        extract_frames(cases / case.video, paths["poses"], folder / "frames", info, ExtractFramesConfig())
        check_inputs(info, **paths, inputs=folder / "inputs.json", config=CheckInputsConfig())
    except StageError as error:
        return Outcome({}, heard.texts, fault=str(error))
    except Exception as error:  # a traceback is a row of the table, not the end of it
        return Outcome({}, heard.texts, crash=f"{type(error).__name__}: {error}")
    finally:
        logging.getLogger().removeHandler(heard)
    facts = read_frames_info(info) | {name: str(path) for name, path in paths.items() if path}
    return Outcome(json.loads((folder / "inputs.json").read_text()), heard.texts, facts)


def judged(case: Case, outcome: Outcome, cases: Path) -> str:
    """What does not hold of a case; nothing where all does."""
    if outcome.kind not in case.expected:
        return f"{outcome.kind}, not {' or '.join(case.expected)}"
    said = " ".join([outcome.fault, *outcome.warnings, *outcome.understood.values()])
    if case.said not in said:
        return f"does not say `{case.said}`"
    return case.check(outcome, cases / case.name.split("/")[0]) if case.check and not outcome.fault else ""


def tried(case: Case, cases: Path) -> tuple[str, str, str, str]:
    """A row of the table."""
    if not (cases / case.video).exists():
        return case.name, "", "not built", ""
    with tempfile.TemporaryDirectory() as folder:
        outcome = outcome_of(case, cases, Path(folder))
        words = outcome.words.replace(f"{cases}/", "").replace("\n", " ").replace("|", "/")
        return case.name, outcome.kind, judged(case, outcome, cases) or "yes", words[:150]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--markdown", action="store_true", help="a table for docs/RESULTS.md")
    arguments = parser.parse_args()
    if not any(arguments.cases.glob("*/")):
        raise SystemExit(
            f"{arguments.cases} holds no cases; make some with ../shared/cases/build.py FOLDER, and give that folder"
        )
    logging.getLogger().setLevel(logging.WARNING)
    chosen = [*mask_cases(), *pose_cases(), *map_cases(), *video_cases()]
    rows = []
    for case in (case for case in chosen if arguments.only in case.name):
        rows.append(tried(case, arguments.cases))
        if not arguments.markdown:
            name, kind, holds, words = rows[-1]
            print(f"{name:38} {kind:6} {holds:34} {words}", flush=True)
    if arguments.markdown:
        print("| case | what came | holds | in words |\n|---|---|---|---|")
        print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    held = sum(row[2] == "yes" for row in rows)
    print(f"\n{held} of {len(rows)} hold")
    if held < len(rows) or not rows:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
