"""Pages of the live viewer for tests: runs of the analytic scene, and one who looks."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from pipeline.formats.splat_file import Splats
from pipeline.live.page import LivePage
from pipeline.live.scene_choice import quaternion
from pipeline.live.trained_run import TrainedRun
from tests.pipeline.reporting.test_interactive import surface_splats

CONFIG = "scenes:  # mine\n  demo:\n    video: simulate  # a scene\n"


def a_run(folder: Path, method: Any) -> TrainedRun:
    """A finished run of the analytic scene."""
    (folder / "osn").mkdir(parents=True)
    state = folder / "osn" / "checkpoint.pt"
    state.touch()
    splats = {k: few_splats(k) for k in range(3)}
    return TrainedRun(folder / "osn", method.scene, method, splats, None, state, state.stat().st_mtime_ns)


def few_splats(index: int) -> Splats:
    """As many as software draws at once; each as much larger."""
    splats, step = surface_splats(index), 12
    kept = {name: value[::step] for name, value in vars(splats).items()}
    return Splats(**{**kept, "log_scales": kept["log_scales"] + 0.5 * np.log(step).astype(np.float32)})


class LookingClient(SimpleNamespace):
    """One who looks from the film's camera, and keeps what is told."""

    def __init__(self, page: LivePage) -> None:
        scene = page.run.scene
        pose = scene.object_from_camera[0, page.choice.frame].astype(float)
        super().__init__(
            camera=SimpleNamespace(
                fov=2 * np.arctan(scene.camera.height / 2 / scene.camera.fy),
                aspect=scene.camera.width / scene.camera.height,
                wxyz=quaternion(pose[:3, :3]),
                position=pose[:3, 3] * page.unit,
            ),
            told=[],
        )

    def add_notification(self, title: str, body: str, **more: Any) -> None:
        self.told.append(f"{title}: {body}")


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "what was waited for never came"
        time.sleep(0.01)
