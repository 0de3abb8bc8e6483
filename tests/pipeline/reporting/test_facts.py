"""The report's words and tables, of numbers that are given."""

import pandas as pd
import pytest

from pipeline.formats.geometry_file import ZOOMS, Geometry, MeasuredRadial, ObjectGeometry
from pipeline.formats.metrics_table import OWN_PROTOCOL
from pipeline.reporting.facts import (
    lens_sentence,
    likeness_sentences,
    metric_groups,
    object_rows,
    readable,
    tiles,
    trust,
)

COLUMNS = ["stage", "method", "item", "metric", "value"]


def table(*rows: tuple[str, str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS).assign(protocol=OWN_PROTOCOL)


def geometry(*verdicts: str, camera: str = "moving") -> Geometry:
    entries = [
        ObjectGeometry(id=k, name=f"thing {k}", verdict=verdict, reason="so", method="global", numbers={"points": 9.0})
        for k, verdict in enumerate(verdicts)
    ]
    return Geometry(
        intrinsics=(9, 9, 4, 4), intrinsics_source="given", focal_std_px=None, camera=camera, objects=entries
    )


@pytest.mark.parametrize(
    ("judged", "level", "headline"),
    [
        (geometry("ok", "ok"), "good", "Every part was reconstructed"),
        (geometry("ok", "weak", "ok"), "caution", "Usable with care: thing 1 (weak)"),
        (geometry("weak", "ok"), "caution", "Usable with care: thing 0 (weak)"),
        (geometry("failed", "ok"), "bad", "The background could not be reconstructed"),
        (geometry("ok", "ok", camera="static"), "bad", "No parallax: depth is a guess"),
    ],
)
def test_one_doubt_makes_a_result_doubtful_and_a_lost_background_makes_it_bad(
    judged: Geometry, level: str, headline: str
) -> None:
    found = trust(judged, table(), has_truth=False)
    assert (found.level, found.headline) == (level, headline)
    sound = sum(entry.verdict == "ok" for entry in judged.objects[1:])
    assert f"{sound} of them with a sound reconstruction" in found.sentences[1]


def test_what_the_scene_shows_otherwise_makes_a_sound_result_doubtful() -> None:
    found = trust(geometry("ok", "ok"), table(), False, ["OSN shows something else."])
    assert found.level == "caution" and "shown otherwise" in found.headline
    assert "OSN shows something else." in found.sentences


def test_why_the_background_is_doubtful_stands_on_the_first_screen() -> None:
    judged = geometry("weak", "weak")
    zooming = judged.objects[0].model_copy(update={"reason": f"{ZOOMS} by a factor 1.4 from frame 0 to 8"})
    found = trust(judged.model_copy(update={"objects": [zooming, judged.objects[1]]}), table(), has_truth=False)
    assert f"Thing 0 (weak): {ZOOMS} by a factor 1.4 from frame 0 to 8." in found.sentences
    assert not any("Thing 1" in sentence for sentence in found.sentences)


def test_unseen_views_say_more_than_seen_ones() -> None:
    seen = ("render_views", "osn", "observed", "psnr_db", 33.0)
    unseen = ("render_views", "osn", "held_out", "psnr_db", 21.04)
    other = ("render_views", "flat", "observed", "psnr_db", 18.0)
    assert likeness_sentences(table(seen, unseen, other), has_truth=True) == [
        "flat shows the video's own views at 18.0 dB (poor); no held-out view could be judged.",
        "OSN shows views held out from it at 21.0 dB (rough).",
    ]


def test_one_valid_scene_does_not_speak_for_all() -> None:
    """The word is that of the number as it is printed: 24.96 is 25.0, which is good."""
    best = ("render_views", "osn", "held_out", "psnr_db", 24.96)
    mean = ("render_views", "osn", "samples", "psnr_db", 21.3)
    (sentence,) = likeness_sentences(table(best, mean), has_truth=True)
    assert "25.0 dB (good), in the valid scene nearest to the truth; its valid scenes on the mean, 21.3 dB" in sentence


def test_tiles_name_the_method_only_where_several_have_the_number() -> None:
    rows = [
        ("render_views", "osn", "held_out", "psnr_db", 27.25),
        ("render_views", "semantic_flow", "held_out", "psnr_db", 24.0),
        ("train_osn", "osn", "all", "valid_fraction", 0.375),
        ("estimate_flow", "", "all", "epe_px", 0.456),
        ("estimate_flow", "", "1", "epe_px", 9.0),
    ]
    found = {tile.label: tile.value for tile in tiles(table(*rows), geometry("ok", "failed"))}
    assert found == {
        "Held-out views (OSN)": "27.2 dB",
        "Held-out views (Semantic Flow)": "24.0 dB",
        "Valid scales": "38%",
        "Flow": "0.46 px",
        "Reconstructions": "1 of 2",
    }


def test_metrics_are_a_table_for_each_stage_and_method_with_empty_cells_where_a_number_is_missing() -> None:
    rows = [
        ("render_views", "osn", "observed", "psnr_db", 30.5),
        ("render_views", "osn", "held_out", "psnr_db", 25.25),
        ("render_views", "osn", "held_out", "depth_mae", 0.125),
        ("render_views", "flat", "observed", "ssim", 0.5),
        ("segment_objects", "", "1", "miou", 0.75),
        ("segment_objects", "", "all", "miou", 0.75),
        ("segment_objects", "", "all", "seconds", 3.0),
    ]
    osn, flat, masks = metric_groups(table(*rows), {"1": "ball"})
    assert (osn["title"], flat["title"], masks["title"]) == ("Rendering, OSN", "Rendering, flat", "Masks")
    assert osn["columns"] == ["observed", "held out"] or osn["columns"] == ["held out", "observed"]
    at = osn["columns"].index("held out")
    psnr, depth = osn["rows"]
    assert (psnr["values"][at], psnr["values"][1 - at], psnr["direction"], psnr["unit"]) == ("25.2", "30.5", "↑", "dB")
    assert (depth["values"][at], depth["values"][1 - at], depth["direction"]) == ("0.125", "", "↓")
    assert masks["columns"] == ["ball", "all"] and [row["metric"] for row in masks["rows"]] == ["miou"]


def test_numbers_of_another_protocol_have_a_table_of_their_own() -> None:
    rows = pd.concat(
        [
            table(("render_views", "osn", "held_out", "psnr_db", 25.0)),
            table(("render_views", "osn", "held_out", "psnr_db", 24.0)).assign(protocol="nsff"),
        ]
    )
    own, theirs = metric_groups(rows, {})
    assert (own["title"], theirs["title"]) == ("Rendering, OSN", "Rendering, OSN, by the protocol nsff")
    assert (own["rows"][0]["values"], theirs["rows"][0]["values"]) == (["25"], ["24"])


def test_an_object_is_known_by_masks_geometry_or_both() -> None:
    objects = {"objects": [{"id": 1, "name": "mask", "evidence": {"moved_px": 2.5}, "confidence": 0.9}, {"id": 7}]}
    background, both, lost = object_rows(objects, geometry("ok", "weak"))
    assert (background["verdict"], background["numbers"], background["confidence"]) == ("ok", {"points": "9"}, None)
    assert (both["name"], both["evidence"], both["confidence"]) == ("thing 1", {"moved px": "2.5"}, 0.9)
    assert (lost["name"], lost["verdict"], lost["reason"]) == ("object 7", "failed", "it was not reconstructed")


def test_names_of_numbers_are_read_without_underscores() -> None:
    assert readable({"inlier_percent": 97.0, "planarity": 0.1234}) == {"inlier percent": "97", "planarity": "0.123"}
    assert readable(0.5) == {"evidence": "0.5"}


def test_the_lens_is_said_to_be_undone_or_left_with_its_term() -> None:
    radial = MeasuredRadial(k1=-0.113, k1_std=0.028, corner_px=11.37)
    measured = geometry("ok").model_copy(update={"radial": radial})
    assert "taken for a pinhole" in lens_sentence(measured) and "-0.113 ± 0.028" in lens_sentence(measured)
    undone = measured.model_copy(update={"lens": {"model": "SIMPLE_RADIAL"}})
    assert "by 11.4 pixels at the corners (k1 = -0.113 ± 0.028)" in lens_sentence(undone)
    assert lens_sentence(geometry("ok")) == ""
