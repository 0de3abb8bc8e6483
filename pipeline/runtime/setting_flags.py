"""The settings of a stage as flags of its command line, derived from their model.

`--steps 400`, `--ablation.sampling even_depth`, `--grids 24 32` or `--grids '[24, 32]'`, `--lpips` and `--no-lpips`;
underscores may stand for hyphens. A value is checked where the model is validated, not here.
"""

import argparse
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.config import Config
from pipeline.runtime.errors import StageError
from pipeline.runtime.overlay import overlaid
from pipeline.runtime.renamed_keys import new_key, new_value

Keys = tuple[str, ...]
METAVARS = {int: "INT", float: "NUMBER", str: "TEXT"}


def flag_name(keys: Sequence[str]) -> str:
    """`--ablation.soft-sharpness` for a setting inside a section."""
    return f"--{'.'.join(keys)}".replace("_", "-")


def spelled(arguments: Iterable[str]) -> list[str]:
    """Arguments whose flags are written with hyphens, however they were written."""
    parts = (argument.partition("=") for argument in arguments)
    return [
        f"{name.replace('_', '-') if name.startswith('--') else name}{equals}{value}" for name, equals, value in parts
    ]


def add_setting_flags(group: Any, model: type[BaseModel], above: Keys = ()) -> None:
    """A flag per setting, those of sections inside with dotted names; only what was given ends up in the namespace."""
    for key, field in model.model_fields.items():
        keys, inner = (*above, key), plain_type(field.annotation)
        name, shared = flag_name(keys), {"dest": ".".join(keys), "default": argparse.SUPPRESS}
        if is_section(inner):
            group.add_argument(name, metavar="JSON", help=f"{explained(field)}, as a JSON object", **shared)
            add_setting_flags(group, inner, keys)
        elif inner is bool:
            group.add_argument(name, nargs="?", const="true", metavar="BOOL", help=help_text(field), **shared)
            group.add_argument(flag_name((*above, f"no_{key}")), action="store_const", const="false", help="", **shared)
        elif get_origin(inner) in (list, tuple):
            group.add_argument(name, nargs="*", metavar="VALUE", help=help_text(field), **shared)
        else:
            group.add_argument(name, metavar=metavar(inner), help=help_text(field), **shared)


def is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def plain_type(annotation: Any) -> Any:
    """An annotation without its None."""
    if get_origin(annotation) in (Union, UnionType):
        (inner,) = [argument for argument in get_args(annotation) if argument is not type(None)]
        return inner
    return annotation


def metavar(annotation: Any) -> str:
    """What a help text calls a value: its choices, or its type."""
    if get_origin(annotation) is Literal:
        return f"{{{','.join(map(str, get_args(annotation)))}}}"
    return METAVARS.get(annotation, "JSON")


def explained(field: FieldInfo) -> str:
    return (field.description or "").replace("%", "%%")


def help_text(field: FieldInfo) -> str:
    """A setting's meaning and default."""
    default = "none" if field.default is None else json.dumps(field.default)
    return f"{explained(field)} (default: {default})"


def given_settings(model: type[BaseModel], flags: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that flags gave, as a nested mapping; a section's own flag counts less than those of its members."""
    settings: dict[str, Any] = {}
    for dotted in sorted(flags, key=lambda name: name.count(".")):
        keys = dotted.split(".")
        value: Any = value_of(keys, setting_type(model, keys), flags[dotted])
        for key in reversed(keys):
            value = {key: value}
        settings = overlaid(settings, value)
    return settings


def setting_type(model: type[BaseModel], keys: Sequence[str]) -> Any:
    """The annotation of a setting."""
    for key in keys[:-1]:
        model = plain_type(model.model_fields[key].annotation)
    return model.model_fields[keys[-1]].annotation


def value_of(keys: Sequence[str], annotation: Any, given: str | list[str]) -> Any:
    """What was written after a flag, as the model takes it: JSON where it looks like JSON, else text."""
    if isinstance(given, list):
        whole = len(given) == 1 and given[0].startswith("[")
        return from_json(keys, given[0]) if whole else [value_of(keys, None, part) for part in given]
    if given in ("none", "null") and type(None) in get_args(annotation):
        return None
    return from_json(keys, given) if given.startswith(("{", "[")) else given


def from_json(keys: Sequence[str], text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise StageError(f"{flag_name(keys)}: {text} is not JSON ({error})") from error


def fault_text(section: str, flags: Iterable[str], fault: ErrorDetails) -> str:
    """One validation error with the flag that it came from, or `--options`."""
    keys = tuple(map(str, fault["loc"]))
    given = [tuple(name.split(".")) for name in flags]
    flag = max((name for name in given if keys[: len(name)] == name), key=len, default=())
    inside = ".".join(keys[len(flag) :])
    where = f"{flag_name(flag) if flag else '--options'}: {inside}{': ' if inside else ''}"
    if new := new_key((section, *keys)):
        return f"{where.removesuffix(': ')} is called {new.removeprefix(f'{section}.')} now"
    if choice := new_value((section, *keys), fault["input"]):
        return f"{where}{fault['input']} is called {choice} now"
    return f"{where}{fault['msg']} (got {fault['input']!r})"


def unknown_flag(section: str, argument: str, flags: Iterable[str]) -> str:
    """What is wrong with an argument that no flag takes, and what may be meant."""
    name = argument.partition("=")[0]
    if not name.startswith("--"):
        return f"{argument} belongs to no flag; see --help"
    if new := new_key((section, *name.removeprefix("--").replace("-", "_").split("."))):
        return f"{name} is called {flag_name(new.split('.')[1:])} now"
    close = difflib.get_close_matches(name, list(flags), n=1)
    return f"there is no flag {name}; {f'did you mean {close[0]}? ' if close else ''}see --help"


def section_name(model: type[BaseModel], otherwise: str) -> str:
    """The section of config.yaml that has this model; that of a stage outside the graph is named like the stage."""
    return next((name for name, field in Config.model_fields.items() if field.annotation is model), otherwise)
