"""The README's picture, from the results of the demo.

    python -m benchmarks.readme_picture results/demo docs/demo.png

Rows: times of the video. Columns: its frame, the masks found, the same view rendered, and a held-out view: rendered, and
the truth, which nothing but this comparison has seen.
"""

import argparse
from pathlib import Path

from pipeline.formats.frames_folder import read_frames, write_image
from pipeline.formats.masks_file import read_masks
from pipeline.formats.renders_folder import read_renders, read_set_images
from pipeline.reporting.pictures import overlay, sheet
from pipeline.truth.truth_file import read_truth

ROWS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    results, folder = arguments.results, arguments.results / "osn" / "renders"
    frames, ids = read_frames(results / "frames"), read_masks(results / "masks.h5")
    truth = read_truth(results / "truth.h5").test.images
    renders = read_renders(folder)
    observed, held_out = renders.of_kind("observed")[0], renders.of_kind("held_out")[0]
    seen, unseen = read_set_images(folder, observed), read_set_images(folder, held_out)
    panels = []
    for row in range(ROWS):
        index = (2 * row + 1) * len(seen) // (2 * ROWS)
        frame, view = observed.frames[index], held_out.views[index]
        panels += [frames[frame], overlay(frames[frame], ids[frame]), seen[index], unseen[index], truth[view]]
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    write_image(arguments.picture, sheet(panels, columns=5))


if __name__ == "__main__":
    main()
