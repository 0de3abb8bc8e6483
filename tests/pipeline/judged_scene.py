"""All files that judging a scene needs, of the analytic world, and its trained method in the place of a checkpoint."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import EvaluateConfig, RenderViewsConfig, ReportConfig
from pipeline.evaluate import evaluate
from pipeline.formats.flow_file import FlowPair, write_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.geometry_file import Geometry, ObjectGeometry, write_geometry
from pipeline.formats.masks_file import write_masks, write_objects
from pipeline.formats.scene_file import Scene, write_scene
from pipeline.render_views import render_views
from pipeline.report import report
from pipeline.truth.correspondences import true_flow
from pipeline.truth.truth_file import Truth, write_truth
from tests.analytic_world import (
    CAMERA,
    FRAMES,
    HEIGHT,
    WIDTH,
    AnalyticMethod,
    analytic_method,
    analytic_scene,
    analytic_truth,
)

FLOW_ERROR_PX = 0.5
JUDGED = EvaluateConfig()
FEW_VIEWS = RenderViewsConfig(
    observed_frames=3, path_frames=4, held_out_frames=3, held_out_candidates=2, scale_samples=3, rays_per_chunk=1000
)


@dataclass
class JudgedScene:
    """A folder laid out as results/{scene}, and what is in it."""

    folder: Path
    truth: Truth
    scene: Scene
    name: str = "osn"

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    @property
    def splats(self) -> list[Path]:
        """The splats of its method, if it has some."""
        return [folder for folder in [self / self.name / "splats"] if folder.exists()]

    def render(self, with_truth: bool = True, config: RenderViewsConfig = FEW_VIEWS) -> None:
        truth = self / "truth.h5" if with_truth else None
        render_views(
            self / self.name / "checkpoint.pt",
            self / "scene.h5",
            self / "frames.json",
            None,
            truth,
            self / self.name / "renders",
            config,
        )

    def evaluate(self, with_truth: bool = True, config: EvaluateConfig = JUDGED) -> None:
        evaluate(
            self / "scene.h5",
            self / "frames.json",
            self / "flow.h5",
            self / "masks.h5",
            self / "geometry.json",
            [self / self.name / "checkpoint.pt"],
            [self / self.name / "renders"],
            self.splats,
            sorted((self / "records").glob("*.json")),
            self / "truth.h5" if with_truth else None,
            None,
            None,
            self / "metrics.csv",
            self / "evaluation.json",
            config,
        )

    def report(self, with_truth: bool = True) -> str:
        report(
            self / "frames",
            self / "frames.json",
            self / "flow.h5",
            self / "masks.h5",
            self / "objects.json",
            self / "geometry.json",
            self / "scene.h5",
            [self / self.name / "history.csv"],
            [self / self.name / "renders"],
            self.splats,
            self / "metrics.csv",
            self / "evaluation.json",
            sorted((self / "records").glob("*.json")),
            self / "method.json" if (self / "method.json").exists() else None,
            self / "inputs.json" if (self / "inputs.json").exists() else None,
            self / "depth" if (self / "depth").exists() else None,
            self / "truth.h5" if with_truth else None,
            self / "report.html",
            ReportConfig(video_width=96),
        )
        return (self / "report.html").read_text()


@dataclass
class AnalyticScene(JudgedScene):
    """A judged scene with the method that stands in the place of its checkpoint."""

    method: AnalyticMethod = field(kw_only=True)


def judged_scene(
    folder: Path, monkeypatch: pytest.MonkeyPatch, objects: int = 3, camera: str = "moving"
) -> AnalyticScene:
    """Every file of a scene of which all is known, trained by the method that knows all."""
    written = written_scene(folder, "osn", objects, camera)
    method = analytic_method(written.scene)

    def load_method(checkpoint: Path, written: Scene, device: torch.device) -> AnalyticMethod:
        method.scene = written
        return method

    for stage in ("render_views", "evaluate"):
        monkeypatch.setattr(f"pipeline.{stage}.load_method", load_method)
    (folder / "osn").mkdir()
    (folder / "osn/checkpoint.pt").write_bytes(b"")
    (folder / "osn/history.csv").write_text("step,phase,colour_loss\n0,a,0.5\n10,a,0.1\n20,b,0.02\n")
    return AnalyticScene(folder, written.truth, written.scene, method=method)


def written_scene(folder: Path, name: str, objects: int = 3, camera: str = "moving") -> JudgedScene:
    """Every file before training, of a scene that a method of this name is to learn; flow is off by half a pixel."""
    truth = analytic_truth()
    scene = analytic_scene(truth, objects)
    write_truth(folder / "truth.h5", truth)
    write_scene(folder / "scene.h5", scene, {})
    write_inputs(folder, truth)
    write_masks(folder / "masks.h5", np.where(scene.object_ids == 255, 0, scene.object_ids).astype(np.uint8), {})
    names = [entry["name"] for entry in scene.objects]
    entries = [{"id": k, "name": name, "evidence": {"area": 0.1}, "confidence": 0.9} for k, name in enumerate(names)]
    write_objects(folder / "objects.json", "motion", entries, ["masks were made for a test"])
    write_geometry(folder / "geometry.json", geometry(scene, camera))
    write_records(folder / "records", name)
    return JudgedScene(folder, truth, scene, name)


def geometry(scene: Scene, camera: str) -> Geometry:
    """All objects are sound, but the last moving one."""
    verdicts = ["ok"] * scene.object_count
    if scene.object_count > 1:
        verdicts[-1] = "weak"
    return Geometry.model_validate(
        {
            "intrinsics": tuple(CAMERA.values.tolist()),
            "intrinsics_source": "self_calibrated",
            "focal_std_px": 1.5,
            "camera": camera,
            "objects": [
                ObjectGeometry(
                    id=entry["id"],
                    name=entry["name"],
                    verdict=verdict,
                    reason="seen in all frames" if verdict == "ok" else "few <tracks> & little motion",
                    method="incremental",
                    numbers={"registered_frames": FRAMES, "reprojection_error_px": 0.25},
                )
                for entry, verdict in zip(scene.objects, verdicts, strict=True)
            ],
        }
    )


def write_inputs(folder: Path, truth: Truth) -> None:
    """Frames, and flow that is wrong by a constant."""
    for index, image in enumerate(truth.train.images):
        write_image(folder / "frames" / frame_name(index), image)
    frames = [{"file": frame_name(t), "time_s": t / 10, "source_index": t, "sharpness": 1.0} for t in range(FRAMES)]
    info = {"frames": frames, "height": HEIGHT, "width": WIDTH, "source": {"codec": "h264"}, "dropped": []}
    (folder / "frames.json").write_text(json.dumps(info))
    valid = np.ones((HEIGHT, WIDTH), bool)
    pairs = []
    for frame in range(FRAMES - 1):
        flow = (true_flow(truth, frame)[0] + [FLOW_ERROR_PX, 0]).astype(np.float32)
        pairs.append(FlowPair(flow, -flow, valid, valid))
    write_flow(folder / "flow.h5", pairs, len(pairs), (HEIGHT, WIDTH), {"backend": "dis", "model": "test"})


def write_records(folder: Path, method: str) -> None:
    """What two stages said of themselves."""
    folder.mkdir()
    for name, stage, warnings in (
        ("estimate_flow", "estimate_flow", []),
        (f"train_{method}", f"train_{method}", ["few valid scales"]),
        (f"render_views_{method}", "render_views", []),
    ):
        record = {
            "stage": stage,
            "seconds": 12.5,
            "peak_memory_mb": 512.0,
            "warnings": warnings,
            "versions": {"torch": "2.11.0"},
            "device": "cpu",
            "commit": "abc",
            "options": {"seed": 0},
        }
        (folder / f"{name}.json").write_text(json.dumps(record))
