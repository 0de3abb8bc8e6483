"""What a person gives is understood, or refused, before anything expensive runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.check_inputs import check_inputs
from pipeline.config import CheckInputsConfig, Prompt
from pipeline.runtime.errors import StageError

FRAMES, HEIGHT, WIDTH = 6, 24, 32


def write_info(path: Path, count: int = FRAMES, height: int = HEIGHT, width: int = WIDTH) -> Path:
    rows = [{"file": f"{t:06d}.png", "source_index": t, "time_s": t / 10} for t in range(count)]
    source = {"name": "clip.mp4", "frames": count, "height": 2 * height, "width": 2 * width}
    path.write_text(json.dumps({"frames": rows, "height": height, "width": width, "source": source}))
    return path


def write_extras(folder: Path, count: int = FRAMES, height: int = HEIGHT, width: int = WIDTH) -> dict[str, Path]:
    """Masks, labels, depth and poses of every frame."""
    ids = np.zeros((height, width), np.uint8)
    ids[height // 4 : height // 2, width // 4 : width // 2] = 1
    for name in ("masks", "labels", "depth"):
        (folder / name).mkdir(parents=True)
    for t in range(count):
        Image.fromarray(255 * ids).save(folder / "masks" / f"{t}.png")
        Image.fromarray(ids).save(folder / "labels" / f"{t}.png")
        np.save(folder / "depth" / f"{t}.npy", 1.0 + ids + np.zeros((height, width), np.float32))
    frames = [{"file_path": f"{t}", "transform_matrix": np.eye(4).tolist()} for t in range(count)]
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 1.0, "frames": frames}))
    return {"mask_folder": folder / "masks", "labels": folder / "labels", "depth": folder / "depth",
            "poses": folder / "transforms.json"}  # fmt: skip


def checked(tmp_path: Path, config: CheckInputsConfig | None = None, **given: Any) -> dict[str, str]:
    nothing = dict.fromkeys(("mask_folder", "poses", "labels", "depth", "truth"))
    inputs = tmp_path / "inputs.json"
    check_inputs(tmp_path / "frames.json", **{**nothing, **given}, inputs=inputs, config=config or CheckInputsConfig())
    return json.loads(inputs.read_text())


def test_all_that_is_given_is_said_in_words(tmp_path: Path) -> None:
    write_info(tmp_path / "frames.json")
    said = checked(
        tmp_path, CheckInputsConfig(prompts=[Prompt(object=1, points=[(3, 3)])]), **write_extras(tmp_path / "x")
    )
    assert said["frames"] == "6 of 6 of clip.mp4, 32x24 (stored 64x48)"
    assert said["masks"].startswith("black and white: one object") and "1 objects (white)" in said["masks"]
    assert said["poses"] == f"6 of 6 frames of transforms.json, focal length {16 / np.tan(0.5):.0f} px"
    assert said["labels"].endswith("classes 0, 1") and said["depth"].endswith("values 1 to 2, 100 % known")
    assert said["prompts"] == "1 on 1 objects" and "lens" not in said and "truth" not in said


def test_a_video_alone_is_enough(tmp_path: Path) -> None:
    write_info(tmp_path / "frames.json")
    assert set(checked(tmp_path)) == {"frames"}


def test_all_that_cannot_be_used_is_named_at_once(tmp_path: Path) -> None:
    write_info(tmp_path / "frames.json")
    given = write_extras(tmp_path / "x")
    (given["mask_folder"] / "3.png").unlink()
    np.save(given["depth"] / "2.npy", np.ones((HEIGHT, HEIGHT)))
    for path in given["depth"].glob("[013-5].npy"):
        np.save(path, np.ones((HEIGHT, HEIGHT)))
    (tmp_path / "truth.h5").write_text("no HDF5")
    with pytest.raises(StageError) as caught:
        checked(tmp_path, **given, truth=tmp_path / "truth.h5")
    said = str(caught.value)
    assert (
        "masks: the masks of" in said and "frame 3" in said and "another shape" in said and "not a truth file" in said
    )
    assert not (tmp_path / "inputs.json").exists()


def test_prompts_outside_of_the_frames_stop(tmp_path: Path) -> None:
    write_info(tmp_path / "frames.json")
    with pytest.raises(StageError, match="prompts"):
        checked(tmp_path, CheckInputsConfig(prompts=[Prompt(object=1, frame=99, points=[(3, 3)])]))


def test_depth_that_knows_nothing_is_refused(tmp_path: Path) -> None:
    write_info(tmp_path / "frames.json")
    depth = write_extras(tmp_path / "x")["depth"]
    for path in depth.glob("*.npy"):
        np.save(path, np.zeros((HEIGHT, WIDTH)))
    with pytest.raises(StageError, match="no value above 0"):
        checked(tmp_path, depth=depth)


def test_files_are_matched_all_but_opened_few(tmp_path: Path) -> None:
    """300 frames with all extras: what is opened is a dozen of each."""
    write_info(tmp_path / "frames.json", 300, 48, 64)
    given = write_extras(tmp_path / "x", 300, 48, 64)
    (given["mask_folder"] / "7.png").write_bytes(b"not opened")
    assert "1 objects" in checked(tmp_path, **given)["masks"]
