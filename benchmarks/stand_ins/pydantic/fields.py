"""What is known of a setting."""

from dataclasses import dataclass
from typing import Any

REQUIRED: Any = object()


@dataclass
class FieldInfo:
    """A setting's default, and everything else that is said of it."""

    default: Any
    facts: dict[str, Any]
