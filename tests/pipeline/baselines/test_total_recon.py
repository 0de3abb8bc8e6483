"""Total-Recon from a scene: what its scales rest on, that they are found, and that a killed run ends the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.baselines import total_recon
from pipeline.baselines.total_recon import FirstScales, fields_config, first_scales, started, told_depths
from pipeline.config import TrainBaselineConfig
from pipeline.formats.metrics_table import read_metrics
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.osn import training
from pipeline.rendering.trained_method import load_method
from pipeline.runtime.errors import StageError
from pipeline.train_baseline import train_baseline
from tests.pipeline.judged_scene import written_scene
from tests.pipeline.kills import different
from tests.pipeline.test_train_osn import changed, one_object
from tests.synthetic import SyntheticScene, synthetic_truth, write_synthetic_scene

CPU = torch.device("cpu")
TINY = {
    "bootstrap_steps": 4,
    "steps": 5,
    "grids": [16],
    "density_channels": 2,
    "colour_channels": 2,
    "samples_per_step": 2048,
}


def tiny(supervision: str = "none", **changes: object) -> TrainBaselineConfig:
    return TrainBaselineConfig.model_validate(
        {
            **{"method": "total_recon", "depth_supervision": supervision, "shards": 2, "resume_seconds": 0},
            "total_recon": {**TINY, **changes},
        }
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("total_recon"))


@pytest.fixture(scope="module")
def scene(written: SyntheticScene) -> Scene:
    return read_scene(written.scene)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """True depth, in a unit that is not the scene's."""
    folder = tmp_path_factory.mktemp("maps")
    np.save(folder / "depth.npy", 3 * synthetic_truth().train.depth.astype(np.float32))
    return folder


def train(
    scene: Path, folder: Path, config: TrainBaselineConfig, depth: Path | None = None
) -> total_recon.TotalReconMethod:
    train_baseline(scene, depth, folder / "checkpoint.pt", folder / "history.csv", config)
    method = load_method(folder / "checkpoint.pt", read_scene(scene), CPU)
    assert isinstance(method, total_recon.TotalReconMethod)
    return method


def test_scales_begin_where_maps_or_the_slowest_motion_say_and_tell_which(scene: Scene, maps: Path) -> None:
    told = first_scales(scene, maps)
    assert told.scales == pytest.approx([1, 1, 1], abs=0.01) and told.rests_on[1:] == ["depth maps"] * 2
    slowest = first_scales(scene, None)
    assert slowest.rests_on[1:] == [total_recon.SLOWEST] * 2 and slowest.scales[0] == 1
    still = replace(scene, visible=scene.visible & (np.arange(scene.frame_count) == 0))
    assert first_scales(still, None).rests_on[1:] == [total_recon.NOTHING] * 2


def test_depths_that_are_told_are_those_of_the_scene_by_the_first_scales(scene: Scene, maps: Path) -> None:
    first = np.array([1.0, 2.0, 0.5])
    depths = told_depths("maps", scene, maps, 0, first)
    owner = torch.from_numpy(scene.object_ids).flatten()[depths.pixel].long()
    true = torch.from_numpy(synthetic_truth().train.depth).flatten()[depths.pixel].float()
    assert set(owner.tolist()) == {0, 1, 2}
    assert (depths.depth * torch.from_numpy(first).float()[owner] / true - 1).abs().median() < 0.01
    assert not len(told_depths("none", scene, None, 0, first).pixel)
    assert len(told_depths("sfm", scene, None, 0, first).pixel) > 100


def test_it_has_one_scale_an_object_six_numbers_a_root_pose_and_the_rest_is_osns(scene: Scene) -> None:
    """Total-Recon's own parameters: of 2 moving objects 2 scales, of 3 root bodies in 9 frames 162 numbers."""
    fields = started(scene, fields_config(tiny("maps")), CPU, FirstScales(np.array([1, 2, 0.5]), ["", "", ""])).fields
    assert fields.learnt_scales().tolist() == pytest.approx([1, 2, 0.5])
    own = {name: value.numel() for name, value in fields.named_parameters() if "." not in name}
    assert own == {"log_scales": 2, "corrections": 3 * scene.frame_count * 6}


def test_depth_counts_only_where_it_is_asked_for() -> None:
    assert fields_config(tiny("none")).depth_weight == 0 and fields_config(tiny("sfm")).depth_weight == 10


def test_wrong_scales_are_corrected_by_depth_and_the_video_is_learnt(
    written: SyntheticScene, scene: Scene, maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boxes before a wall, a scene of its own kind: rigid things with depth."""
    wrong = FirstScales(np.array([1.0, 1.05, 0.96]), ["", "a guess", "a guess"])
    monkeypatch.setattr(total_recon, "first_scales", lambda scene, maps: wrong)
    sizes = {"grids": [24], "density_channels": 8, "colour_channels": 8, "samples_per_step": 6144}
    config = tiny("maps", bootstrap_steps=30, steps=50, **sizes)
    method = train(written.scene, tmp_path, config, maps)
    assert method.scales[0].tolist() == pytest.approx([1, 1, 1], abs=0.02)
    assert "from 1.050 by a guess to" in method.remarks["what the scales rest on"]
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["psnr_db"].iloc[-1] > history["psnr_db"].iloc[0] + 3
    assert not method.judges_scales and method.knows_objects and method.validity(method.scales).tolist() == [1.0]


def test_a_killed_training_ends_to_the_last_bit_like_one_that_was_not(
    written: SyntheticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("sfm")
    train(written.scene, tmp_path / "whole", config)
    note = training.note

    def killed(state: training.TrainingState, *given: object) -> None:
        if state.field_step == 7:
            raise KeyboardInterrupt
        note(state, *given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(training, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            train(written.scene, tmp_path / "killed", config)
    train(written.scene, tmp_path / "killed", config)
    assert different(tmp_path / "killed/checkpoint.pt", tmp_path / "whole/checkpoint.pt") == []


def test_it_is_rendered_and_judged_with_its_objects(tmp_path: Path) -> None:
    judged = written_scene(tmp_path, "total_recon")
    method = train(judged / "scene.h5", judged / "total_recon", tiny())
    assert "no depth" in method.remarks["what the scales rest on"]
    judged.render()
    judged.evaluate()
    own = read_metrics(judged / "metrics.csv").query("method == 'total_recon' and stage == 'render_views'")
    assert {"psnr_db", "ssim"} <= set(own[own["item"] == "held_out"]["metric"]) and "miou" in set(own["metric"])


def test_maps_are_asked_for_where_there_are_none(written: SyntheticScene, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="depth_supervision: maps needs depth maps"):
        train(written.scene, tmp_path, tiny("maps"))


def test_a_scene_in_which_nothing_moves_has_no_scale_to_learn(written: SyntheticScene, tmp_path: Path) -> None:
    still = changed(written.scene, tmp_path / "still.h5", **one_object(read_scene(written.scene)))
    assert train(still, tmp_path, tiny()).scales.tolist() == [[1.0]]
