"""What a person gives is understood, or refused, before anything expensive runs."""

import json
from pathlib import Path
from typing import Any

import h5py
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


@pytest.mark.parametrize(
    ("palette", "words"),
    [("background 0 0 0", "is not `name:r,g,b`"), ("a:9,9,9\nb:8,8,8", "shows no class of labelmap.txt")],
)
def test_a_file_of_classes_that_does_not_fit_its_maps_stops(tmp_path: Path, palette: str, words: str) -> None:
    write_info(tmp_path / "frames.json")
    (tmp_path / "labels").mkdir()
    for t in range(FRAMES):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        image[:, :9] = (255, 0, 0)
        Image.fromarray(image).save(tmp_path / "labels" / f"{t}.png")
    (tmp_path / "labels" / "labelmap.txt").write_text(palette)
    with pytest.raises(StageError, match=words):
        checked(tmp_path, labels=tmp_path / "labels")
    (tmp_path / "labels" / "labelmap.txt").write_text("\ufeffroad:0,0,0::\r\ncar:255,0,0::\r\n", encoding="utf-8")
    assert checked(tmp_path, labels=tmp_path / "labels")["labels"].endswith("classes road, car")


def test_truth_of_another_video_stops(tmp_path: Path) -> None:
    write_info(tmp_path / "frames.json")
    with h5py.File(tmp_path / "truth.h5", "w") as file:
        for name, times in (("train", range(FRAMES + 1)), ("test", range(1))):
            file.create_dataset(f"{name}/time", data=list(times))
            file.create_dataset(f"{name}/world_from_camera", data=np.zeros((len(times), 4, 4)))
        file.attrs.update(height=HEIGHT, width=WIDTH, objects=1, focal_px=20.0)
    with pytest.raises(StageError, match="up to its frame 6, the video has 6: it is of another one"):
        checked(tmp_path, truth=tmp_path / "truth.h5")
    with pytest.raises(StageError, match=r"does not exist; give a truth\.h5"):
        checked(tmp_path, truth=tmp_path / "nowhere.h5")
