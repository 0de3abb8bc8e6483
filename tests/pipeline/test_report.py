"""The report of a scene that is known exactly."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import av
import pytest
import torch

from pipeline.formats.geometry_file import Geometry, ObjectGeometry, write_geometry
from pipeline.reporting.facts import likeness_word, number_text, warnings
from pipeline.runtime.errors import StageError
from tests.pipeline.judged_scene import JudgedScene, geometry, judged_scene

VOID = {"meta", "link", "img", "br", "input", "use", "path", "hr"}


class Page(HTMLParser):
    """Checks that tags close in order, and gathers text, ids and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.ids += [values["id"]] if values.get("id") else []
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.handle_starttag(tag, attributes)
            self.open.pop()
        else:
            self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def made_report(scene: JudgedScene, with_truth: bool = True) -> str:
    scene.render(with_truth)
    scene.evaluate(with_truth)
    return scene.report(with_truth)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        yield made_report(judged_scene(tmp_path_factory.mktemp("scene") / "my <scene>", patch))


def test_the_page_is_whole_and_needs_nothing_from_outside(html: str) -> None:
    page = Page(html)
    targets = {address[1:] for address in page.addresses if address.startswith("#")}
    assert targets <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", html)
    assert len(html) < 20e6


def test_every_section_is_there(html: str) -> None:
    text = Page(html).text
    for words in (
        "Held-out views",
        "Observed against rendered",
        "A way around the scene",
        "Valid scenes",
        "Which scales are valid",
        "limit of the true region",
        "colour loss",
        "Masks at even times",
        "peak memory, GB",
        "Settings of train_osn",
        "trajectory_error_percent",
        "torch",
    ):
        assert words in text, words


def test_names_and_reasons_are_escaped(html: str) -> None:
    assert re.search("few &lt;<span class=.term.[^<]*>tracks</span>&gt; &amp; little motion", html)
    assert "<tracks>" not in html
    assert "my &lt;scene&gt;" in html and "<scene>" not in html


def test_warnings_come_before_anything_else(html: str) -> None:
    text = Page(html).text
    assert text.index("few valid scales") < text.index("Input and masks Masks by")
    assert text.index("masks were made for a test") < text.index("Masks at even times")
    assert text.index("Usable with care: sphere 2 (weak)") < text.index("few valid scales")


def test_a_doubt_is_told_once_though_stage_and_verdict_both_tell_it() -> None:
    entries = [
        ObjectGeometry(id=k, name=f"thing {k}", verdict=verdict, reason="so", method="global", numbers={})
        for k, verdict in enumerate(("ok", "weak"))
    ]
    judged = Geometry(
        intrinsics=(9, 9, 4, 4), intrinsics_source="given", focal_std_px=None, camera="moving", objects=entries
    )
    doubts = [entry.doubt for entry in judged.objects if entry.verdict != "ok"]
    records = [{"stage": "reconstruct_objects", "warnings": doubts}]
    found = [warned.text for warned in warnings(records, {"warnings": []}, judged)]
    assert doubts and [found.count(doubt) for doubt in doubts] == [1] * len(doubts)


def test_missing_numbers_are_listed_with_their_reasons(html: str) -> None:
    assert "LPIPS needs AlexNet" in Page(html).text


def test_its_videos_are_what_browsers_play(html: str) -> None:
    videos = re.findall(r'src="data:video/mp4;base64,([^"]+)"', html)
    assert len(videos) == 5
    for video in videos:
        with av.open(io.BytesIO(base64.b64decode(video))) as container:
            context = container.streams.video[0].codec_context
            assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
            assert context.width % 2 == 0 and context.height % 2 == 0


def test_figures_take_the_pages_ink(html: str) -> None:
    figures = re.findall(r"<svg.*?</svg>", html, flags=re.S)
    assert len(figures) == 4
    assert all("currentColor" in figure and "#0a0b0c" not in figure for figure in figures)


def test_the_same_files_make_the_same_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    assert made_report(scene) == scene.report()


def test_without_truth_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(made_report(judged_scene(tmp_path, monkeypatch), with_truth=False))
    assert "there is no truth, so unseen views were not judged" in page.text
    assert "Held-out views" not in page.text
    assert "limit of the true region" not in page.text


def test_what_auto_chose_is_said_at_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    (scene / "method.json").write_text('{"methods": ["osn"], "reason": "object <1> moves rigidly"}')
    (scene / "inputs.json").write_text('{"poses": "8 of 8 frames of ViPE (results), focal length 44 px"}')
    (scene / "depth").mkdir()
    (scene / "depth" / "alignment.json").write_text('{"model": "tiny", "tells": "disparity", "used": [true, false]}')
    page = Page(made_report(scene, with_truth=False))
    assert "OSN by method: auto : object <1> moves rigidly." in page.text
    assert page.text.index("by method: auto") < page.text.index("there is no truth") + 500
    assert "8 of 8 frames of ViPE (results), focal length 44 px" in page.text
    assert "estimated by tiny, which tells disparity; 1 of 2 frames fit the sparse points" in page.text


def test_where_nothing_moves_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch, objects=1)
    scene.method.scales, scene.method.scores = torch.ones(1, 1), torch.ones(1)
    page = Page(made_report(scene, with_truth=False))
    assert "Nothing moves" in page.text
    assert "Valid scenes" not in page.text and "Which scales are valid" not in page.text


def test_one_moving_object_gets_a_curve_of_valid_scales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(made_report(judged_scene(tmp_path, monkeypatch, objects=2)))
    assert "scale of sphere 1" in page.text


def test_of_a_still_camera_it_says_that_there_is_no_parallax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(made_report(judged_scene(tmp_path, monkeypatch, camera="static")))
    assert "No parallax: depth is a guess" in page.text


def test_an_object_that_was_not_reconstructed_is_still_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    known = geometry(scene.scene, "moving")
    lost = known.objects[1].model_copy(
        update={"id": 9, "name": "ghost", "verdict": "failed", "reason": "3 tracks", "numbers": {}}
    )
    write_geometry(tmp_path / "geometry.json", known.model_copy(update={"objects": [*known.objects, lost]}))
    page = Page(made_report(scene))
    assert "ghost: failed. 3 tracks" in page.text
    assert "not reconstructed: 3 tracks" in page.text


def test_a_history_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    (tmp_path / "osn/history.csv").write_text("")
    with pytest.raises(StageError, match=r"history\.csv"):
        made_report(scene)
    assert not (tmp_path / "report.html").exists()


def test_masks_of_another_size_than_the_frames_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    scene.render()
    scene.evaluate()
    (tmp_path / "frames/000007.png").unlink()
    with pytest.raises(StageError, match=r"masks\.h5"):
        scene.report()


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (0.1234, "0.123"), (1234.5, "1234"), (0, "0"), (True, "yes"), ([1, 2.5], "1, 2.5"), ("a", "a")],
)
def test_numbers_have_as_many_digits_as_they_need(value: object, text: str) -> None:
    assert number_text(value) == text


def test_a_psnr_in_a_word() -> None:
    assert [likeness_word(value) for value in (31.0, 26.0, 21.0, 12.0)] == ["very good", "good", "rough", "poor"]
