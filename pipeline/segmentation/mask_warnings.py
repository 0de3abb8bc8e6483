"""What a person should know of masks before anything is built on them: what was asked for and is not there."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.config import Prompt, SegmentObjectsConfig
from pipeline.correspondence.flow_chain import FlowChain
from pipeline.segmentation.camera_motion_residual import moves_along_its_axis

LEAST_BACKGROUND = 0.02  # share of all pixels; the camera's motion comes from it
LEAST_SURE = 0.5  # of an object
NOTHING_FOUND = "no moving object was found"
FEWEST_FRAMES = 6  # in which motion can be told from errors of the flow


def given_warnings(
    ids: UInt8[np.ndarray, "frame height width"], folder: Path, config: SegmentObjectsConfig
) -> list[str]:
    """Of masks that a person gave."""
    warnings = []
    if config.prompts:
        warnings.append(f"the masks of {folder} are used, segment_objects.prompts are not; leave out one of the two")
    values = {int(value) for value in np.unique(ids)}
    if not values - {BACKGROUND_ID, IGNORE_ID}:
        warnings.append(
            f"{folder} has no id but {IGNORE_ID}, which means ignore; if it is an object, save it as 1"
            if IGNORE_ID in values
            else f"{folder} shows no object: every mask is 0, the background, all over"
        )
    return warnings + background_warnings(ids)


def found_warnings(ids: UInt8[np.ndarray, "frame height width"], config: SegmentObjectsConfig) -> list[str]:
    """Of masks that come from motion or from hints."""
    clicks = config.with_clicks_only.prompts
    warnings = prompt_warnings(ids, clicks) + lost_warnings(ids, clicks)
    if config.key_frames:
        warnings.append("segment_objects.key_frames is true, but no folder of masks is given: it changes nothing")
    found = len(set(np.unique(ids)) - {BACKGROUND_ID, IGNORE_ID})
    if not config.prompts and found == config.max_objects:
        warnings.append(
            f"as many objects were found as segment_objects.max_objects keeps, {found}: there may be more, set it higher"
        )
    if not config.prompts and not found:
        warnings.append(NOTHING_FOUND)
        if len(ids) < FEWEST_FRAMES:
            warnings.append(
                f"{len(ids)} frames are too few to tell what moves by itself; keep {FEWEST_FRAMES} or more "
                "(extract_frames), or click the objects (python -m pipeline.pick_prompts)"
            )
    return warnings + background_warnings(ids)


def ahead_warnings(chain: FlowChain) -> list[str]:
    """One where a camera drives ahead: whatever comes along its axis fits the depth of a still thing that is nearer."""
    if chain.frame_count < FEWEST_FRAMES or not moves_along_its_axis(chain):
        return []
    return [
        "the camera moves along its own axis: what comes towards it there looks like a still thing that is nearer, and is not "
        "found, like oncoming cars; click such things (python -m pipeline.pick_prompts)"
    ]


def prompt_warnings(ids: UInt8[np.ndarray, "frame height width"], prompts: list[Prompt]) -> list[str]:
    """One for each object that hints ask for and no pixel shows."""
    frames: dict[int, list[int]] = {}
    for prompt in prompts:
        frames.setdefault(prompt.object, []).append(prompt.frame)
    return [
        f"object {k} has no pixels: what its prompt on frame {', '.join(map(str, frames[k]))} points at belongs to another "
        "object, or does not differ from its surroundings; click its middle on another frame, or draw a box"
        for k in sorted(frames)
        if not (ids == k).any()
    ]


def lost_warnings(ids: UInt8[np.ndarray, "frame height width"], prompts: list[Prompt]) -> list[str]:
    """One for each prompted object that is not seen up to the ends of the video."""
    warnings = []
    for k in sorted({prompt.object for prompt in prompts}):
        seen = np.flatnonzero((ids == k).any((1, 2)))
        if len(seen) in (0, len(ids)):
            continue
        warnings.append(
            f"object {k} is held in {len(seen)} of {len(ids)} frames, {seen[0]} to {seen[-1]}: elsewhere it is hidden, "
            "out of view, or no longer looks like what was pointed at; where it is seen, click it again"
        )
    return warnings


def doubt_warnings(held: Mapping[int, float]) -> list[str]:
    """One for each prompted object whose mask is not to be trusted."""
    return [
        f"the mask of object {k} is doubtful (confidence {sure:.2f}): it does not keep its colours and size, or ends at no "
        "edge; look at it, and click on and beside the object where it is wrong"
        for k, sure in held.items()
        if sure < LEAST_SURE
    ]


def unsteady_warnings(steady: Mapping[int, float]) -> list[str]:
    """One for each object that was found by its motion and whose mask jumps."""
    return [
        f"the mask of object {k} is doubtful: from frame to frame it does not keep its size and colours (steadiness "
        f"{share:.2f}), as where it goes over from one thing to another; look at it, and click the thing "
        "(python -m pipeline.pick_prompts)"
        for k, share in steady.items()
        if share < LEAST_SURE
    ]


def background_warnings(ids: UInt8[np.ndarray, "frame height width"]) -> list[str]:
    """One where objects cover all there is."""
    share = float((ids == BACKGROUND_ID).mean())
    if share >= LEAST_BACKGROUND:
        return []
    return [
        f"{100 * share:.1f} % of the pixels are background, from which the camera's motion comes: "
        "is the id 0 (or black) kept for the background, and do boxes leave some of it out?"
    ]
