"""What settings need of pydantic, where it is not installed: names, defaults, sections in sections. Nothing is checked.

For benchmarks/gpu_check.sh alone, on a machine with torch and no more. Everywhere else pydantic is needed: it refuses
settings that make no sense, and this does not.
"""

import json
from collections.abc import Callable, Mapping
from inspect import get_annotations
from typing import Any, get_type_hints

from pydantic.fields import REQUIRED, FieldInfo

ConfigDict = dict


class ValidationError(ValueError):
    """Raised by nothing here."""


class TypeAdapter:
    """Only its name is needed: what uses it serves people, not benchmarks."""

    def __init__(self, kind: Any) -> None:
        raise ImportError("this needs the real pydantic: pip install pydantic")


def Field(default: Any = REQUIRED, **facts: Any) -> Any:  # noqa: N802
    """A setting's default, with what is said of it."""
    return FieldInfo(default, facts)


def field_validator(*_: Any, **__: Any) -> Callable[[Any], Any]:
    return lambda method: method


model_validator = field_validator


class BaseModel:
    """Values by name; those of sections may be given as dictionaries."""

    def __init__(self, **given: Any) -> None:
        fields, kinds = self.fields(), get_type_hints(type(self))
        if unknown := set(given) - set(fields):
            raise TypeError(f"{type(self).__name__} has no setting {', '.join(sorted(unknown))}")
        for name, default in fields.items():
            value = given.get(name, default)
            if value is REQUIRED:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, as_kind(kinds[name], value))

    @classmethod
    def fields(cls) -> dict[str, Any]:
        """Names and defaults, of the classes that this one derives from first."""
        found: dict[str, Any] = {}
        for kind in reversed(cls.__mro__):
            for name in get_annotations(kind):
                default = kind.__dict__.get(name, REQUIRED)
                found[name] = default.default if isinstance(default, FieldInfo) else default
        return found

    @classmethod
    def model_validate(cls, values: Any) -> Any:
        return values if isinstance(values, cls) else cls(**values)

    def model_copy(self, update: Mapping[str, Any] | None = None) -> Any:
        return type(self)(**{**vars(self), **(update or {})})

    def model_dump(self, mode: str = "python", exclude: Any = ()) -> dict[str, Any]:
        return {name: plain(value) for name, value in vars(self).items() if name not in exclude}

    def model_dump_json(self, exclude: Any = (), **_: Any) -> str:
        return json.dumps(self.model_dump(exclude=exclude))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


def as_kind(kind: Any, value: Any) -> Any:
    """A dictionary as the section that is wanted in its place."""
    wants_section = isinstance(kind, type) and issubclass(kind, BaseModel)
    return kind(**value) if wants_section and isinstance(value, Mapping) else value


def plain(value: Any) -> Any:
    """Sections as dictionaries, wherever they lie."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value
