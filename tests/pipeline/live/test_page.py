"""The live viewer's page: on a real server, and in a real browser."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.live.controls import STEP, slider_bounds
from pipeline.live.local_server import started_server
from pipeline.live.page import LivePage
from pipeline.live.scene_choice import quaternion
from pipeline.scene.method_interface import Classes
from tests.analytic_world import AnalyticMethod, analytic_method, analytic_scene, analytic_truth
from tests.pipeline.live.live_pages import a_run, wait_until
from tests.pipeline.reporting.test_interactive import decided_network
from tests.pipeline.trained_balls import trained_balls

# three.js says so of every node of splats that viser makes, whatever is in it: they are in a texture.
SPLATS_SPHERE = "THREE.BufferGeometry.computeBoundingSphere(): Computed radius is NaN"


def test_only_this_machine_can_reach_the_server(page: LivePage) -> None:
    port = page.server.get_port()
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


def test_moved_slider_places_the_object_and_tells_the_verdict(page: LivePage) -> None:
    page.controls.sliders[1].value = 0.462
    page.controls.slid(1)
    place, scale = page.choice.place(1), 10**0.462
    assert page.choice.scales[1] == pytest.approx(scale)
    np.testing.assert_allclose(page.nodes.nodes[1].position, place.position * page.unit, rtol=1e-6)
    assert page.nodes.nodes[1].scale == pytest.approx(scale) and "impossible" in page.controls.badge.content


def test_scales_stop_at_the_border_where_that_is_asked_for(page: LivePage) -> None:
    page.controls.only.value = True
    page.controls.restrict()
    page.controls.sliders[1].value = 0.462
    page.controls.slid(1)
    assert page.choice.valid(page.choice.scales)
    assert 10 ** page.controls.sliders[1].value == pytest.approx(page.choice.scales[1], rel=2e-3)


def test_objects_are_hidden_and_isolated(page: LivePage) -> None:
    def visible() -> list[bool]:
        page.show()
        return [bool(page.nodes.nodes[k].visible) for k in range(3)]

    page.controls.boxes[2].value = False
    assert visible() == [True, True, False]
    page.controls.alone.value = "only sphere 2"
    assert visible() == [False, False, True]
    assert [(edit.object, edit.action) for edit in page.shown_edits()] == [("0", "remove"), ("1", "remove")]


def test_time_moves_the_films_camera_and_its_picture(page: LivePage) -> None:
    page.set_frame(1)
    pose = page.run.scene.object_from_camera[0, 1]
    np.testing.assert_allclose(page.layers.film.position, pose[:3, 3] * page.unit, atol=1e-5)
    np.testing.assert_array_equal(page.layers.film.image, page.pictures.picture(1))
    assert page.controls.time.value == 1


def test_films_camera_makes_way_for_one_who_looks_through_it(page: LivePage) -> None:
    page.layers.look_from([page.layers.film.position + np.array([3, 0, 0])])
    assert page.layers.film.visible and not page.layers.cameras[0].visible
    page.layers.look_from([page.layers.film.position + np.array([0.1, 0, 0])])
    assert not page.layers.film.visible


def test_layers_are_shown_as_they_are_ticked(page: LivePage) -> None:
    assert not page.layers.points[1].visible and not page.layers.paths[1].visible
    for name in ("points", "trajectories", "masks"):
        page.controls.layer_boxes[name].value = True
        page.controls.toggle(name)
    assert page.layers.points[1].visible and page.layers.paths[1].visible and "sphere 2" in page.controls.legend.content
    assert not np.array_equal(page.layers.film.image, page.pictures.picture(page.choice.frame))


def test_objects_take_colours_of_their_own_and_give_them_back(page: LivePage) -> None:
    own = page.nodes.nodes[1].rgbs.copy()
    page.controls.layer_boxes["colours"].value = True
    page.controls.toggle("colours")
    assert len(np.unique(page.nodes.nodes[1].rgbs, axis=0)) == 1
    page.controls.layer_boxes["colours"].value = False
    page.controls.toggle("colours")
    np.testing.assert_allclose(page.nodes.nodes[1].rgbs, own, atol=1 / 255)


class ClassMethod(AnalyticMethod):
    """The analytic method as one with classes."""

    judges_scales = False

    @property
    def classes(self) -> Classes:
        return Classes(["ground", "left", "right"], [False, True, True], {0: 0, 1: 1, 2: 2}, True, [0])


def test_classes_are_points_of_each_frame(tmp_path: Path) -> None:
    scene = analytic_scene(analytic_truth())
    server = started_server(0, "test")
    page = LivePage(server, a_run(tmp_path, ClassMethod(scene, torch.ones(1, 3), torch.ones(1))))
    wait_until(lambda: len(page.nodes.found) == scene.frame_count)
    page.set_frame(2)
    page.set_frame(5)
    assert page.nodes.shown == 5 and not page.controls.sliders
    assert list(page.edit_panel.parts) == ["left", "right"]
    middle = page.nodes.centre(page.nodes.parts[1], page.choice)
    np.testing.assert_allclose(middle, page_place(page, 1, 5), atol=0.4)
    page.edit_panel.which.value, page.edit_panel.action.value = "right", "remove"
    page.edit_panel.set()
    assert not page.nodes.nodes[2].visible and page.nodes.nodes[1].visible
    server.stop()


def page_place(page: LivePage, index: int, frame: int) -> np.ndarray:
    """Where an object's centre is at scale 1."""
    scene = page.run.scene
    camera = scene.object_from_camera[0, frame].astype(float)
    return camera[:3, :3] @ np.linalg.inv(scene.object_from_camera[index, frame].astype(float))[:3, 3] + camera[:3, 3]


