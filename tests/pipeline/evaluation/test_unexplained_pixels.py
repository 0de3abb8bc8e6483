"""What the trained scene shows otherwise is found; what is shown a little less sharply, in shadow or ignored, is not."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.cameras import IGNORE_ID
from pipeline.evaluation.unexplained_pixels import unexplained, unexplained_results
from pipeline.formats.renders_folder import Renders, planned_set, write_set
from pipeline.formats.scene_file import Scene
from tests.analytic_world import analytic_scene, analytic_truth

SIZE = 96
AREA = (slice(40, 60), slice(30, 54))


def textured(seed: int, height: int = SIZE, width: int = SIZE) -> np.ndarray:
    """A wall with a pattern of its own."""
    coarse = np.random.default_rng(seed).integers(60, 220, (height // 6, width // 6, 3)).astype(np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def test_a_thing_that_is_not_there_is_found_where_it_was() -> None:
    frame = textured(0)
    frame[AREA] = textured(1)[AREA]
    found = unexplained(textured(0), frame)
    inner = (slice(44, 56), slice(34, 50))
    assert found[inner].mean() > 0.8
    far = np.ones_like(found)
    far[34:66, 24:60] = False
    assert not found[far].any()


@pytest.mark.parametrize("same", ["equal", "blurred", "shadow", "brighter"])
def test_what_is_less_sharp_or_lit_otherwise_is_explained(same: str) -> None:
    frame = textured(0)
    shown = frame.copy()
    if same == "blurred":
        shown = cv2.GaussianBlur(frame, (0, 0), 2.0)
    if same == "shadow":
        dark = np.zeros((SIZE, SIZE, 1), np.float32)
        dark[AREA] = 0.4
        shown = (frame * (1 - cv2.GaussianBlur(dark, (0, 0), 3.0)[..., None])).astype(np.uint8)
    if same == "brighter":
        shown = np.minimum(frame.astype(int) + 25, 255).astype(np.uint8)
    assert unexplained(shown, frame).mean() < 0.004


def results(folder: Path, scene: Scene, shown: np.ndarray) -> tuple[float, list[dict]]:
    """The share, and the regions, of two observed views: one that is shown otherwise, and one as it is."""
    entry = planned_set("observed", "observed", [1.0, 1.0], 1.0, [0, 2], fps=10.0)
    images = np.stack([shown, scene.images[2]])
    write_set(folder, entry, images, np.zeros(images.shape[:3], np.uint8), np.ones(images.shape[:3], np.float32))
    found = unexplained_results(
        folder, Renders(method="osn", valid_scales=1, object_ids=[0, 1, 2], sets=[entry]), scene
    )
    return found.findings.rows[0].value, found.notes["unexplained"]


def test_regions_have_their_place_their_size_and_their_object(tmp_path: Path) -> None:
    scene = analytic_scene(analytic_truth())
    area, frame = (slice(10, 26), slice(14, 34)), textured(0, *scene.size)
    ids = np.zeros_like(scene.object_ids)
    scene = replace(scene, images=np.stack([frame] * scene.frame_count), object_ids=ids)
    shown = frame.copy()
    shown[area] = textured(1, *scene.size)[area]
    percent, (region,) = results(tmp_path / "background", scene, shown)
    assert (region["frame"], region["object_id"]) == (0, 0)
    assert abs(region["x"] - 23.5) < 3 and abs(region["y"] - 17.5) < 3
    assert 12 < region["percent"] < 25  # the area has 18.5 % of the picture
    assert percent == pytest.approx(region["percent"] / 2, abs=0.5)  # the other view is as the frame

    ids[:, 5:30, 10:40] = 2
    assert results(tmp_path / "object", scene, shown)[1][0]["object_id"] == scene.objects[2]["id"]
    ids[:] = IGNORE_ID
    assert results(tmp_path / "ignored", scene, shown) == (0.0, [])
