"""Picking prompts: which frames are shown, and the page itself in a real browser."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.config import Config, ExtractFramesConfig, SceneConfig
from pipeline.formats.frames_folder import frame_name, read_frame, write_image
from pipeline.pick_prompts import frames_of, is_current, scene_of, with_scene
from pipeline.runtime.errors import StageError
from pipeline.runtime.sources import ROOT

HEIGHT, WIDTH, FRAMES = 60, 80, 4
RED, GREEN = (10, 10, 30, 30), (50, 30, 74, 54)  # x0, y0, x1, y1 of two painted squares
CONFIG = "# mine\nscenes:\n  clip:\n    video: clip.mp4  # the clip\nmethod: osn\n"


def settings(**scenes: str) -> Config:
    return Config(scenes={name: SceneConfig(video=video) for name, video in scenes.items()})


def test_scene_of_a_video_is_found_by_its_path(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.write_bytes(b"")
    config = settings(one=str(tmp_path / "x" / ".." / "a.mp4"), other="b.mp4")
    assert scene_of(str(clip), None, config) == ("one", str(clip))
    assert scene_of("new clip.mp4", None, config) == ("new clip", "new clip.mp4")
    assert scene_of(str(clip), "mine", config) == ("mine", str(clip))


def test_scene_can_be_named_in_place_of_its_video() -> None:
    assert scene_of("demo", None, settings(demo="simulate")) == ("demo", "results/demo/video.mp4")


def test_name_of_another_scene_is_refused() -> None:
    with pytest.raises(StageError, match=r"scenes\.one .* is of a\.mp4, not of b\.mp4"):
        scene_of("b.mp4", "one", settings(one="a.mp4"))


def test_video_of_two_scenes_needs_a_name() -> None:
    config = settings(one="a.mp4", two="a.mp4")
    with pytest.raises(StageError, match=r"one, two.*--name"):
        scene_of("a.mp4", None, config)
    assert scene_of("a.mp4", "two", config)[0] == "two"


def test_new_scene_must_have_a_usable_name_and_a_video(tmp_path: Path) -> None:
    config = settings(one="a.mp4")
    with pytest.raises(StageError, match="does not exist"):
        with_scene(config, "two", str(tmp_path / "no.mp4"))
    (tmp_path / "yes.mp4").write_bytes(b"")
    with pytest.raises(StageError, match="use letters"):
        with_scene(config, "a/b", str(tmp_path / "yes.mp4"))
    assert with_scene(config, "two", str(tmp_path / "yes.mp4")).scenes["two"].video.endswith("yes.mp4")


def test_extracted_frames_are_used_while_they_are_of_this_video_and_these_settings(tmp_path: Path) -> None:
    video, results = tmp_path / "clip.mp4", tmp_path / "results"
    video.write_bytes(b"")
    os.utime(video, (1000, 1000))
    options = ExtractFramesConfig(max_size=64)
    (results / "records").mkdir(parents=True)
    (results / "frames").mkdir()
    record = {"options": options.model_dump(mode="json")}
    (results / "records" / "extract_frames.json").write_text(json.dumps(record))
    assert not is_current(results, str(video), options)
    (results / "frames.json").write_text('{"source": {"name": "clip.mp4"}}')
    assert is_current(results, str(video), options)
    assert not is_current(results, str(video), ExtractFramesConfig(max_size=65))
    os.utime(video)
    os.utime(results / "frames.json", (2000, 2000))
    assert not is_current(results, str(video), options)


def test_frames_that_are_not_there_are_extracted_as_the_scene_says(shared_data: Path, tmp_path: Path) -> None:
    video = str(shared_data / "workshop" / "video.mp4")
    config = Config(scenes={"no such results": SceneConfig(video=video, size=96, end=0.5)})
    with frames_of("no such results", video, config, None) as frames:
        names = sorted(path.name for path in frames.glob("*.png"))
        height, width, _ = read_frame(frames / names[0]).shape
    assert names[0] == "000000.png" and 2 <= len(names) <= 8 and (height, width) == (72, 96)
    assert not frames.exists()


def test_what_the_stage_leaves_is_known_again(shared_data: Path, tmp_path: Path) -> None:
    video, results = str(shared_data / "workshop" / "video.mp4"), tmp_path / "results"
    paths = {"frames": "frames", "info": "frames.json", "record": "records/extract_frames.json"}
    flags = [word for name, path in paths.items() for word in (f"--{name}", str(results / path))]
    stage = [sys.executable, "-m", "pipeline.extract_frames", "--video", video, "--options", '{"max_size": 96}']
    subprocess.run([*stage, *flags], cwd=ROOT, check=True, capture_output=True)
    options = ExtractFramesConfig(max_size=96)
    assert is_current(results, video, options)
    assert not is_current(results, str(tmp_path / "other.mp4"), options)


def test_ended_picker_leaves_no_frames_behind(shared_data: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "config.yaml", tmp_path)
    (tmp_path / "tmp").mkdir()
    arguments = command(str(shared_data / "workshop" / "video.mp4"), "--name", "x")
    variables = {**environment(), "TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen(arguments, cwd=tmp_path, env=variables, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("http://127.0.0.1" in line for line in process.stderr)
        assert len(list((tmp_path / "tmp").glob("*/frames/*.png"))) == 32
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert not list((tmp_path / "tmp").iterdir())


def test_video_that_cannot_be_read_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"not a video")
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = subprocess.run(command("clip.mp4"), cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1 and "clip.mp4" in done.stderr and "Traceback" not in done.stderr


def test_scene_with_masks_of_its_own_is_warned_about(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "masks").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG.replace("clip.mp4", "clip.mp4\n    masks: masks"))
    arguments = command("clip", "--frames", "none")
    done = subprocess.run(arguments, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1 and "WARNING scenes.clip has masks:" in done.stderr and "no frames" in done.stderr


# ---- the page ----


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipeline.pick_prompts", *arguments, "--no-browser"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass
class Picker:
    """A running picker and where it saves."""

    process: subprocess.Popen[str]
    url: str
    config: Path

    def saved(self) -> list[dict[str, Any]]:
        return yaml.safe_load(self.config.read_text())["scenes"]["clip"]["prompts"]


@pytest.fixture
def picker(tmp_path: Path) -> Iterator[Picker]:
    """The picker on four frames with two squares, as a person would start it."""
    for index in range(FRAMES):
        image = np.full((HEIGHT, WIDTH, 3), 40 + 20 * index, np.uint8)
        for (x0, y0, x1, y1), colour in ((RED, (220, 30, 30)), (GREEN, (30, 200, 30))):
            image[y0:y1, x0:x1] = colour
        write_image(tmp_path / "frames" / frame_name(index), image)
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "config.yaml").write_text(CONFIG)
    process = subprocess.Popen(
        command("clip.mp4", "--frames", "frames"), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert found, line + process.stderr.read()
    yield Picker(process, found[0], tmp_path / "config.yaml")
    process.kill()
    process.wait()
    process.stderr.close()


def test_interrupt_ends_it_quietly(picker: Picker) -> None:
    picker.process.send_signal(signal.SIGINT)
    assert picker.process.wait(timeout=10) == 0
    assert picker.process.stderr is not None and "Traceback" not in picker.process.stderr.read()


@dataclass
class Page:
    """The picker's page in the browser, used with the mouse and the keyboard."""

    browser: Any

    def element(self, identity: str) -> Any:
        return self.browser.find_element("id", identity)

    def wait(self, text: str, where: str = "status") -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 40).until(lambda _: text in self.element(where).text, f"{text} in {where}")

    def actions(self) -> Any:
        from selenium.webdriver import ActionChains

        return ActionChains(self.browser, duration=20)

    def at(self, x: float, y: float) -> Any:
        """The mouse over a pixel of the frame."""
        view = self.element("view")
        box = view.rect
        right, down = (x / WIDTH - 0.5) * box["width"], (y / HEIGHT - 0.5) * box["height"]
        return self.actions().move_to_element_with_offset(view, round(right), round(down))

    def keys(self, *keys: str) -> None:
        self.actions().send_keys(*keys).perform()

    def colour(self, x: float, y: float) -> list[int]:
        """What the page shows at a pixel of the frame."""
        script = """const c = document.getElementById("view");
            return [...c.getContext("2d").getImageData(arguments[0] * c.width, arguments[1] * c.height, 1, 1).data]"""
        return self.browser.execute_script(script, x / WIDTH, y / HEIGHT)[:3]


