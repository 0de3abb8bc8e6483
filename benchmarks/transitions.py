"""Dissolves and fades between real clips: how many are found, how near their ends, and what is found where there is none.

    python -m benchmarks.transitions CLIP CLIP [CLIP ...] [--pairs 14]

Every clip is looked at alone, then at a half and a third of its rate: nothing should be found. Then random pairs are joined
by a dissolve, a fade through black and one through white, of several lengths, with a little noise.
"""

import argparse
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np

from pipeline.footage.shots import find_changes
from pipeline.footage.survey import Survey, reduced
from pipeline.formats.video_source import open_source

LENGTHS = (6, 12, 24, 40)
THROUGH = {"dissolve": None, "black": 0.0, "white": 255.0}
SIZE = (128, 72)
SHOT = 30  # frames of each clip beside the transition, as far as it has them
FEWEST = 25
NEAR = 2  # frames between a transition and the frames that are found around it
NOISE = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--pairs", type=int, default=14, help="joined for each kind and length")
    arguments = parser.parse_args()
    clips = {path.stem: small_pictures(path) for path in arguments.clips}
    false = sum(len(found_in(pictures[::step])) for pictures in clips.values() for step in (1, 2, 3))
    print(f"{false} changes found in {len(clips)} clips at three rates, each of one shot")
    print(f"{'kind':10} {'frames':>6} {'found':>8}   frames of the transition left in the shots (mean before, after)")
    for kind in THROUGH:
        for length in LENGTHS:
            found = [joined_pair(*pair, kind, length) for pair in chosen(clips, length, arguments.pairs)]
            right = [ends for ends in found if ends is not None]
            left = np.mean(np.maximum(right, 0), axis=0) if right else np.zeros(2)
            print(f"{kind:10} {length:6} {len(right):3} of {len(found):2}   {left[0]:.1f}, {left[1]:.1f}", flush=True)


def small_pictures(path: Path) -> list[np.ndarray]:
    return [reduced(frame.image) for frame in open_source(path).glance() if frame.image is not None]


def found_in(pictures: list[np.ndarray]) -> list[tuple[int, int]]:
    """The last frame of each shot but the last, and the first of the next."""
    small = np.stack(pictures)
    lines = np.zeros((len(small), 1), np.float32)
    return find_changes(Survey(np.arange(len(small)), small, lines, lines))


def chosen(
    clips: dict[str, list[np.ndarray]], length: int, count: int
) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Random pairs of clips that are long enough."""
    long_enough = [name for name, pictures in clips.items() if len(pictures) >= FEWEST + length]
    pairs = list(permutations(long_enough, 2))
    order = np.random.default_rng(length).permutation(len(pairs))[:count]
    fitted = {
        name: [cv2.resize(one, SIZE, interpolation=cv2.INTER_AREA) for one in clips[name]] for name in long_enough
    }
    return [(fitted[pairs[place][0]], fitted[pairs[place][1]]) for place in order]


def joined_pair(one: list[np.ndarray], other: list[np.ndarray], kind: str, length: int) -> tuple[int, int] | None:
    """How many frames of the transition are left in the shots before and after it; None where it is not all that is found."""
    before, after = one[: SHOT + length], other[: SHOT + length]
    start = len(before) - length
    mixed = [blend(before[start + n], after[n], (n + 1) / (length + 1), THROUGH[kind]) for n in range(length)]
    rng = np.random.default_rng(0)
    pictures = [
        (picture + rng.normal(0, NOISE, picture.shape)).clip(0, 255).astype(np.uint8)
        for picture in [*before[:start], *mixed, *after[length:]]
    ]
    found = found_in(pictures)
    if len(found) != 1 or found[0][1] < start - NEAR or found[0][0] > start + length + NEAR:
        return None
    return found[0][0] - (start - 1), start + length - found[0][1]


def blend(a: np.ndarray, b: np.ndarray, weight: float, through: float | None) -> np.ndarray:
    """A picture on its way from one to another, directly or through a level of grey."""
    if through is None:
        return (1 - weight) * a + weight * b
    first, last = max(0.0, 1 - 2 * weight), max(0.0, 2 * weight - 1)
    return first * a + last * b + (1 - first - last) * through


if __name__ == "__main__":
    main()
