"""What is advised follows from what was measured."""

import pandas as pd
import pytest

from pipeline.formats.geometry_file import ZOOMS, Geometry
from pipeline.reporting.advice import advice
from tests.analytic_world import analytic_scene, analytic_truth
from tests.pipeline.judged_scene import geometry

SCENE = analytic_scene(analytic_truth())
NAMES = [entry["name"] for entry in SCENE.objects]
NOTHING = {"limits": {}, "unexplained": {}}
REGION = {"frame": 2, "x": 8, "y": 9, "percent": 1.0, "object_id": 1}


def sound(camera: str = "moving") -> Geometry:
    """All objects are reconstructed."""
    judged = geometry(SCENE, camera)
    return judged.model_copy(update={"objects": [one.model_copy(update={"verdict": "ok"}) for one in judged.objects]})


def masks(confidence: float = 0.9) -> dict:
    return {
        "objects": [
            {"id": k, "name": name, "confidence": confidence if k == 1 else 0.9} for k, name in enumerate(NAMES)
        ]
    }


def numbers(psnr_db: float) -> pd.DataFrame:
    row = {"stage": "render_views", "method": "osn", "item": "observed", "metric": "psnr_db", "value": psnr_db}
    return pd.DataFrame([row, row | {"method": "hexplane", "value": 30.0}])


def advised(**changes) -> list[str]:
    known = {"geometry": sound(), "objects": masks(), "metrics": numbers(30.0), "notes": NOTHING}
    return advice("clip", **{**known, **changes}, scene=SCENE)


def test_nothing_is_advised_where_all_is_well() -> None:
    assert advised() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"geometry": sound("static")}, "walking sideways"),
        ({"geometry": sound().model_copy(update={"intrinsics_source": "default"})}, "`intrinsics`"),
        ({"geometry": geometry(SCENE, "moving")}, f"Film {NAMES[2]} larger, sharper or from more sides: few <tracks>"),
        (
            {"metrics": numbers(21.44)},
            "Train OSN longer (the next larger `preset` in config.yaml): it shows the video's own views at 21.4 dB only",
        ),
        (
            {"notes": NOTHING | {"limits": {"osn": [{"object": 1, "above": False, "frames": []}]}}},
            f"scale of {NAMES[1]} is not bounded from below",
        ),
        (
            {"notes": NOTHING | {"unexplained": {"osn": [REGION]}}},
            f"Look at the mask of {NAMES[1]} in frame 2 around (8, 9)",
        ),
    ],
)
def test_what_is_wanting_is_advised(changes: dict, words: str) -> None:
    (text,) = advised(**changes)
    assert words in text


def test_a_zoom_asks_for_a_film_without_one() -> None:
    background, *others = sound().objects
    zooming = background.model_copy(update={"verdict": "weak", "reason": f"{ZOOMS} by a factor 1.4 from frame 0 to 8"})
    (text,) = advised(geometry=sound().model_copy(update={"objects": [zooming, *others]}))
    assert text.startswith("Film without zooming") and "`start`" in text


def test_a_doubtful_mask_asks_for_a_click_in_the_frame_that_shows_most_of_it() -> None:
    (text,) = advised(objects=masks(0.3))
    frame = int((SCENE.object_ids == 1).sum((1, 2)).argmax())
    assert f"Click on {NAMES[1]} in frame {frame} (`python -m pipeline.pick_prompts clip`)" in text


def test_a_mask_without_any_confidence_asks_for_a_click_and_for_no_other_film() -> None:
    judged = geometry(SCENE, "moving")
    weak = [one.model_copy(update={"verdict": "weak" if one.id == 1 else "ok"}) for one in judged.objects]
    (text,) = advised(objects=masks(0.0), geometry=judged.model_copy(update={"objects": weak}))
    assert text.startswith(f"Click on {NAMES[1]}") and "doubtful, 0.00." in text


def test_where_nothing_was_found_to_move_a_click_may_help() -> None:
    (text,) = advised(objects={"objects": [{"id": 0, "name": "background", "confidence": None}]})
    assert text.startswith("If something moves, click on it (`python -m pipeline.pick_prompts clip`)")


def test_a_bounded_scale_asks_for_nothing() -> None:
    assert advised(notes=NOTHING | {"limits": {"osn": [{"object": 1, "above": True, "frames": [3]}]}}) == []