@pytest.fixture
def page(browser: Any, picker: Picker) -> Iterator[Page]:
    browser.get(picker.url)
    page = Page(browser)
    page.wait(f"{FRAMES} frames of {WIDTH}×{HEIGHT}", "about")
    page.wait("prompts: []", "block")
    yield page
    faults = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not [fault for fault in faults if "status of 422" not in fault], faults  # 422: prompts that are refused
    browser.execute_script("onbeforeunload = null; saved = JSON.stringify(prompts())")
    browser.get("about:blank")  # A picker that is killed while it loads would be a fault of the next test.


def near(points: list[list[float]], expected: list[list[float]]) -> bool:
    """Within the rounding of a mouse that moves by whole screen pixels."""
    return np.shape(points) == np.shape(expected) and bool(np.abs(np.subtract(points, expected)).max() < 0.3)


def test_two_clicked_objects_and_a_box_reach_config_yaml(page: Page, picker: Picker) -> None:
    page.at(20, 20).click().perform()
    page.at(40, 20).context_click().perform()
    page.wait("beside the object")
    page.element("name-1").send_keys("red thing\t")
    page.element("add").click()
    page.at(60, 40).click().perform()
    page.element("next").click()
    page.keys("\ue014")  # arrow right
    page.wait("2 of 0–3", "where")
    page.at(48, 28).click_and_hold().perform()
    page.at(76, 56).release().perform()
    page.wait("object 2: box", "marks")
    page.element("save").click()
    page.wait("Saved into config.yaml")
    first, second, third = picker.saved()
    assert (first["object"], first["name"], first["frame"], first["labels"]) == (1, "red thing", 0, [1, 0])
    assert near(first["points"], [[20, 20], [40, 20]])
    assert (second["object"], second["frame"]) == (2, 0) and near(second["points"], [[60, 40]])
    assert (third["object"], third["frame"]) == (2, 2) and near([third["box"]], [[48, 28, 76, 56]])
    text = picker.config.read_text()
    assert text.startswith(CONFIG.split("method")[0]) and text.endswith("\nmethod: osn\n")
    assert page.element("block").text.replace("\n", "\n    ") in text


