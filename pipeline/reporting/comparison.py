"""Tables that compare: a row an entrant, a column a number, the best of those that may be compared in bold.

For any page: the comparison of runs, benchmarks. Texts are escaped; `table_html` gives a part of a page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from pipeline.reporting.page import page_environment


@dataclass(frozen=True)
class Column:
    """A number of each entrant: its key, its heading, which way is better (None: neither), and its decimals."""

    key: str
    title: str
    higher_is_better: bool | None = None
    digits: int = 2
    unit: str = ""

    @property
    def heading(self) -> str:
        """With its unit and an arrow to the better side."""
        arrow = {True: " ↑", False: " ↓", None: ""}[self.higher_is_better]
        return f"{self.title}{f', {self.unit}' if self.unit else ''}{arrow}"


@dataclass(frozen=True)
class Entrant:
    """A row: its labels, its numbers by the keys of columns, and the group that it stands in.

    Numbers are compared with those of rows of the same group and the same `comparable`.
    """

    labels: tuple[str, ...]
    values: Mapping[str, float]
    group: str = ""
    comparable: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)  # in place of a number that is not there: why


@dataclass(frozen=True)
class Cell:
    """A number as text; `best` of its group and column, `note` where it is missing for a reason."""

    text: str
    best: bool = False
    note: str = ""


def table_html(labels: Sequence[str], columns: Sequence[Column], entrants: Sequence[Entrant]) -> Markup:
    """The table as HTML: groups one after another, columns without a number or a note left out."""
    shown = [column for column in columns if any(column.key in {**row.values, **row.notes} for row in entrants)]
    groups = [
        {
            "title": group,
            "rows": [
                {"labels": row.labels, "cells": cells}
                for row, cells in zip(rows, marked_cells(shown, rows), strict=True)
            ],
        }
        for group, rows in by_group(entrants).items()
    ]
    template = page_environment().get_template("comparison_table.html")
    return Markup(template.render(labels=labels, columns=[column.heading for column in shown], groups=groups))


def by_group(entrants: Sequence[Entrant]) -> dict[str, list[Entrant]]:
    """Entrants by group, in the order in which groups come first."""
    found: dict[str, list[Entrant]] = {}
    for row in entrants:
        found.setdefault(row.group, []).append(row)
    return found


def marked_cells(columns: Sequence[Column], rows: Sequence[Entrant]) -> list[list[Cell]]:
    """Cells of the rows of one group; what reads as the best number is best, where there is another to be better than."""
    kinds = {row.comparable for row in rows}
    alike = {kind: [row for row in rows if row.comparable == kind] for kind in kinds}
    best = {(kind, column.key): best_text(column, alike[kind]) for kind in kinds for column in columns}
    return [[cell(column, row, best[row.comparable, column.key]) for column in columns] for row in rows]


def cell(column: Column, row: Entrant, best: str | None) -> Cell:
    """One cell."""
    if column.key not in row.values:
        return Cell("", note=row.notes.get(column.key, ""))
    text = f"{row.values[column.key]:.{column.digits}f}"
    return Cell(text, best=text == best)


def best_text(column: Column, rows: Sequence[Entrant]) -> str | None:
    """The best number as it is written; None where neither way is better, or where all read the same."""
    values = [row.values[column.key] for row in rows if column.key in row.values]
    texts = {f"{value:.{column.digits}f}" for value in values}
    if column.higher_is_better is None or len(texts) < 2:
        return None
    return f"{(max if column.higher_is_better else min)(values):.{column.digits}f}"
