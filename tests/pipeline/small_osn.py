"""Few scales, judged on few rays: what OSN's scale network learns from, for trainings of a moment."""

import pytest

from pipeline import train_osn


def few_scales(patch: pytest.MonkeyPatch) -> None:
    """As it is, every training judges 16384 scales on 24576 rays, whatever its steps."""
    for name, value in {"BANK": 256, "VIEW_RAYS": 2048, "LIKELY_FROM": 64}.items():
        patch.setattr(train_osn, name, value)
