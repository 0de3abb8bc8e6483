"""Everything that a person gives beside the video, read before the first expensive stage: what was understood, or why not.

Reads   frames.json   the frames that are kept, their size and place in the video
        mask_folder, poses, labels, depth, truth   what a person gives, if anything
Writes  inputs.json   what was understood, a line each
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.cameras import IGNORE_ID
from pipeline.cli import run_stage
from pipeline.config import CheckInputsConfig
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import read_frames_info
from pipeline.formats.id_files import value_counts
from pipeline.formats.mask_folder import GivenMasks, read_key_masks, read_mask_folder
from pipeline.formats.masks_file import read_masks
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.scene.depth_maps import given_depths
from pipeline.segmentation.prompts import check_prompts
from pipeline.semantic_flow.labels import LABEL_MAP, class_ids, label_files, read_palette
from pipeline.sfm.imported_poses import read_poses
from pipeline.truth.truth_file import truth_words

log = logging.getLogger(__name__)
MUCH = 0.02  # share of pixels without a class
LOOKED_AT = 12  # files of each kind that are opened; all are matched to frames
Size = tuple[int, int]


def check_inputs(
    info: Path,
    mask_folder: Path | None,
    poses: Path | None,
    labels: Path | None,
    depth: Path | None,
    truth: Path | None,
    inputs: Path,
    config: CheckInputsConfig,
) -> None:
    facts = read_frames_info(info)
    kept, size = KeptFrames.of_info(facts), (int(facts["height"]), int(facts["width"]))
    understood = in_words(
        {
            "frames": lambda: frame_words(facts, kept),
            "lens": lambda: lens_words(facts),
            "prompts": lambda: prompt_words(config, kept, size),
            "masks": lambda: mask_words(mask_folder, kept, size, config.key_frames) if mask_folder else "",
            "poses": lambda: pose_words(poses, facts) if poses else "",
            "labels": lambda: label_words(labels, kept, size) if labels else "",
            "depth": lambda: depth_words(depth, kept, size) if depth else "",
            "truth": lambda: known_truth(truth, kept) if truth else "",
        }
    )
    with whole(inputs) as partial:
        partial.write_text(json.dumps(understood, indent=1))


def in_words(checks: dict[str, Callable[[], str]]) -> dict[str, str]:
    """What every check says, a line of the log each; all that cannot be used is named at once."""
    understood, faults = {}, []
    for name, check in checks.items():
        try:
            words = check()
        except StageError as error:
            faults.append(f"{name}: {error}")
            continue
        if words:
            log.info("%s: %s", name, words)
            understood[name] = words
    if faults:
        raise StageError("\n".join(faults))
    return understood


def frame_words(facts: dict[str, Any], kept: KeptFrames) -> str:
    """Number, size and origin of the frames."""
    source = facts.get("source") or {}
    return (
        f"{len(kept)} of {kept.source_count} of {source.get('name', 'the video')}, {facts['width']}x{facts['height']} "
        f"(stored {source.get('width', facts['width'])}x{source.get('height', facts['height'])})"
    )


def lens_words(facts: dict[str, Any]) -> str:
    """The lens that frames were undistorted from, or where the focal length is from."""
    if facts.get("lens"):
        return f"{facts['lens']['model']}, undistorted"
    return f"focal length {facts['focal_px']:.0f} px by the metadata" if facts.get("focal_px") else ""


def prompt_words(config: CheckInputsConfig, kept: KeptFrames, size: Size) -> str:
    """How many prompts on how many objects, and which texts."""
    if not config.prompts:
        return ""
    check_prompts(config.prompts, (len(kept), *size))
    texts = [prompt.text for prompt in config.prompts if prompt.text is not None]
    clicks = [prompt for prompt in config.prompts if prompt.text is None]
    words = [f"{len(clicks)} on {len({prompt.object for prompt in clicks})} objects"] if clicks else []
    return "; ".join([*words, *(f'all that is called "{text}"' for text in texts)])


def mask_words(folder: Path, kept: KeptFrames, size: Size, key_frames: bool) -> str:
    """How the files of masks are understood, and their objects."""
    given: GivenMasks = (
        read_key_masks(folder, kept, size)[1] if key_frames else read_mask_folder(folder, kept, size, LOOKED_AT)
    )
    for doubt in given.doubts:
        log.warning("%s", doubt)
    shown = ", ".join(given.names[:8]) + (", ..." if len(given.names) > 8 else "")
    return f"{'; '.join(given.decided)}; {len(given.names)} objects ({shown})"


def pose_words(path: Path, facts: dict[str, Any]) -> str:
    """How many frames have a pose, and what the focal length is."""
    found = read_poses(path, facts)
    focal = f"focal length {found.camera.fx:.0f} px" if found.camera else "no focal length, it will be calibrated"
    return f"{found.known} of {len(facts['frames'])} frames of {found.origin}, {focal}"


def label_words(path: Path, kept: KeptFrames, size: Size) -> str:
    """How label maps are matched, and their classes."""
    if not path.is_dir():
        if path.suffix != ".h5":
            raise StageError(
                f"{path} is no folder of label maps{'' if path.exists() else ': it does not exist'}; give one"
            )
        return f"the masks of {path.name}, {len(read_masks(path))} frames"
    files = label_files(path, kept)
    palette = read_palette(path / LABEL_MAP)
    ids = class_ids(files.thinned(LOOKED_AT), size, palette)
    classes = [value for value in value_counts(ids) if value != IGNORE_ID]
    if palette and (unknown := float((ids == IGNORE_ID).mean())) > MUCH:
        log.warning(
            "%.0f %% of the label maps of %s have no class of %s: they are ignored", 100 * unknown, path, LABEL_MAP
        )
    names = [name for name, _ in palette] or [str(value) for value in classes]
    return f"{files.how}; classes {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"


def depth_words(folder: Path, kept: KeptFrames, size: Size) -> str:
    """How depth maps are matched, and their range."""
    given = given_depths(folder, kept, size, LOOKED_AT)
    maps = given.maps
    known = maps[np.isfinite(maps) & (maps > 0)]
    if not known.size:
        raise StageError(f"{folder} has no value above 0, which means unknown; give depth maps with depths")
    return f"{given.how}; values {known.min():.4g} to {known.max():.4g}, {100 * known.size / maps.size:.0f} % known"


def known_truth(path: Path, kept: KeptFrames) -> str:
    """What a truth file holds, which must be of this video."""
    if not path.is_file():
        raise StageError(
            f"{path} {'is a folder' if path.exists() else 'does not exist'}; give a truth.h5, or leave `truth` out"
        )
    words = truth_words(path)
    with h5py.File(path, "r") as file:
        last = int(file["train/time"][...].max(initial=-1))
    if last >= kept.source_count:
        raise StageError(
            f"{path} knows the video up to its frame {last}, the video has {kept.source_count}: it is of another one; give "
            "its own, or leave `truth` out"
        )
    return words


if __name__ == "__main__":
    run_stage(check_inputs)
