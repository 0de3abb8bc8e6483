"""A benchmark's table as a page with pictures side by side, and as LaTeX."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from jinja2 import Environment
from markupsafe import Markup, escape

from pipeline.formats.metrics_table import MEANINGS
from pipeline.formats.renders_folder import read_renders, read_set_images
from pipeline.reporting.embedding import image_uri
from pipeline.reporting.facts import method_title
from pipeline.tabulation.curves import curves
from pipeline.tabulation.runs import Run, title_of
from pipeline.tabulation.summary import columns_of, pivoted

TEMPLATE = Path(__file__).parent / "template.html"
SUPERVISION_WORDS = {
    "own": "its own use of sparse points",
    "none": "no depth",
    "sfm": "sparse depth",
    "maps": "depth maps",
}
LATEX_SPECIAL = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "±": r"$\pm$"}


def page(name: str, table: pd.DataFrame, runs: list[Run], truths: dict[str, np.ndarray]) -> str:
    """The whole page; `truths` are true test images by scene."""
    parts = [
        {
            "title": title_of(*column),
            "meaning": meaning(column[2]),
            "scenes": list(cells.columns),
            "rows": [(*row_titles(*row), [bold(text) for text in texts]) for row, texts in zip_rows(cells)],
        }
        for column in columns_of(table)
        for cells in [pivoted(table, column)]
    ]
    environment = Environment(autoescape=True)
    return environment.from_string(TEMPLATE.read_text()).render(
        name=name,
        parts=parts,
        pictures=pictures(runs, truths),
        curves=[
            group | {"figure": Markup(group["figure"]), "supervision": words(group["supervision"])}
            for group in curves(runs)
        ],
        seeds=sorted({run.seed for run in runs}),
    )


def zip_rows(cells: pd.DataFrame) -> list[tuple[tuple[str, str], list[str]]]:
    """Method and supervision of every row, and its cells."""
    return [(row, list(values)) for row, values in zip(cells.index, cells.to_numpy(), strict=True)]


def row_titles(method: str, supervision: str) -> tuple[str, str]:
    return method_title(method), words(supervision)


def words(supervision: str) -> str:
    return SUPERVISION_WORDS.get(supervision, supervision)


def meaning(metric: str) -> str:
    """What a number is, its unit, and which way is better."""
    told = MEANINGS[metric]
    way = {True: "higher is better", False: "lower is better", None: ""}[told.higher_is_better]
    return "; ".join(part for part in (told.sentence, told.unit, way) if part)


def bold(text: str) -> Markup:
    """Stars as HTML."""
    if text.startswith("**"):
        return Markup("<b>{}</b>").format(text.strip("*"))
    return Markup(escape(text))


def pictures(runs: list[Run], truths: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """By scene, one held-out view as it is and as every method shows it, of the first seed."""
    found = []
    for scene in dict.fromkeys(run.scene for run in runs):
        own = [run for run in runs if run.scene == scene and run.seed == min(run.seed for run in runs)]
        views = [(run, *middle_view(run)) for run in own]
        row = views[0][2] if views else -1
        true = [("truth", "", image_uri(truths[scene][row]))] if scene in truths and row >= 0 else []
        shown = [(*row_titles(run.method, run.depth_supervision), image_uri(image)) for run, image, _ in views]
        found.append({"scene": scene, "views": true + shown})
    return found


def middle_view(run: Run) -> tuple[UInt8[np.ndarray, "height width rgb=3"], int]:
    """A held-out view of the middle of the clip, and its row among truth's test views."""
    folder = run.folder / "renders"
    entry = read_renders(folder).of_kind("held_out")[0]
    middle = len(entry.views) // 2
    return read_set_images(folder, entry)[middle], entry.views[middle]


def latex(table: pd.DataFrame) -> str:
    """A tabular for each number, with booktabs' rules."""
    blocks = []
    for column in columns_of(table):
        cells = pivoted(table, column)
        rows = [
            " & ".join([*map(escaped, row_titles(*row)), *map(latex_cell, texts)]) for row, texts in zip_rows(cells)
        ]
        head = " & ".join(["method", "depth", *map(escaped, cells.columns)])
        body = " \\\\\n".join(rows)
        columns = "ll" + "c" * len(cells.columns)
        blocks.append(
            f"% {title_of(*column)}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head} \\\\\n\\midrule\n{body} \\\\\n"
            "\\bottomrule\n\\end{tabular}\n"
        )
    return "\n".join(blocks)


def latex_cell(text: str) -> str:
    """Stars as LaTeX's bold."""
    return rf"\textbf{{{escaped(text.strip('*'))}}}" if text.startswith("**") else escaped(text)


def escaped(text: str) -> str:
    return "".join(LATEX_SPECIAL.get(character, character) for character in text)
