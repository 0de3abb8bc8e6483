"""Click on the objects of a video, and get the `prompts:` of its scene.

    python -m pipeline.pick_prompts clip.mp4

serves a page on this machine that steps through the frames which the pipeline will see, and shows what each click cuts
out. The clicks are shown as a block of YAML to copy, and saved into config.yaml when asked for. Not a stage: nothing in
the graph depends on it.
"""

import argparse
import json
import logging
import subprocess
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pipeline.cli import port, run_server
from pipeline.config import Config, EstimateFlowConfig, ExtractFramesConfig, Prompt, SceneConfig, SegmentObjectsConfig
from pipeline.formats.frames_folder import frame_paths, read_frame, read_json
from pipeline.picker.mask_answers import MadeMasks
from pipeline.picker.server import PickerScene, PickerServer
from pipeline.runtime.config_edit import parsed, read_text
from pipeline.runtime.config_file import SIMULATE, check_scene, checked_config, stage_options
from pipeline.runtime.errors import StageError

log = logging.getLogger("pipeline.pick_prompts")
RESULTS, WEIGHTS = Path("results"), Path("weights")


def pick_prompts(clip: str, config: Path, name: str | None, frames: Path | None, port: int, browser: bool) -> None:
    """Serve the page until interrupted."""
    settings = checked_config(parsed(read_text(config)), [config])
    name, video = scene_of(clip, name, settings)
    settings = with_scene(settings, name, video)
    if settings.scenes[name].masks:
        log.warning(
            "scenes.%s has masks: of its own, which count instead of prompts; remove that line to use clicks", name
        )
    with frames_of(name, video, settings, frames) as folder:
        paths = frame_paths(folder)
        height, width = read_frame(paths[0]).shape[:2]
        prompts = [prompt for prompt in settings.scenes[name].prompts if prompt.text is None]
        masks = SceneMasks(paths, settings, name)
        scene = PickerScene(name, settings.scenes[name].video, config, paths, height, width, prompts, masks)
        with PickerServer(scene, port) as server:
            log.info("the objects of %s, %d frames: %s (Ctrl-C ends)", name, len(paths), server.url)
            if browser:
                webbrowser.open(server.url)
            server.serve_forever()


@dataclass(frozen=True)
class SceneMasks:
    """Masks of clicked objects in the frames of a scene, by the backends that its settings choose for segment_objects."""

    paths: list[Path]
    settings: Config
    scene: str

    @cached_property
    def segmenter(self) -> Any:
        """Imported when it is first asked for: that takes seconds, for which the page need not wait."""
        from pipeline.segmentation.clicked_masks import ClickSegmenter

        masks = SegmentObjectsConfig.model_validate(stage_options(self.settings, "segment_objects", self.scene))
        flow = EstimateFlowConfig.model_validate(stage_options(self.settings, "estimate_flow", self.scene))
        return ClickSegmenter(WEIGHTS, masks, flow)

    def load(self) -> str:
        """Load what is needed before the first click; what makes the masks."""
        return str(self.segmenter.load())

    def clicked_masks(self, frames: range, k: int, prompts: Sequence[Prompt]) -> MadeMasks:
        """An object in neighbouring frames, from the prompts of these frames."""
        images = np.stack([read_frame(self.paths[t]) for t in frames])
        counted = [prompt.model_copy(update={"frame": prompt.frame - frames.start}) for prompt in prompts]
        made: MadeMasks = self.segmenter.clicked_masks(images, k, counted)
        return made


def scene_of(clip: str, name: str | None, config: Config) -> tuple[str, str]:
    """The name of the scene that is meant, and its video: one of config.yaml, or a new one named like the file."""
    videos = {known: scene_video(known, scene) for known, scene in config.scenes.items()}
    if not Path(clip).exists() and clip in videos and name in (None, clip):
        return clip, videos[clip]
    same = [known for known, video in videos.items() if Path(video).resolve() == Path(clip).resolve()]
    if name in videos and name not in same:
        raise StageError(
            f"scenes.{name} in the configuration is of {videos[name]}, not of {clip}; give a --name of its own"
        )
    if name is None and len(same) > 1:
        raise StageError(f"{clip} is the video of several scenes ({', '.join(same)}); say which with --name")
    return name or (same[0] if same else Path(clip).stem), clip


def scene_video(name: str, scene: SceneConfig) -> str:
    """Where a scene's video lies; a simulated one and a data set's among the results."""
    if scene.dataset:
        return str(RESULTS / name / "dataset" / "images")
    return str(RESULTS / name / "video.mp4") if scene.video == SIMULATE else scene.video


def with_scene(config: Config, name: str, video: str) -> Config:
    """The configuration with the scene in it, as it will be once its prompts are saved."""
    if name in config.scenes:
        return config
    scene = SceneConfig(video=video)
    check_scene(name, scene, [])
    return config.model_copy(update={"scenes": {**config.scenes, name: scene}})


@contextmanager
def frames_of(name: str, video: str, config: Config, given: Path | None) -> Iterator[Path]:
    """The folder of frames that the pipeline sees of a scene: there already, or extracted for the time of picking."""
    options = ExtractFramesConfig.model_validate(stage_options(config, "extract_frames", name))
    if given is not None or is_current(RESULTS / name, video, options):
        yield given or RESULTS / name / "frames"
        return
    if not Path(video).exists():
        raise StageError(f"{video} does not exist; give the path of a video or of a folder of images")
    with TemporaryDirectory(prefix="monoverse-frames-") as folder:
        extract(video, config.scenes[name].poses, Path(folder), options)
        yield Path(folder) / "frames"


def is_current(results: Path, video: str, options: ExtractFramesConfig) -> bool:
    """Whether the frames among the results are of this video as it is now, extracted with these settings."""
    record, info, frames = results / "records" / "extract_frames.json", results / "frames.json", results / "frames"
    if not (record.exists() and info.exists() and frames.is_dir()):
        return False
    source = Path(video)
    files = [source, *source.rglob("*")] if source.is_dir() else [source] if source.exists() else []
    newest = max((file.stat().st_mtime for file in files), default=0.0)
    same_video = read_json(info).get("source", {}).get("name") == source.name
    same_options = read_json(record).get("options") == options.model_dump(mode="json")
    return same_video and same_options and newest <= info.stat().st_mtime


def extract(video: str, poses: str | None, folder: Path, options: ExtractFramesConfig) -> None:
    """Run the stage extract_frames into a folder; it logs and explains its own errors."""
    command = [sys.executable, "-m", "pipeline.extract_frames", "--video", video]
    command += ["--frames", str(folder / "frames"), "--info", str(folder / "frames.json")]
    command += ["--poses", poses] if poses else []
    command += ["--options", json.dumps(options.model_dump(mode="json"))]
    # A session of its own: Ctrl-C ends it through us, without its traceback.
    if subprocess.run(command, start_new_session=True, check=False).returncode:
        raise StageError(f"no frames could be extracted from {video}; the reason stands above")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.pick_prompts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clip", metavar="CLIP", help="video, folder of images, or name of a scene in the configuration")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="PATH", help="default: config.yaml")
    parser.add_argument("--name", help="the scene; default: the one of this video, or the file's name")
    parser.add_argument("--frames", type=Path, metavar="PATH", help="folder of extracted frames to show")
    parser.add_argument("--port", type=port, default=0, help="default: a free one")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="only say where the page is")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    run_server(pick_prompts, vars(parse(arguments)))


if __name__ == "__main__":
    main()
