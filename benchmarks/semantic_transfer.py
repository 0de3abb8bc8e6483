"""What a shared semantic network is worth: scenes trained as one model, then another that starts from it, in few steps.

    python -m benchmarks.semantic_transfer --seeds 1 2 3 --work /tmp/semantic_transfer

The last scene is the new one. It is trained alone for four times the steps of its adaptation, alone in as few steps, and
from the model of the others; those are trained alone too. Poses and sparse depths are the true ones with noise, flow is estimated.
Columns: PSNR and mIoU on held-out views, mIoU in the training camera at times without labels (task full: all times).
Every line is kept in the work folder; what is there is not made again.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import gettempdir

import torch

from benchmarks.semantic_flow import TASKS, Cell, judged_checkpoint, known_scene, line, simulated
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.scene_file import write_scene
from pipeline.semantic_flow.shared_semantics import adaptation
from pipeline.train_semantic_flow import train_semantic_flow
from pipeline.train_shared_semantics import train_shared_semantics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truths", nargs="*", type=Path, help="truth.h5 files")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="simulated scenes besides")
    parser.add_argument("--task", choices=list(TASKS), default="full")
    parser.add_argument("--factor", type=int, default=1, help="images are shrunk by it")
    parser.add_argument("--options", type=json.loads, default={}, help="more settings of train_semantic_flow, JSON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(gettempdir()) / "semantic_transfer")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    truths = [*chosen.truths, *(simulated(seed, chosen.work) for seed in chosen.seeds)]
    if len(truths) < 3:
        parser.error("give three scenes or more: the last one adapts to what the others share")
    config = TrainSemanticFlowConfig.model_validate({**chosen.options, **TASKS[chosen.task]})
    Transfer(truths, config, chosen.task, chosen.factor, chosen.work).run()


LONGER = 4  # times as many steps as adaptation, for the new scene alone


class Transfer:
    """All trainings of the comparison, each in a folder of its own."""

    def __init__(self, truths: list[Path], config: TrainSemanticFlowConfig, task: str, factor: int, work: Path) -> None:
        self.truths, self.config, self.task, self.factor, self.work = truths, config, task, factor, work
        self.shared = work / "shared" / "checkpoint.pt"

    def run(self) -> None:
        """Train, judge, print, and say how far the adapted scene is from the one that was trained alone."""
        *known, new = self.truths
        few, shared = adaptation(self.config), self.model()
        steps = {"steps": LONGER * few.steps, "static_steps": LONGER * few.static_steps}
        long = self.config.model_copy(update=steps)
        alone = self.cell(new, "alone", lambda folder: self.train(new, folder, long))
        adapted = self.cell(new, "adapted", lambda folder: self.train(new, folder, self.config, shared))
        short = self.cell(new, "alone, few steps", lambda folder: self.train(new, folder, few))
        for name, other in (("alone", alone), ("alone, few steps", short)):
            print(
                f"adapted in {few.static_steps} + {few.steps} steps against {name}: "
                f"views {adapted.view_miou - other.view_miou:+.3f}, times {adapted.time_miou - other.time_miou:+.3f} mIoU"
            )
        for truth in known:
            self.cell(truth, "shared", partial(self.train, truth, config=self.config, start=shared))
            self.cell(truth, "alone", partial(self.train, truth, config=self.config))

    def model(self) -> Path:
        """The model of all scenes but the last, trained once."""
        if not self.shared.exists():
            scenes = [self.scene(truth) for truth in self.truths[:-1]]
            train_shared_semantics(scenes, None, self.shared, self.shared.with_name("history.csv"), self.config)
        return self.shared

    def scene(self, truth: Path) -> Path:
        """The scene file of a truth, written once, so that it is known again."""
        path = self.work / truth.absolute().parent.name / "scene.h5"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_scene(path, known_scene(truth, self.factor)[0], {})
        return path

    def train(self, truth: Path, folder: Path, config: TrainSemanticFlowConfig, start: Path | None = None) -> None:
        checkpoint, history = folder / "checkpoint.pt", folder / "history.csv"
        train_semantic_flow(self.scene(truth), None, None, None, start, checkpoint, history, config)

    def cell(self, truth: Path, variant: str, make: Callable[[Path], None]) -> Cell:
        """A training judged, from the work folder or made now; its line is printed."""
        name = truth.absolute().parent.name
        folder = self.work / f"{name} {variant}"
        kept = folder / "cell.json"
        if kept.exists():
            cell = Cell(**json.loads(kept.read_text()))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            start = time.process_time()
            make(folder)
            seconds = time.process_time() - start
            scene, test = known_scene(truth, self.factor)
            cell = judged_checkpoint(name, self.task, variant, scene, test, folder / "checkpoint.pt", seconds)
            kept.write_text(json.dumps(asdict(cell)))
        print(line(cell), flush=True)
        return cell


if __name__ == "__main__":
    main()
