"""Where finished runs show something else than their video: what evaluate finds, for many runs in one table.

    python -m benchmarks.unexplained_pixels results/demo results/my_clip --method osn

Columns: share of the observed views that is shown otherwise; regions of at least half a percent of a view; the largest one:
frame, place, its size in percent of the view, and whose mask is there (0 is the background).
"""

import argparse
from pathlib import Path

from pipeline.evaluation.unexplained_pixels import unexplained_results
from pipeline.formats.renders_folder import read_renders
from pipeline.formats.scene_file import FLOW_FIELDS, read_scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="results/NAME of runs that have been rendered")
    parser.add_argument("--method", default="osn")
    given = parser.parse_args()
    print(f"{'run':<24}{'share %':>9}{'regions':>9}  largest")
    for run in given.runs:
        renders = run / given.method / "renders"
        found = unexplained_results(renders, read_renders(renders), read_scene(run / "scene.h5", without=FLOW_FIELDS))
        regions = found.notes["unexplained"]
        place = "frame {frame} ({x}, {y}) {percent} %, object {object_id}".format(**regions[0]) if regions else ""
        print(f"{run.name:<24}{found.findings.rows[0].value:>9.2f}{len(regions):>9}  {place}")


if __name__ == "__main__":
    main()