def test_frame_is_shown_where_the_clicks_fall(page: Page) -> None:
    page.browser.execute_script("return Promise.all(images.map(image => image.decode())).then(draw)")
    assert np.abs(np.subtract(page.colour(20, 20), [220, 30, 30])).max() < 3
    assert np.abs(np.subtract(page.colour(62, 42), [30, 200, 30])).max() < 3
    page.element("view").click()
    page.keys("\ue014", "\ue014", "\ue014")
    page.wait("3 of 0–3", "where")
    assert np.abs(np.subtract(page.colour(5, 5), [100, 100, 100])).max() < 3


def test_a_click_shows_what_it_cuts_out_and_neighbouring_frames_follow(page: Page) -> None:
    page.wait("by motion", "maker")
    page.at(20, 20).click().perform()
    page.wait("object 1: confidence", "masks")
    tinted = [229, 69, 34]  # 57 % of (220, 30, 30) and 43 % of object 1's orange (240, 120, 40)
    page.browser.execute_script("return Promise.all(images.map(image => image.decode())).then(draw)")
    inside, outside = page.colour(15, 25), page.colour(40, 20)
    assert np.abs(np.subtract(inside, tinted)).max() < 3, inside
    assert np.abs(np.subtract(outside, [40, 40, 40])).max() < 3, outside
    page.element("neighbours").click()
    page.wait("masks of frames 0 to 2")
    page.element("next").click()
    page.wait("object 1: confidence", "masks")
    page.element("previous").click()
    page.element("undo").click()
    page.wait("none yet", "masks")


def test_all_of_it_works_from_the_keyboard(page: Page, picker: Picker) -> None:
    page.browser.execute_script("document.getElementById('view').focus()")
    page.keys("a", "\ue007")  # ten pixels left of the middle, Enter
    page.keys("s", "D", "x")  # ten down, one right: beside the object
    page.keys("n", "b", "d", "w", "b")
    page.wait("object 2: box", "marks")
    page.element("save").send_keys("\ue007")
    page.wait("Saved into")
    first, second = picker.saved()
    assert first["points"] == [[30, 30], [31, 40]] and first["labels"] == [1, 0]
    assert second["box"] == [31, 30, 41, 40]


def test_undo_redo_and_delete(page: Page) -> None:
    page.at(20, 20).click().perform()
    page.at(60, 40).click().perform()
    assert len(page.browser.find_elements("css selector", "#marks button")) == 2
    page.actions().key_down("\ue009").send_keys("z").key_up("\ue009").perform()
    assert len(page.browser.find_elements("css selector", "#marks button")) == 1
    page.element("redo").click()
    page.browser.find_elements("css selector", "#marks button")[0].click()
    page.wait("object 1: on", "marks")
    assert "on 20" not in page.element("marks").text
    page.keys("\ue017")  # Delete
    page.wait("nothing yet", "marks")
    page.wait("prompts: []", "block")


def test_saved_prompts_are_there_again_and_faults_are_told(page: Page, picker: Picker) -> None:
    page.at(20, 20).click().perform()
    page.element("save").click()
    page.wait("Saved into")
    page.at(20, 20).context_click().perform()
    page.element("undo").click()
    page.browser.find_elements("css selector", "#marks button")[0].click()
    page.at(20, 20).context_click().perform()
    page.wait("click on it at least once")
    assert not page.element("save").is_enabled() and len(picker.saved()) == 1
