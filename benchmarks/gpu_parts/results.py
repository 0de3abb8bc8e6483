"""The one table: rows of all parts, written after each row as JSON and as Markdown, and read again to go on."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.runtime.atomic import whole

Values = dict[str, float | int | str]


@dataclass(frozen=True)
class Row:
    """What one part found of one thing, by the names of what was measured."""

    part: str
    what: str
    values: Values


@dataclass
class Results:
    """All rows so far, of one card and one commit, and where they are written."""

    folder: Path
    facts: dict[str, Any]
    rows: list[Row] = field(default_factory=list)

    def begin(self, part: str, only: str = "") -> None:
        """Forget what an earlier run found in a part, of the rows whose name has the regular expression in it."""
        self.rows = [row for row in self.rows if row.part != part or not re.search(only, row.what)]

    def add(self, part: str, what: str, **values: float | int | str) -> None:
        """A row, written at once: a run that is cut off leaves all that it found."""
        self.rows.append(Row(part, what, values))
        print(f"{part:10s} {what:44s} {told(values)}", flush=True)
        self.write()

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole(self.folder / "gpu.json") as partial:
            partial.write_text(json.dumps({**self.facts, "rows": [asdict(row) for row in self.rows]}, indent=1))
        with whole(self.folder / "gpu.md") as partial:
            partial.write_text(self.markdown())

    def markdown(self) -> str:
        """The table, under the card's name."""
        head = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        lines = [head, "", "| part | what | found |", "|---|---|---|"]
        return "\n".join([*lines, *(f"| {row.part} | {row.what} | {told(row.values)} |" for row in self.rows)]) + "\n"


def opened(folder: Path, facts: dict[str, Any]) -> Results:
    """The table of a folder to go on with; a new one where it is of another card, commit or size, which is said."""
    path = folder / "gpu.json"
    if not path.exists():
        return Results(folder, facts)
    kept = json.loads(path.read_text())
    rows = [Row(**row) for row in kept.pop("rows")]
    if kept != facts:
        different = ", ".join(f"{name} {kept.get(name)}" for name in facts if kept.get(name) != facts[name])
        print(f"{path} is of another run ({different}): the table begins anew", flush=True)
        return Results(folder, facts)
    return Results(folder, facts, rows)


def told(values: Values) -> str:
    """Values in words: `steps_per_s: 12.3`."""
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())


def number(value: float | int | str) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
