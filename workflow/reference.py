"""The stage sections of config.yaml, written from pipeline/config.py; `make config` puts them below the marker line.

config.yaml shows every setting with its default and meaning; a test keeps the two alike.
"""

import json
from pathlib import Path

from pydantic import BaseModel

from pipeline.config import Config

MARKER = "# ---- One section per stage; all values below are the defaults. ----"
INDENT = 34


def stage_sections() -> str:
    """Every section, in the order of the graph."""
    sections = (
        (name, type(value)) for name, value in Config(scenes={"x": {"video": "x"}}) if isinstance(value, BaseModel)
    )
    return "\n".join(section_text(name, section) for name, section in sections)


def section_text(name: str, section: type[BaseModel]) -> str:
    """One section with a comment at every setting."""
    lines = [f"{name}:"]
    for key, field in section.model_fields.items():
        default = field.get_default(call_default_factory=True)
        value = default.model_dump(mode="json") if isinstance(default, BaseModel) else default
        shown = f"  {key}:" if value is None else f"  {key}: {json.dumps(value)}"
        lines.append(f"{shown:<{INDENT}} # {field.description}")
    return "\n".join(lines) + "\n"


def with_stage_sections(text: str) -> str:
    """config.yaml with its stage sections written anew."""
    head = text.split(MARKER)[0]
    return f"{head}{MARKER}\n\n{stage_sections()}"


if __name__ == "__main__":
    path = Path("config.yaml")
    path.write_text(with_stage_sections(path.read_text()))
