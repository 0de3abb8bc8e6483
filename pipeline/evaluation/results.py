"""What judging one trained method gives: numbers, and notes from which the report draws."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.config import BASELINES
from pipeline.formats.metrics_table import Findings

NOTES = ("semantics", "best_held_out", "validity", "limits", "unexplained")


@dataclass(frozen=True)
class Results:
    """Numbers of one method, and its notes by their kind, one of NOTES."""

    method: str
    findings: Findings = field(default_factory=Findings)
    notes: dict[str, Any] = field(default_factory=dict)


def training_stage(method: str) -> str:
    """The stage that trains a method, to which the numbers of the method itself belong."""
    return "train_baseline" if method in BASELINES else f"train_{method}"


def notes_by_kind(results: list[Results]) -> dict[str, dict[str, Any]]:
    """Kind -> method -> note."""
    return {kind: {one.method: one.notes[kind] for one in results if kind in one.notes} for kind in NOTES}
