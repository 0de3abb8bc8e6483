"""Settings laid over settings: a person's over a preset's, flags over `--options`."""

from collections.abc import Mapping
from typing import Any


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one; where both have a value, `above` counts."""
    joined = dict(below)
    for key, value in above.items():
        inner = joined.get(key)
        joined[key] = overlaid(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return joined
