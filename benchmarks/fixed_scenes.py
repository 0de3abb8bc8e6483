"""The digests of our own benchmark scenes, beside those that their version has.

    python -m benchmarks.fixed_scenes
    python -m benchmarks.fixed_scenes --scenes indoor_0 many_truths

Prints a line a scene: its digest, whether it is the one in pipeline/settings/fixed_scenes.py, the share of the pixels
that each object takes, and the seconds that it took.
"""

import argparse
import time

import torch

from pipeline.config import FIXED_SCENES
from pipeline.simulate_scene import random_world, render_truth
from pipeline.truth.fixed_scenes import truth_digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="+", default=list(FIXED_SCENES), choices=list(FIXED_SCENES))
    for name in parser.parse_args().scenes:
        start, fixed = time.monotonic(), FIXED_SCENES[name]
        truth = render_truth(random_world(fixed.config, torch.device("cpu")), fixed.config)
        found = truth_digest(truth)
        same = "as it should be" if found == fixed.digest else f"expected {fixed.digest or 'nothing yet'}"
        shares = [f"{100 * float((truth.train.object_ids == k).mean()):.1f}" for k in range(truth.object_count)]
        print(f"{name:12} {found} {same}; objects {' '.join(shares)} %; {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
