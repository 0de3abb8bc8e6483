"""Which method fits a video: OSN where what moves is rigid, Semantic Flow where it bends, both where it is mixed.

Reads   geometry.json
Writes  method.json   {"methods": [...], "reason": "..."}

Only `method: auto` asks for it. OSN gives each moving object one rigid body and a scale; a thing that bends is smeared by
it, while Semantic Flow's velocity field follows it, but knows no scales.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.cameras import BACKGROUND_ID
from pipeline.cli import run_stage
from pipeline.config import Method
from pipeline.formats.geometry_file import read_geometry
from pipeline.runtime.atomic import whole
from pipeline.sfm.verdicts import bends

log = logging.getLogger("pipeline.choose_method")
Motion = Literal["rigid", "bending", "unknown"]
RIGID, BENDING, UNKNOWN = "moves rigidly", "bends", "left too few tracks to tell"


class Choice(NamedTuple):
    """The methods to train, and why."""

    methods: tuple[Method, ...]
    reason: str


def choose_method(geometry: Path, method: Path) -> None:
    moving = [entry for entry in read_geometry(geometry).objects if entry.id != BACKGROUND_ID]
    choice = chosen({entry.name: motion_of(entry.numbers) for entry in moving})
    log.info("method: auto takes %s: %s", " and ".join(choice.methods), choice.reason)
    with whole(method) as partial:
        partial.write_text(json.dumps(choice._asdict(), indent=1))


def motion_of(numbers: Mapping[str, float]) -> Motion:
    """Whether an object's tracks follow one rigid motion; unknown where too few were seen for any model."""
    if "inlier_ratio_percent" not in numbers:
        return "unknown"
    return "bending" if bends(numbers) else "rigid"


def chosen(motions: Mapping[str, Motion]) -> Choice:
    """The methods for objects that move so, by their names."""
    if not motions:
        return Choice(("osn",), "no moving object was found, and OSN's background alone is the scene")
    reason = "; ".join(
        f"{', '.join(names)} {words}"
        for kind, words in (("rigid", RIGID), ("bending", BENDING), ("unknown", UNKNOWN))
        if (names := [name for name, motion in motions.items() if motion == kind])
    )
    kinds = set(motions.values()) - {"unknown"}
    if kinds == {"rigid"}:
        return Choice(("osn",), reason)
    return Choice(("semantic_flow",) if kinds == {"bending"} else ("osn", "semantic_flow"), reason)


if __name__ == "__main__":
    run_stage(choose_method)
