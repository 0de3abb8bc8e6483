"""Exported masks are the masks, in the forms that other tools read."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest
from PIL import Image

from pipeline.export_masks import export_masks, frame_rate, object_rows, palette
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.masks_file import write_masks, write_objects
from pipeline.formats.video_file import read_video
from pipeline.runtime.errors import StageError

FRAMES, HEIGHT, WIDTH = 3, 121, 160


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A scene of three frames: object 1 moves, object 2 comes late, a strip is ignored."""
    ids = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    random = np.random.default_rng(0)
    for index in range(FRAMES):
        ids[index, 20:80, 10 + 8 * index : 70 + 8 * index] = 1
        write_image(tmp_path / "frames" / frame_name(index), random.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    ids[2, 90:110, 100:130] = 2
    ids[:, :, 150:] = 255
    info = {"frames": [{"file": frame_name(index), "time_s": 0.04 * index} for index in range(FRAMES)]}
    (tmp_path / "frames.json").write_text(json.dumps(info))
    write_masks(tmp_path / "masks.h5", ids, {})
    objects = [{"id": 0, "name": "background"}, {"id": 1, "name": "car, red", "confidence": 0.9}]
    write_objects(tmp_path / "objects.json", "motion", objects, [])
    return tmp_path


def exported(results: Path) -> Path:
    names = ("frames", "frames.json", "masks.h5", "objects.json", "masks")
    export_masks(*(results / name for name in names))
    return results / "masks"


def read_ids(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def test_id_images_hold_the_ids_exactly(results: Path) -> None:
    folder = exported(results) / "ids"
    assert [path.name for path in sorted(folder.iterdir())] == [frame_name(index) for index in range(FRAMES)]
    for index in range(FRAMES):
        ids = read_ids(folder / frame_name(index))
        assert Image.open(folder / frame_name(index)).mode == "P" and ids.shape == (HEIGHT, WIDTH)
        assert set(np.unique(ids)) == ({0, 1, 255} if index < 2 else {0, 1, 2, 255})
        assert (ids[20:80, 10 + 8 * index : 70 + 8 * index] == 1).all() and (ids[:, 150:] == 255).all()


def test_colours_of_the_palette_tell_all_ids_apart() -> None:
    assert len(np.unique(palette(), axis=0)) == 256
    assert palette()[0].tolist() == [0, 0, 0] and palette()[255].tolist() == [128, 128, 128]


def test_colmap_masks_are_white_on_their_object_only(results: Path) -> None:
    masks = exported(results)
    for index in range(FRAMES):
        ids = read_ids(masks / "ids" / frame_name(index))
        for identity in range(3):
            mask = cv2.imread(str(masks / "colmap" / str(identity) / f"{frame_name(index)}.png"), cv2.IMREAD_UNCHANGED)
            assert mask.ndim == 2 and (mask == np.where(ids == identity, 255, 0)).all()


@pytest.mark.parametrize("identity", [0, 1])
def test_colmap_itself_takes_features_only_where_the_mask_is_white(results: Path, identity: int) -> None:
    masks, database = exported(results), results / "database.db"
    reader = pycolmap.ImageReaderOptions(mask_path=str(masks / "colmap" / str(identity)))
    options = pycolmap.FeatureExtractionOptions(num_threads=2)
    pycolmap.extract_features(
        database, results / "frames", reader_options=reader, extraction_options=options, device=pycolmap.Device.cpu
    )
    with pycolmap.Database.open(database) as opened:
        images = opened.read_all_images()
        assert len(images) == FRAMES
        for image in images:
            ids = read_ids(masks / "ids" / image.name)
            columns, rows = opened.read_keypoints(image.image_id)[:, :2].astype(int).T
            assert len(columns) > 5 and (ids[rows, columns] == identity).all()


def test_overlay_plays_every_frame_at_its_speed(results: Path) -> None:
    images = list(read_video(exported(results) / "overlay.mp4"))
    assert len(images) == FRAMES and images[0].shape == (HEIGHT + 1, WIDTH, 3)
    assert frame_rate(json.loads((results / "frames.json").read_text())) == pytest.approx(25)
    assert frame_rate({"frames": [{"time_s": 0.0}, {"time_s": 0.0}]}) == 10
    # The video before is noise: inside the object its colour shows.
    inside, outside = images[0][30:70, 20:60].mean((0, 1)), images[0][85:, 20:60].mean((0, 1))
    assert inside[0] - inside[2] > 60 and abs(outside[0] - outside[2]) < 20


def test_table_says_who_is_where(results: Path) -> None:
    with (exported(results) / "objects.csv").open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["0", "1", "2"]
    assert rows["1"]["name"] == "car, red" and rows["1"]["confidence"] == "0.9" and rows["1"]["frames"] == "3"
    assert rows["2"]["name"] == "object 2" and (rows["2"]["first_frame"], rows["2"]["last_frame"]) == ("2", "2")
    assert float(rows["1"]["mean_area_percent"]) == pytest.approx(100 * 60 * 60 / (HEIGHT * WIDTH), abs=1e-3)


def test_object_that_no_pixel_shows_stays_in_the_table() -> None:
    rows = object_rows(np.zeros((2, 4, 4), np.uint8), [{"id": 3, "name": "gone"}])
    assert [(row["id"], row["frames"], row["first_frame"]) for row in rows] == [(0, 2, 0), (3, 0, None)]


def test_masks_of_another_video_are_refused_and_nothing_is_left(results: Path) -> None:
    (results / "frames" / frame_name(2)).unlink()
    with pytest.raises(StageError, match="2 frames but masks for 3"):
        exported(results)
    write_image(results / "frames" / frame_name(2), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(StageError, match=r"000002\.png is \(8, 8\).*\(121, 160\)"):
        exported(results)
    assert not (results / "masks").exists() and not list(results.glob("*.partial*"))


def test_export_replaces_an_older_one(results: Path) -> None:
    (results / "masks" / "colmap" / "9").mkdir(parents=True)
    assert not (exported(results) / "colmap" / "9").exists()