def test_names_mean_nothing_to_the_page(tmp_path: Path) -> None:
    scene = analytic_scene(analytic_truth())
    scene.objects[1]["name"] = "<b>x</b>"
    server = started_server(0, "test")
    page = LivePage(server, a_run(tmp_path / "a_<i>b", analytic_method(scene)))
    page.controls.layer_boxes["masks"].value = True
    page.show()
    assert "&lt;b&gt;x" in page.controls.legend.content and "<b>" not in page.controls.legend.content
    assert "&lt;b&gt;x" in page.controls.badge.content and "<b>" not in page.controls.badge.content
    assert not re.search(r"(?<!\\)<", page.controls.about.content)
    server.stop()


class Opened:
    """A page in headless Chromium, and its controls there."""

    def __init__(self, page: LivePage, browser: Any) -> None:
        self.page, self.browser = page, browser

    def slider(self, index: int) -> Any:
        uuid = self.page.controls.sliders[index]._impl.uuid
        return self.browser.find_element("css selector", f'[id="{uuid}"] [role="slider"]')

    def text(self) -> str:
        return self.browser.find_element("tag name", "body").text

    def until(self, true: Callable[[], bool]) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.browser, 30, poll_frequency=0.05).until(lambda _: true())

    def step(self, index: int, steps: int) -> None:
        """Press an arrow key on a slider, so often; wait until the page's answer is in the browser."""
        key = "\ue014" if steps > 0 else "\ue012"
        before = self.page.controls.sliders[index].value
        self.slider(index).send_keys(key * abs(steps))
        self.until(lambda: abs(self.page.controls.sliders[index].value - before - steps * STEP) < 1e-9)
        scale = self.page.choice.scales[index]
        self.until(lambda: f"{scale:.3f}" in self.text())


