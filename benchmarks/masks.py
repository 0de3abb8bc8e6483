"""Motion segmentation against truth: IoU, id switches and seconds for each scene, in one table.

    python -m benchmarks.masks SCENE [SCENE ...] [--clicks]
    python -m benchmarks.masks --seeds 18 43 68

SCENE is a folder with video.mp4 and truth.h5 (as simulate_scene writes them), seeds are scenes of
benchmarks/footage_kinds.py; flow is DIS's. With --clicks every object gets one click on frame 0, at the point of its true
mask farthest from the border.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.flow import decoded
from benchmarks.footage_kinds import kind_of, scene_settings
from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.masks_file import read_masks
from pipeline.segment_objects import segment_objects
from pipeline.simulate_scene import simulate_scene
from pipeline.truth.truth_file import read_truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", type=Path, nargs="*", help="folders with video.mp4 and truth.h5")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="scenes of benchmarks/footage_kinds.py")
    parser.add_argument("--clicks", action="store_true")
    arguments = parser.parse_args()
    print(
        f"{'scene':24} {'objects':>8} {'found':>6} {'mean IoU':>9} {'switches':>9} {'seconds':>8}   IoU of each object"
    )
    for scene in arguments.scenes:
        print(row(scene, scene.name, arguments.clicks), flush=True)
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            simulate_scene(Path(folder) / "video.mp4", Path(folder) / "truth.h5", scene_settings(seed))
            print(row(Path(folder), f"{kind_of(seed)} ({seed})", arguments.clicks), flush=True)


def row(scene: Path, name: str, clicked: bool) -> str:
    """A scene's line of the table."""
    truth = read_truth(scene / "truth.h5").train.object_ids
    with tempfile.TemporaryDirectory() as folder:
        ids, seconds = segmented(scene / "video.mp4", Path(folder), clicks(truth) if clicked else [])
    each, switches = judged(ids, truth)
    found = len(np.unique(ids[(ids > 0) & (ids < 255)]))
    start = f"{name:24} {len(each):8} {found:6} {np.mean(each):9.3f} {switches:9} {seconds:8.1f}   "
    return start + " ".join(f"{iou:.2f}" for iou in each)


def segmented(video: Path, folder: Path, prompts: list[Prompt]) -> tuple[np.ndarray, float]:
    """The stage's masks of a video, and the seconds that it took without the flow."""
    for index, image in enumerate(decoded(video)):
        write_image(folder / "frames" / frame_name(index), image)
    flow, masks, objects = folder / "flow.h5", folder / "masks.h5", folder / "objects.json"
    estimate_flow(folder / "frames", None, flow, EstimateFlowConfig())
    start = time.perf_counter()
    segment_objects(folder / "frames", None, flow, None, None, masks, objects, SegmentObjectsConfig(prompts=prompts))
    return read_masks(masks), time.perf_counter() - start


def judged(ids: np.ndarray, truth: np.ndarray) -> tuple[list[float], int]:
    """Each true object's IoU, a mean over its frames, under one best matching for the whole clip; and id switches.

    A switch: in a frame, another id covers a true object best than in the frame before.
    """
    objects, found = [[int(k) for k in np.unique(a) if 0 < k < 255] for a in (truth, ids)]
    table = np.zeros((len(objects), len(found), len(truth)))
    for i, a in enumerate(objects):
        for j, b in enumerate(found):
            union = ((truth == a) | (ids == b)).sum((1, 2))
            table[i, j] = ((truth == a) & (ids == b)).sum((1, 2)) / np.maximum(union, 1)
    seen = [(truth == k).any((1, 2)) for k in objects]
    means = np.array([[row[f].mean() for row in rows] for rows, f in zip(table, seen, strict=True)])
    means = means.reshape(len(objects), len(found))
    each = np.zeros(len(objects))
    rows, columns = linear_sum_assignment(-means)
    each[rows] = means[rows, columns]
    return each.tolist(), sum(switch_count(table[i][:, seen[i]]) for i in range(len(objects)) if found)


def switch_count(table: np.ndarray) -> int:
    """How often the best id of one object changes; frames in which nothing covers it do not count."""
    best = [int(column.argmax()) for column in table.T if column.max() > 0.1]
    return int(np.count_nonzero(np.diff(best)))


def clicks(truth: np.ndarray) -> list[Prompt]:
    """One click on each object that frame 0 shows."""
    hints = []
    for k in (int(k) for k in np.unique(truth[0]) if 0 < k < 255):
        depth = cv2.distanceTransform(np.pad(truth[0] == k, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        hints.append(Prompt(object=k, frame=0, points=[(column + 0.5, row + 0.5)]))
    return hints


if __name__ == "__main__":
    main()
