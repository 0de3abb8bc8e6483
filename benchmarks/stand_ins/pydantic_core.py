"""The name that pipeline/runtime/setting_flags.py imports; see the stand-in for pydantic beside this."""

from typing import Any

ErrorDetails = dict[str, Any]
