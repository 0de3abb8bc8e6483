"""The table of a benchmark: scenes by methods by depth supervision, means and spreads over seeds.

Reads   the folders of all runs, SCENE/SUPERVISION_SEED/METHOD, with metrics.csv, history.csv and renders/; truth.h5 of each scene
Writes  table.csv    mean, spread, number of seeds, and whether it is the best beyond the spread
        table.tex    the same for LaTeX, with booktabs
        table.html   the same to look at, with a held-out view of every method beside the true one, and how trainings went
"""

import logging
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline.cli import run_stage
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.tabulation.page import latex, page
from pipeline.tabulation.runs import Run, numbers
from pipeline.tabulation.summary import summary
from pipeline.truth.truth_file import read_truth

log = logging.getLogger(__name__)


def tabulate_benchmark(runs: list[Path], truths: list[Path], csv: Path, tex: Path, html: Path) -> None:
    found = [Run(folder) for folder in runs]
    scenes = list(dict.fromkeys(run.scene for run in found))
    table = summary(numbers(found))
    with whole(csv) as partial:
        table.to_csv(partial, index=False)
    with whole(tex) as partial:
        partial.write_text(latex(table))
    with whole(html) as partial:
        partial.write_text(page(html.resolve().parent.name, table, found, true_views(scenes, truths)))
    log.info("%d runs of %d scenes are in %s", len(found), len(scenes), html)


def true_views(scenes: list[str], truths: list[Path]) -> dict[str, UInt8[np.ndarray, "view height width rgb=3"]]:
    """The images of truth's test views, by scene; one file a scene, in the order of the scenes."""
    if len(truths) != len(scenes):
        raise StageError(
            f"{len(truths)} truth files were given for {len(scenes)} scenes; give one a scene, in their order"
        )
    return {scene: read_truth(path).test.images for scene, path in zip(scenes, truths, strict=True)}


if __name__ == "__main__":
    run_stage(tabulate_benchmark)
