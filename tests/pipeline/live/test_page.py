"""The live viewer's page: on a real server, and in a real browser."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from pipeline.formats.camera_path_file import read_camera_path
from pipeline.formats.splat_file import Splats
from pipeline.live import field_renders
from pipeline.live.controls import STEP, slider_bounds
from pipeline.live.field_renders import FieldRenders, Wanted, field_image
from pipeline.live.local_server import started_server
from pipeline.live.page import LivePage
from pipeline.live.renewal import renew_if_newer
from pipeline.live.scene_choice import quaternion
from pipeline.live.trained_run import TrainedRun
from pipeline.runtime.errors import StageError
from pipeline.scene.method_interface import Classes
from tests.analytic_world import AnalyticMethod, analytic_method, analytic_scene, analytic_truth
from tests.pipeline.reporting.test_interactive import decided_network, surface_splats
from tests.pipeline.trained_balls import trained_balls

# three.js says so of every node of splats that viser makes, whatever is in it: they are in a texture.
SPLATS_SPHERE = "THREE.BufferGeometry.computeBoundingSphere(): Computed radius is NaN"
CONFIG = "scenes:  # mine\n  demo:\n    video: simulate  # a scene\n"


def a_run(folder: Path, method: Any) -> TrainedRun:
    """A finished run of the analytic scene."""
    (folder / "osn").mkdir(parents=True)
    state = folder / "osn" / "checkpoint.pt"
    state.touch()
    splats = {k: few_splats(k) for k in range(3)}
    return TrainedRun(folder / "osn", method.scene, method, splats, None, state, state.stat().st_mtime_ns)


def few_splats(index: int) -> Splats:
    """As many as software draws at once; each as much larger."""
    splats, step = surface_splats(index), 12
    kept = {name: value[::step] for name, value in vars(splats).items()}
    return Splats(**{**kept, "log_scales": kept["log_scales"] + 0.5 * np.log(step).astype(np.float32)})


class LookingClient(SimpleNamespace):
    """One who looks from the film's camera, and keeps what is told."""

    def __init__(self, page: LivePage) -> None:
        scene = page.run.scene
        pose = scene.object_from_camera[0, page.choice.frame].astype(float)
        super().__init__(
            camera=SimpleNamespace(
                fov=2 * np.arctan(scene.camera.height / 2 / scene.camera.fy),
                aspect=scene.camera.width / scene.camera.height,
                wxyz=quaternion(pose[:3, :3]),
                position=pose[:3, 3] * page.unit,
            ),
            told=[],
        )

    def add_notification(self, title: str, body: str, **more: Any) -> None:
        self.told.append(f"{title}: {body}")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    server = started_server(0, "test")
    yield LivePage(server, a_run(tmp_path / "results" / "demo", analytic_method(analytic_scene(analytic_truth()))))
    server.stop()


@pytest.fixture
def trained(tmp_path: Path):
    """The page of a real OSN, with objects that can be edited."""
    scene = analytic_scene(analytic_truth())
    server = started_server(0, "test")
    yield LivePage(server, a_run(tmp_path / "results" / "demo", trained_balls(scene, decided_network(scene))))
    server.stop()


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


def test_fields_are_rendered_from_where_one_looks(page: LivePage) -> None:
    """From the film's camera they are the frame, at the depth of what it shows."""
    scene = page.run.scene
    image, depth = field_image(page.wanted(), LookingClient(page).camera, scene.camera.height, page.unit)
    difference = np.abs(image.astype(float) - scene.images[page.choice.frame]) / 255
    assert image.shape == scene.images.shape[1:] and np.median(difference) < 0.02
    seen = (scene.observation_frame == page.choice.frame) & (scene.observation_object == 0)
    column, row = np.floor(scene.observation_xy[seen]).astype(int).T
    np.testing.assert_allclose(depth[row, column], scene.observation_depth[seen] * page.unit, rtol=0.02)


def test_rested_view_is_rendered_finer_and_finer_until_something_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_renders, "HEIGHTS", (4, 9, 18))
    monkeypatch.setattr(field_renders, "RESTED_S", 0.05)
    monkeypatch.setattr(field_renders, "PATIENCE_S", 0.01)
    method = analytic_method(analytic_scene(analytic_truth()))
    wanted, covers, heights = Wanted(method, 4, method.scales[25].numpy().astype(float)), [], []
    camera = SimpleNamespace(fov=0.8, aspect=1.5, wxyz=[1, 0, 0, 0], position=[0, 0, 0], on_update=lambda _: None)
    scene = SimpleNamespace(
        set_background_image=lambda image, depth=None: heights.append(image is not None and len(image))
    )
    client = SimpleNamespace(client_id=0, camera=camera, scene=scene)
    clients = {0: client}
    renders = FieldRenders(SimpleNamespace(get_clients=lambda: clients), 1.0, lambda: wanted, covers.append)
    renders.attend(client)
    wait_until(lambda: heights == [4, 9, 18])
    assert covers == [True, True, True]
    renders.touch()
    wait_until(lambda: heights[3:] == [False, 4, 9, 18])
    assert covers[3] is False
    clients.clear()


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "what was waited for never came"
        time.sleep(0.01)


