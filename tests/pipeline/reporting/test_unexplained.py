"""Places where the scene shows something else than the video, in words."""

from pipeline.reporting.unexplained import unexplained_advice, unexplained_sentences

NAMES = {0: "background", 1: "object 1"}
SMALL = {"frame": 3, "x": 10, "y": 20, "percent": 0.6, "object_id": 0}
LARGE = {"frame": 7, "x": 30, "y": 40, "percent": 2.34, "object_id": 1}


def test_nothing_is_said_of_scenes_that_show_the_video() -> None:
    assert unexplained_sentences({"osn": []}, NAMES) == []
    assert unexplained_advice("clip", {"osn": []}, NAMES) == []
    assert unexplained_advice("clip", {}, NAMES) == []


def test_the_largest_place_is_told_with_what_may_be_wrong_there() -> None:
    own, other = unexplained_sentences({"osn": [LARGE, SMALL], "hexplane": [SMALL]}, NAMES)
    assert own.startswith("OSN shows something else than the video in 2 places, most in frame 7 around (30, 40), 2.3 %")
    assert "object 1" in own
    assert other.startswith("HexPlane") and "one place" in other and "taken for background" in other


def test_one_place_is_to_be_looked_at() -> None:
    (text,) = unexplained_advice("my clip", {"osn": [SMALL], "hexplane": [LARGE]}, NAMES)
    assert "mask of object 1 in frame 7 around (30, 40)" in text and "pick_prompts 'my clip'" in text
    (text,) = unexplained_advice("clip", {"osn": [SMALL]}, NAMES)
    assert "frame 3 around (10, 20): if something moves there, click on it" in text
