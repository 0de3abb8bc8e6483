"""The settings as text, written from pipeline/config.py by `make config`; a test keeps all of it alike.

config.yaml shows those that are changed most, below its marker line; docs/SETTINGS.md has them all.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.config import SHOWN, Config, Edit, Prompt, SceneConfig
from pipeline.runtime.presets import PRESETS

MARKER = "# ---- The settings that are changed most, one section per stage; docs/SETTINGS.md has them all. ----"
EXPLANATION = "# Each line shows the default preset's value. Take its `# ` away to change it: then it counts more than the preset."
INDENT = 34
INTRODUCTION = """# Settings

Written by `make config` from pipeline/config.py. Every setting may stand in config.yaml, in its stage's section
(`train_osn: {steps: 4000}`), or after `--config` (`snakemake --cores 4 --config 'train_osn={steps: 4000}'`). A stage that is
run alone takes them as flags (`python -m pipeline.train_osn --steps 4000 --ablation.sampling even_depth`) or as `--options JSON`.
Settings in bold are shown in config.yaml. A dotted name is nested: `train_osn: {ablation: {sampling: even_depth}}`.
"""
SIGNS = ((Gt, "gt", "> "), (Ge, "ge", "≥ "), (Lt, "lt", "< "), (Le, "le", "≤ "))


def stages() -> dict[str, type[BaseModel]]:
    """The section of every stage, in the order of the graph."""
    smallest = Config(scenes={"x": SceneConfig(video="x")})
    return {name: type(value) for name, value in smallest if isinstance(value, BaseModel)}


def is_shown(field: FieldInfo) -> bool:
    return field.json_schema_extra == SHOWN


def default_text(field: FieldInfo) -> str:
    """A default as YAML and JSON both write it; nothing for None."""
    default = field.get_default(call_default_factory=True)
    return "" if default is None else json.dumps(default)


def shown_sections() -> str:
    """What config.yaml shows of the stages: settings in comments, so that a preset is free to set them."""
    sections = []
    for name, section in stages().items():
        shown = {key: field for key, field in section.model_fields.items() if is_shown(field)}
        lines = [
            f"{f'  # {key}: {default_text(field)}'.rstrip():<{INDENT}} # {field.description}"
            for key, field in shown.items()
        ]
        if lines:
            sections.append("\n".join([f"{name}:", *lines]) + "\n")
    return "\n".join(sections)


def with_shown_sections(text: str) -> str:
    """config.yaml with its stage sections written anew."""
    head = text.split(MARKER)[0]
    return f"{head}{MARKER}\n{EXPLANATION}\n\n{shown_sections()}"


def settings_page() -> str:
    """docs/SETTINGS.md."""
    parts = [INTRODUCTION, "## Everything\n", table(model_rows(Config, "", sections=False)), presets_text()]
    parts += ["## scenes.NAME\n", table(model_rows(SceneConfig, ""))]
    for name, model in (("prompts", Prompt), ("edits", Edit)):
        parts += [f"One entry of `{name}:`\n", table(model_rows(model, ""))]
    for name, section in stages().items():
        parts += [f"## {name}\n", table(model_rows(section, ""))]
    return "\n".join(parts)


def presets_text() -> str:
    """What each preset sets."""
    names = [name for name in PRESETS if name != "default"]
    told = {name: dict(leaves(PRESETS[name])) for name in names}  # type: ignore[index]
    paths = sorted(
        dict.fromkeys(path for values in told.values() for path in values),
        key=lambda path: list(stages()).index(path[0]),
    )
    rows = ["## Presets\n", "`preset:` of the whole file or of one scene. A setting that a person gives counts more.\n"]
    rows += [f"| setting | default | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for path in paths:
        cells = [f"`{json.dumps(told[name][path])}`" if path in told[name] else "" for name in names]
        rows.append(f"| {'.'.join(path)} | `{default_text(field_at(path))}` | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of nested mappings, by the names that lead to them."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def field_at(path: tuple[str, ...]) -> FieldInfo:
    """The setting that a stage's name and names below it lead to."""
    model = stages()[path[0]]
    for name in path[1:-1]:
        inner = model.model_fields[name].annotation
        assert isinstance(inner, type) and issubclass(inner, BaseModel), path
        model = inner
    return model.model_fields[path[-1]]


def model_rows(model: type[BaseModel], prefix: str, sections: bool = True) -> Iterator[str]:
    """A row per setting, those of a section inside with dotted names."""
    for key, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            if sections:
                yield from model_rows(field.annotation, f"{prefix}{key}.")
            continue
        name = f"**{prefix}{key}**" if is_shown(field) else f"{prefix}{key}"
        default = "needed" if field.is_required() else f"`{default_text(field)}`" if default_text(field) else ""
        yield f"| {name} | {default} | {allowed(field)} | {meaning(field)} |"


def meaning(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def allowed(field: FieldInfo) -> str:
    """The choices of a setting, or its bounds."""
    choices = literals(field.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    return ", ".join(
        f"{sign}{getattr(bound, name):g}"
        for bound in field.metadata
        for kind, name, sign in SIGNS
        if isinstance(bound, kind)
    )


def literals(annotation: Any) -> list[Any]:
    """The values of the Literals in an annotation."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [value for inner in get_args(annotation) for value in literals(inner)]


def table(rows: Iterator[str]) -> str:
    return "\n".join(["| setting | default | allowed | meaning |", "|---|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    config, settings = Path("config.yaml"), Path("docs/SETTINGS.md")
    config.write_text(with_shown_sections(config.read_text()))
    settings.write_text(settings_page())
