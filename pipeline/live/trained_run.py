"""What the page is about: a trained scene among the results, or one that is still being trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.formats.scene_file import FLOW_FIELDS, Scene, read_scene
from pipeline.formats.splat_file import Splats
from pipeline.formats.splats_folder import read_object_splats
from pipeline.formats.tracks_file import Tracks, read_tracks
from pipeline.rendering.trained_method import METHODS, TrainedMethod, load_method, load_training
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError
from pipeline.runtime.resume_file import NAME as TRAINING

CHECKPOINT = "checkpoint.pt"
STATES = (CHECKPOINT, TRAINING)


@dataclass(frozen=True)
class TrainedRun:
    """A method of a scene as it is now; splats only where they are of this very state."""

    folder: Path  # results/NAME/METHOD
    scene: Scene
    method: TrainedMethod
    splats: Mapping[int, Splats]
    tracks: Tracks | None
    state: Path
    stamp: int

    @property
    def name(self) -> str:
        return self.folder.resolve().parent.name

    @property
    def label(self) -> str:
        training = " (in training)" if self.state.name == TRAINING else ""
        return f"{self.name}, {self.folder.resolve().name.replace('_', ' ')}{training}"


def read_run(results: Path) -> TrainedRun:
    """The run of a folder results/NAME, or of one method in it."""
    folder = method_folder(results)
    scene_file = folder.parent / "scene.h5"
    scene = read_scene(scene_file, without=FLOW_FIELDS)
    if not scene.visible[0].any():
        raise StageError(
            f"{folder.parent} has no frame with a known camera, so there is nothing to look at; see geometry.json"
        )
    tracks = folder.parent / "tracks.h5"
    return read_state(folder, scene, read_tracks(tracks) if tracks.exists() else None)


def read_state(folder: Path, scene: Scene, tracks: Tracks | None) -> TrainedRun:
    """The method in its newest state, with the splats of it if they were made."""
    state = newest_state(folder)
    stamp = state.stat().st_mtime_ns
    if state.name == TRAINING:
        method = load_training(state, folder.resolve().name, scene, stage_device())
        return TrainedRun(folder, scene, method, {}, tracks, state, stamp)
    splats = folder / "splats"
    fitting = splats.is_dir() and splats.stat().st_mtime_ns >= stamp
    method = load_method(state, scene, stage_device())
    return TrainedRun(folder, scene, method, read_object_splats(splats) if fitting else {}, tracks, state, stamp)


def method_folder(results: Path) -> Path:
    """results/NAME/METHOD of what was given: a method's folder, or a scene's, of whose methods the first is taken."""
    if results.resolve().name in METHODS and (results.resolve().parent / "scene.h5").exists():
        return results
    if not (results / "scene.h5").exists():
        raise StageError(f"{results / 'scene.h5'} does not exist; give the results of a scene, as results/NAME")
    found = [results / name for name in METHODS if any((results / name / file).exists() for file in STATES)]
    if not found:
        raise StageError(
            f"{results} has no trained method ({', '.join(METHODS)}), and none that trains; run "
            f"`snakemake --cores all {results / 'report.html'}`"
        )
    return found[0]


def newest_state(folder: Path) -> Path:
    """The checkpoint, or what a training that began after it has kept last."""
    states = [folder / file for file in STATES if (folder / file).exists()]
    if not states:
        raise StageError(f"{folder} has neither {CHECKPOINT} nor {TRAINING}; train first, or wait for a minute")
    return max(states, key=lambda path: path.stat().st_mtime_ns)