@pytest.fixture(scope="module")
def opened(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """The page of an OSN with a real scale network; nothing may have gone wrong in the browser by the end."""
    scene = analytic_scene(analytic_truth())
    scene.objects[1]["name"] = "left <b>ball</b>"
    server = started_server(0, "test")
    method = trained_balls(scene, decided_network(scene))
    page = LivePage(server, a_run(tmp_path_factory.mktemp("live") / "demo", method))
    page.renders.turned_on = False
    size = browser.get_window_size()
    browser.set_window_size(640, 700)
    browser.get_log("browser")
    browser.get(f"http://127.0.0.1:{server.get_port()}/?fixedDpr=0.2")  # software draws the scene
    found = Opened(page, browser)
    found.until(lambda: bool(browser.find_elements("css selector", '[role="slider"]')))
    found.until(lambda: len(server.get_clients()) == 1)
    yield found
    said = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    faults = [text for text in said if SPLATS_SPHERE not in text]
    browser.get("about:blank")
    browser.set_window_size(size["width"], size["height"])
    server.stop()
    assert not faults, faults


def test_dragged_slider_moves_the_object(opened: Opened) -> None:
    from selenium.webdriver import ActionChains

    page, before = opened.page, opened.page.choice.place(1)
    ActionChains(opened.browser, duration=20).click_and_hold(opened.slider(1)).move_by_offset(
        -20, 0
    ).release().perform()
    opened.until(lambda: page.choice.scales[1] < 0.98 * before.scale)
    opened.until(lambda: f"{page.choice.scales[1]:.3f}" in opened.text())
    after = page.choice.place(1)
    eye = page.run.scene.object_from_camera[0, page.choice.frame, :3, 3]
    assert after.scale == pytest.approx(10 ** page.controls.sliders[1].value)
    np.testing.assert_allclose(page.nodes.nodes[1].scale, after.scale)
    np.testing.assert_allclose(page.nodes.nodes[1].position, after.position * page.unit)
    shares = (after.position - eye) / (before.position - eye)
    np.testing.assert_allclose(shares, after.scale / before.scale, rtol=1e-5)
    assert "left <b>ball</b>" in opened.text(), "a name is text"


def test_badge_turns_at_the_scale_at_which_the_network_does(opened: Opened) -> None:
    page, network = opened.page, opened.page.run.method.network

    def score(value: float) -> float:
        scales = np.array([1.0, 10**value, page.choice.scales[2]])
        with torch.no_grad():
            return float(network(network.normalised(torch.from_numpy(scales[None]).float()))[0])

    low, high = (round(end / STEP) * STEP for end in slider_bounds(page.run.scene.scale_range[1]))
    grid = np.arange(low, high, STEP)
    page.set_scales(np.array([1.0, 1.0, 0.6]))
    valid = np.array([score(value) > 0.5 for value in grid])
    turn = int(np.flatnonzero(valid[1:] != valid[:-1])[0])
    page.set_scales(np.array([1.0, 10 ** grid[turn], 0.6]))
    for step, good in ((0, valid[turn]), (1, valid[turn + 1]), (-1, valid[turn])):
        if step:
            opened.step(1, step)
        opened.until(lambda good=good: ("\npossible, score" in opened.text()) == good)
        opened.until(lambda good=good: ("\nimpossible, score" in opened.text()) != good)


def test_browser_shows_the_object_where_it_is(opened: Opened) -> None:
    """From the film's camera a scale changes nothing, from elsewhere it does."""
    page = opened.page
    client = next(iter(page.server.get_clients().values()))
    pose = page.run.scene.object_from_camera[0, page.choice.frame].astype(float)
    fov = 2 * np.arctan(page.run.scene.camera.height / 2 / page.run.scene.camera.fy)
    page.layers.shown["camera"] = False

    def seen(scale: float, aside: float) -> np.ndarray:
        page.set_scales(np.array([1.0, scale, 0.6]))
        view = {"wxyz": quaternion(pose[:3, :3]), "position": (pose[:3, 3] + aside * pose[:3, 0]) * page.unit}
        client.get_render(60, 80, **view, fov=fov, timeout=60)  # the first may be of what was there before
        return client.get_render(60, 80, **view, fov=fov, timeout=60).astype(float)

    differences = {aside: np.abs(seen(1.0, aside) - seen(1.4, aside)).mean() for aside in (0.0, 0.4)}
    assert differences[0.4] > 4 * differences[0.0]
