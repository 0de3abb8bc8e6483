"""Depth maps such as a network for monocular depth would give, made from truth: for benchmarks where no network is at hand.

    python -m benchmarks.simulated_disparity results/demo/truth.h5 /tmp/disparity
    snakemake --config video=clip.mp4 depth=/tmp/disparity ...

What such networks get wrong is put in on purpose: it is disparity, with a scale and shift of its own in every frame; every
object's depth is off by a factor of its own; borders are blurred. Whatever is supervised by it is supervised by
`simulated_disparity`, and has to be called so.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from pipeline.formats.frames_folder import frame_name
from pipeline.runtime.atomic import whole
from pipeline.truth.truth_file import read_truth

OBJECT_BIAS = 0.1  # standard deviation of the logarithm of an object's factor
FRAME_SCALE, FRAME_SHIFT = 0.2, 0.1  # of the logarithm of a frame's scale; of its shift, in median disparities
BLUR = 0.01  # of the width
LEAST_DISPARITY = 0.2  # of the smallest disparity of a frame that a shift leaves


def simulated_disparity(
    depth: Float[np.ndarray, "frame height width"],
    object_ids: UInt8[np.ndarray, "frame height width"],
    random: np.random.Generator,
) -> Float[np.ndarray, "frame height width"]:
    """Disparity of true depth with errors; depth that is not known, 0, has none."""
    factors = np.exp(OBJECT_BIAS * random.standard_normal(256))
    factors[0] = 1.0  # that of the background is part of each frame's scale
    maps = []
    for true, ids in zip(depth.astype(np.float64), object_ids, strict=True):
        known = np.isfinite(true) & (true > 0)
        disparity = np.where(known, 1 / np.where(known, true * factors[ids], 1.0), 0.0)
        disparity = cv2.GaussianBlur(disparity, (0, 0), BLUR * depth.shape[2])
        scale, shift = np.exp(FRAME_SCALE * random.standard_normal()), FRAME_SHIFT * random.standard_normal()
        least = disparity[known].min() if known.any() else 0.0
        shift = max(shift * float(np.median(disparity)), -(1 - LEAST_DISPARITY) * least)
        maps.append(np.where(known, scale * (disparity + shift), 0.0))
    return np.stack(maps).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path, help="truth.h5 of the video")
    parser.add_argument("folder", type=Path, help="where to write one map for each frame of the video")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train = read_truth(given.truth).train
    maps = simulated_disparity(train.depth, train.object_ids, np.random.default_rng(given.seed))
    with whole(given.folder) as partial:
        partial.mkdir()
        for index, disparity in enumerate(maps):
            np.save(partial / Path(frame_name(index)).with_suffix(".npy"), disparity)
    print(f"simulated_disparity of {len(maps)} frames is in {given.folder}")


if __name__ == "__main__":
    main()
