"""What the report says of places where the trained scene shows something else than the video."""

import shlex
from typing import Any

from pipeline.cameras import BACKGROUND_ID
from pipeline.reporting.facts import method_title

Regions = list[dict[str, Any]]  # as evaluation.json has them, the largest first


def unexplained_sentences(unexplained: dict[str, Regions], names: dict[int, str]) -> list[str]:
    """One for each method that shows something else: how often, where most of all, and what may be wrong there."""
    return [region_sentence(method, regions, names) for method, regions in unexplained.items() if regions]


def region_sentence(method: str, regions: Regions, names: dict[int, str]) -> str:
    """The largest region in words."""
    largest, many = regions[0], len(regions)
    places = "one place" if many == 1 else f"{many} places"
    at = f"frame {largest['frame']} around ({largest['x']}, {largest['y']}), {largest['percent']:.1f} % of the picture"
    owner = names.get(largest["object_id"], f"object {largest['object_id']}")
    why = (
        "something that moves may have been taken for background, or the camera is off"
        if largest["object_id"] == BACKGROUND_ID
        else f"the mask or the pose of {owner} may be wrong, or there are two things in it"
    )
    return f"{method_title(method)} shows something else than the video in {places}, most in {at}: {why}."


def unexplained_advice(name: str, unexplained: dict[str, Regions], names: dict[int, str]) -> list[str]:
    """Where to look first; one place, as what is wrong there is often wrong elsewhere, too."""
    largest = max((regions[0] for regions in unexplained.values() if regions), key=percent_of, default=None)
    if largest is None:
        return []
    command = f"`python -m pipeline.pick_prompts {shlex.quote(name)}`"
    at = f"frame {largest['frame']} around ({largest['x']}, {largest['y']})"
    if largest["object_id"] == BACKGROUND_ID:
        return [f"Look at {at}: if something moves there, click on it ({command})."]
    owner = names.get(largest["object_id"], f"object {largest['object_id']}")
    return [f"Look at the mask of {owner} in {at}: if it is more or less than one thing, click on that ({command})."]


def percent_of(region: dict[str, Any]) -> float:
    """How large a region is."""
    return float(region["percent"])