def test_edits_move_objects_live_and_are_saved_beside_what_is_there(trained: LivePage, tmp_path: Path) -> None:
    page, panel = trained, trained.edit_panel
    panel.config = tmp_path / "config.yaml"
    panel.config.write_text(CONFIG)
    panel.which.value, panel.action.value, panel.offset.value = "sphere 1", "move", (0.25, 0.0, 0.0)
    panel.set()
    axes = page.run.scene.object_from_camera[0, 0, :3, :3]
    shift = (page.nodes.nodes[1].position - page.choice.place(1).position * page.unit) / page.unit
    np.testing.assert_allclose(shift, 0.25 * axes[:, 0], atol=1e-6)
    panel.which.value = "sphere 2"
    panel.chosen()
    panel.action.value = "remove"
    panel.set()
    assert not page.nodes.nodes[2].visible
    client = LookingClient(page)
    panel.save(client)
    expected = [
        {"object": "1", "action": "move", "offset": [0.25, 0.0, 0.0], "video": "edited"},
        {"object": "2", "action": "remove", "video": "edited"},
    ]
    assert yaml.safe_load(panel.config.read_text())["scenes"]["demo"]["edits"] == expected
    assert "# mine" in panel.config.read_text() and client.told[0].startswith("Saved")
    panel.save(client)
    assert yaml.safe_load(panel.config.read_text())["scenes"]["demo"]["edits"] == expected


def test_edits_that_cannot_be_saved_are_told(page: LivePage, tmp_path: Path) -> None:
    client = LookingClient(page)
    page.edit_panel.save(client)
    page.edit_panel.action.value = "remove"
    page.edit_panel.set()
    (tmp_path / "config.yaml").write_text("scenes:\n  other: {video: a.mp4}\n")
    page.edit_panel.save(client)
    assert "no edit to save" in client.told[0] and "scenes.demo is not in config.yaml" in client.told[1]


def test_saved_path_is_what_was_looked_at(page: LivePage, tmp_path: Path) -> None:
    client, panel = LookingClient(page), page.path_panel
    with pytest.raises(StageError, match="two views"):
        panel.save_path()
    panel.add(client)
    page.set_frame(6)
    panel.add(LookingClient(page))
    panel.save(client)
    saved = read_camera_path(tmp_path / "camera_paths" / "demo" / "path.json")
    poses = page.run.scene.object_from_camera[0]
    assert [view.frame for view in saved.views] == [4, 6] and saved.scales == page.choice.scales.tolist()
    np.testing.assert_allclose([view.pose for view in saved.views], poses[[4, 6]], atol=1e-5)
    assert "python -m pipeline.render_path \\\n  --checkpoint" in panel.said.content
    panel.name.value = "../outside"
    panel.save(client)
    assert client.told[-1].startswith("Not saved") and not (tmp_path / "camera_paths" / "outside.json").exists()


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
    while len(page.nodes.found) < scene.frame_count:
        page.nodes.ended.wait(0.05)
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


def test_newer_state_is_taken_over(page: LivePage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not renew_if_newer(page)
    resume = page.run.folder / "resume.pt"
    resume.touch()
    assert not renew_if_newer(page), "what cannot be read is waited past"
    newer = analytic_method(page.run.scene, 3)
    monkeypatch.setattr(
        "pipeline.live.renewal.read_state",
        lambda folder, scene, tracks: TrainedRun(folder, scene, newer, {}, tracks, resume, 1),
    )
    monkeypatch.setattr("pipeline.live.part_nodes.object_points", lambda method, index: surface_points(index))
    resume.write_bytes(b"newer")
    page.choice.scales = page.choice.scales * [1, 0.9, 1]
    assert renew_if_newer(page)
    assert page.choice.method is newer and "in training" in page.controls.about.content.replace("\\", "")
    assert page.nodes.nodes[1].points.shape == (2500, 3)


def surface_points(index: int) -> Any:
    from pipeline.live.field_points import Points

    places = surface_splats(index).places
    return Points(places, np.zeros(places.shape, np.uint8))


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
