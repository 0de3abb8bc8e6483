"""The `prompts:` of a scene: checked against its frames, and put into config.yaml without harm to the rest."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.config import Prompt
from pipeline.runtime.config_edit import parsed, save_text, with_scene_value
from pipeline.runtime.errors import StageError
from pipeline.runtime.yaml_edit import entry_lines

PROMPTS = TypeAdapter(list[Prompt])
MOST_NAME, MOST_POINTS, MOST_FAULTS = 80, 100, 5


def checked_prompts(values: Any, frames: int, height: int, width: int) -> list[Prompt]:
    """Prompts as they come from outside, if they make sense on these frames."""
    try:
        prompts = PROMPTS.validate_python(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:MOST_FAULTS])
        raise StageError(f"prompts: {faults}") from error
    for prompt in prompts:
        if fault := prompt_fault(prompt, frames, height, width):
            raise StageError(f"object {prompt.object} in frame {prompt.frame}: {fault}")
    twice = [where for where, times in Counter((p.object, p.frame) for p in prompts).items() if times > 1]
    if twice:
        raise StageError(f"object {twice[0][0]} has two entries for frame {twice[0][1]}; join them into one")
    return sorted(prompts, key=lambda prompt: (prompt.object, prompt.frame))


def prompt_fault(prompt: Prompt, frames: int, height: int, width: int) -> str | None:
    """What is wrong with one prompt, and the way out."""
    if prompt.text is not None:
        return "things are found by a text of the scene's prompts in config.yaml, not on this page; write it there"
    if prompt.name and (len(prompt.name) > MOST_NAME or not prompt.name.isprintable()):
        return f"the name {prompt.name[:MOST_NAME]!r} is too long or has unseen characters; take at most {MOST_NAME} letters"
    if len(prompt.points) > MOST_POINTS:
        return f"{len(prompt.points)} points are too many; {MOST_POINTS} say all, and a box says more"
    if prompt.frame >= frames:
        return f"there are {frames} frames, 0 to {frames - 1}; choose one of them"
    if prompt.labels and len(prompt.labels) != len(prompt.points):
        return f"{len(prompt.points)} points have {len(prompt.labels)} labels; give one label a point, or none at all"
    if prompt.box is None and not any(prompt.labels or [1] * len(prompt.points)):
        return "nothing says where the object is; click on it at least once, or draw a box"
    corners = [] if prompt.box is None else [prompt.box[:2], prompt.box[2:]]
    for x, y in [*prompt.points, *corners]:
        if not (0 <= x <= width and 0 <= y <= height):
            return f"({x:g}, {y:g}) is outside the frame of {width}x{height} pixels; keep to the frame"
    if prompt.box is not None and not (prompt.box[0] < prompt.box[2] and prompt.box[1] < prompt.box[3]):
        return f"box {list(prompt.box)} is empty; it goes from the upper left to the lower right corner"
    return None


def prompts_block(prompts: Sequence[Prompt]) -> str:
    """The block as it stands in config.yaml, one line per object and frame."""
    return "\n".join(entry_lines("prompts", [entry(prompt) for prompt in prompts]))


def entry(prompt: Prompt) -> dict[str, Any]:
    """What one line of the block says; labels only where a point lies beside the object."""
    return {
        "object": prompt.object,
        **({"name": prompt.name} if prompt.name else {}),
        "frame": prompt.frame,
        **({"points": [tidy(point) for point in prompt.points]} if prompt.points else {}),
        **({"labels": list(prompt.labels)} if not all(prompt.labels) else {}),
        **({"box": tidy(prompt.box)} if prompt.box else {}),
    }


def tidy(numbers: Sequence[float]) -> list[float | int]:
    """Numbers to a tenth of a pixel, whole ones without a point."""
    return [int(number) if float(number).is_integer() else round(number, 1) for number in numbers]


def save_prompts(path: Path, scene: str, video: str, prompts: Sequence[Prompt]) -> None:
    """Put the prompts into a configuration file; a file that would not be valid afterwards stays as it is."""
    save_text(path, lambda text: with_prompts(text, scene, video, prompts))


def with_prompts(text: str, scene: str, video: str, prompts: Sequence[Prompt]) -> str:
    """The text of config.yaml in which a scene has these prompts; a scene that is not there yet is of `video`.

    Its prompts with a text, which the page does not show, stay.
    """
    told = [*texts_of(parsed(text), scene), *(entry(prompt) for prompt in prompts)]
    return with_scene_value(text, scene, "prompts", told, video)


def texts_of(values: dict[str, Any], scene: str) -> list[dict[str, Any]]:
    """The prompts with a text that a scene has in a configuration, as they stand there."""
    told: Any = values
    for key in ("scenes", scene, "prompts"):
        told = told.get(key) if isinstance(told, dict) else None
    return [prompt for prompt in told or [] if isinstance(prompt, dict) and "text" in prompt]
