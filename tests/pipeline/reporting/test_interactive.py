"""The interactive scene in a real browser, beside what Python says of the same splats and scales."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from models.osn.hiding import border_error, worst_hidden
from models.osn.scale_network import ScaleNetwork
from models.osn.z_buffer import SoloViews
from pipeline.formats.scene_file import Scene
from pipeline.formats.splat_file import BAND_0, Splats
from pipeline.formats.splats_folder import (
    Likeness,
    write_likeness,
    write_object_splats,
    write_scale_record,
)
from pipeline.osn.scale_judge import network_judge
from pipeline.reporting.interactive import interactive_scene, packed, scale_data, squeezed, why_no_scene
from pipeline.reporting.page import page_environment
from pipeline.splats.scale_record import recorded
from pipeline.splats.whole_scene import scene_picture
from tests.analytic_world import CAMERA, RADIUS, TRUE_SCALES, TURNS, UNITS, WALL, analytic_scene, analytic_truth, paint

NAMES = ("wall", "left <b>ball</b>", "right ball")
FRAME = 4
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>scene</title><link rel="icon" href="data:,">
<style>:root { --page: #fff; --card: #fff; --ink: #000; --soft: #555; --line: #ccc; --accent: #c40; --bad: #b00; }
{{ scene.style }} .stage { max-width: 480px; }</style></head><body>{% include "viewer/scene.html" %}
<script type="application/json" id="scene-data">{{ scene.data }}</script><script>{{ scene.script }}</script></body></html>"""


def sphere(count: int) -> np.ndarray:
    """Points spread evenly over the unit sphere."""
    n = np.arange(count) + 0.5
    height, angle = 1 - 2 * n / count, np.pi * (1 + 5**0.5) * n
    around = np.sqrt(1 - height**2)
    return np.stack([around * np.cos(angle), height, around * np.sin(angle)], axis=1)


def surface_splats(index: int) -> Splats:
    """Small round splats all over an object of the analytic world, in the scene's frame and units of it."""
    if index:
        points, spacing = RADIUS * sphere(2500), RADIUS * (4 * np.pi / 2500) ** 0.5
    else:
        y, x = np.mgrid[-3:3:50j, -3.6:3.6:60j]
        points, spacing = np.stack([x.ravel(), y.ravel(), np.full(x.size, WALL)], axis=1), 0.2
    count = len(points)
    return Splats(
        (points @ TURNS[index].T / UNITS[index]).astype(np.float32),
        np.full((count, 3), np.log(0.45 * spacing / UNITS[index]), np.float32),
        np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        np.full(count, 4.0, np.float32),
        ((paint(index, points) - 0.5) / BAND_0).astype(np.float32),
    )


def decided_network(scene: Scene) -> ScaleNetwork:
    """A network that calls about half of the range valid."""
    network = ScaleNetwork(torch.from_numpy(scene.scale_range), torch.Generator().manual_seed(2))
    with torch.no_grad():
        network.weights[-1].mul_(30)
        middle = network.logits(torch.rand(500, 2, generator=torch.Generator().manual_seed(0))).median()
        network.biases[-1].sub_(middle)
    return network


def some_views() -> SoloViews:
    """Rays on which both balls and the wall are seen; at scale 1 the left ball hides the right one on half of them."""
    depth = torch.tensor([[3.0, 1.0, 1.2], [3.0, 1.6, 1.2]]).repeat(40, 1)
    objects = torch.tensor([1, 2]).repeat(40)
    return SoloViews(depth, torch.ones(80, 3), objects, torch.ones(80, dtype=torch.bool), torch.arange(80) % 8)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scene, dict[int, Splats], ScaleNetwork]:
    """The page, and what it was made of."""
    folder = tmp_path_factory.mktemp("interactive")
    scene = analytic_scene(analytic_truth())
    for entry, name in zip(scene.objects, NAMES, strict=True):
        entry["name"] = name
    splats = {k: surface_splats(k) for k in range(3)}
    network = decided_network(scene)
    samples = np.stack([TRUE_SCALES, TRUE_SCALES * [1, 0.9, 0.8], TRUE_SCALES * [1, 0.8, 1.0]])
    (folder / "splats").mkdir()
    write_object_splats(folder / "splats", splats)
    write_scale_record(folder / "splats", recorded(samples, network_judge(network, some_views(), None)))
    write_likeness(folder / "splats", Likeness(objects={0: 30.0}, field_db=30.0, frames_db=28.0))
    parts = interactive_scene(folder / "splats", scene, 10.0)
    parts["limits"] = ["left <b>ball</b> nearer"]
    (folder / "page.html").write_text(page_environment().from_string(PAGE).render(scene=parts))
    return folder / "page.html", scene, splats, network


@pytest.fixture(scope="module")
def opened(browser: Any, made) -> Iterator[Any]:
    """The page in headless Chromium; nothing may have gone wrong in it by the end."""
    browser.get(made[0].as_uri())
    assert browser.execute_script("return document.getElementById('scene').dataset.ready") == "yes", fault(browser)
    yield browser
    faults = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not faults, faults


@pytest.fixture
def page(opened: Any) -> Any:
    """The page as it is at first."""
    opened.execute_script("scenePage.play(false); scenePage.find('valid-only').checked = false")
    opened.execute_script(f"scenePage.change({{scales: scenePage.suggested.slice(), frame: {FRAME}, ...START}})")
    return opened


def fault(browser: Any) -> str:
    return browser.find_element("css selector", '[data-part="fault"]').text


def part(page: Any, name: str) -> Any:
    return page.find_element("css selector", f'[data-part="{name}"]')


def score(network: ScaleNetwork, scales: np.ndarray) -> float:
    with torch.no_grad():
        return float(network(network.normalised(torch.from_numpy(scales[None]).float()))[0])


def camera_picture(page: Any, by: str = "scenePage.paint(), scenePage.canvas") -> np.ndarray:
    """What is drawn from the film's camera, on the page's canvas or on another of its size."""
    script = f"""const canvas = ({by}), box = scenePage.box("camera"), copy = document.createElement("canvas");
        [copy.width, copy.height] = [box.width, box.height];
        const context = copy.getContext("2d");
        context.drawImage(canvas, box.x, box.y, box.width, box.height, 0, 0, box.width, box.height);
        const pixels = context.getImageData(0, 0, box.width, box.height).data;
        let text = ""; for (const value of pixels) text += String.fromCharCode(value);
        return [btoa(text), box.height, box.width]"""
    text, height, width = page.execute_script(script)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)[..., :3] / 255


def psnr_db(image: np.ndarray, target: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(image - target).mean()))


def test_picture_from_the_films_camera_is_the_rasterisers_and_like_the_frame(page: Any, made) -> None:
    _, scene, splats, _ = made
    image = camera_picture(page)
    camera = CAMERA.resized(*image.shape[:2])
    expected = scene_picture(scene, splats, TRUE_SCALES, FRAME, camera)
    assert psnr_db(image, expected) > 35
    frame = cv2.resize(image, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_AREA)
    assert psnr_db(frame, scene.images[FRAME] / 255) > 22


def test_graphics_cards_draw_what_the_page_draws_without_one(page: Any) -> None:
    """Here WebGL is drawn in software, so that the page draws by itself; a graphics card takes the other way."""
    assert page.execute_script("return scenePage.view instanceof SplatRaster && !hasGraphicsCard()")
    webgl = """(() => {
        const { width, height } = scenePage.canvas, canvas = Object.assign(document.createElement("canvas"), { width, height });
        const view = new SplatView(canvas.getContext("webgl2", { preserveDrawingBuffer: true }), scenePage.data.objects);
        const box = scenePage.box("camera");
        view.draw(box, scenePage.intrinsics(box), scenePage.seenFrom(scenePage.placement.camera(scenePage.state.frame)));
        return canvas;
    })()"""
    assert psnr_db(camera_picture(page, webgl), camera_picture(page)) > 40


def test_scores_are_those_of_the_network(page: Any, made) -> None:
    network = made[3]
    scales = np.concatenate([np.ones((60, 1)), np.random.default_rng(1).uniform([0.6, 0.3], [3, 1.2], (60, 2))], axis=1)
    found = page.execute_script("return arguments[0].map((scales) => scenePage.judge.score(scales))", scales.tolist())
    assert 5 < sum(value > 0.5 for value in found) < 55
    np.testing.assert_allclose(found, [score(network, row) for row in scales], atol=1e-3)


def test_scales_stop_being_valid_where_the_network_says_so(page: Any, made) -> None:
    """The border on the way between a valid and an invalid vector, by bisection on either side."""
    network, random = made[3], np.random.default_rng(3)
    rows = np.concatenate([np.ones((200, 1)), random.uniform([0.6, 0.3], [3, 1.2], (200, 2))], axis=1)
    valid = next(row for row in rows if score(network, row) > 0.9)
    wrong = next(row for row in rows if score(network, row) < 0.1)
    near, far = 0.0, 1.0
    for _ in range(40):
        middle = (near + far) / 2
        good = score(network, valid * (wrong / valid) ** middle) >= 0.5
        near, far = (middle, far) if good else (near, middle)
    found = page.execute_script("return scenePage.judge.border(...arguments)", valid.tolist(), wrong.tolist())
    np.testing.assert_allclose(found, valid * (wrong / valid) ** near, rtol=1e-3)


def test_dragged_slider_moves_the_object_and_nothing_in_the_films_picture(page: Any, made) -> None:
    from selenium.webdriver import ActionChains

    place = (
        "return Array.from(scenePage.placement.worldFromObject(1, scenePage.state.frame, scenePage.state.scales[1]))"
    )
    before, picture = np.array(page.execute_script(place)), camera_picture(page)
    slider = page.find_element("id", "scale-1")
    ActionChains(page, duration=20).click_and_hold(slider).move_by_offset(-60, 0).release().perform()
    scale = page.execute_script("return scenePage.state.scales[1]")
    after = np.array(page.execute_script(place))
    ratio = scale / TRUE_SCALES[1]
    assert abs(np.log(ratio)) > 0.05
    np.testing.assert_allclose(after[:3] / before[:3], ratio, rtol=1e-6)
    eye = np.array(page.execute_script("return Array.from(scenePage.placement.camera(scenePage.state.frame))"))[12:15]
    np.testing.assert_allclose((after[12:15] - eye) / (before[12:15] - eye), ratio, rtol=1e-5)
    assert psnr_db(camera_picture(page), picture) > 28
    assert f"{scale:.3f}" in part(page, "rows").text and "score" in part(page, "badge").text


def test_invalid_scales_are_said_to_be_and_why(page: Any, made) -> None:
    """At 3 and 0.3 the right ball, at 0.36, hides the left one at 3; at 1 and 1 it does not on these rays."""
    page.execute_script(
        "scenePage.judge.score = () => 0; scenePage.suggested = [1, 1, 1]; scenePage.change({scales: [1, 3, 0.3]})"
    )
    assert part(page, "badge").text == "impossible, score 0.000"
    assert "The film shows left <b>ball</b> where right ball would hide it" in part(page, "reason").text
    assert "50.0 % of all pixels" in part(page, "reason").text
    page.execute_script("delete scenePage.judge.score; scenePage.suggested = scenePage.data.scales.samples[0].slice()")


def random_views(seed: int) -> SoloViews:
    """Rays of two things before a wall, in three frames: each is seen where it happens to be."""
    generator = torch.Generator().manual_seed(seed)
    depth = torch.tensor([3.0, 1.0, 1.2]) * (0.7 + 0.6 * torch.rand(500, 3, generator=generator))
    opacity = torch.cat([torch.ones(500, 1), torch.rand(500, 2, generator=generator)], dim=1)
    objects, frames = (torch.randint(low, low + count, (500,), generator=generator) for low, count in ((1, 2), (0, 3)))
    return SoloViews(depth, opacity, objects, torch.rand(500, generator=generator) > 0.2, frames)


def test_what_is_hidden_of_a_thing_in_its_worst_frame_is_what_training_counted(page: Any, made) -> None:
    views, scales = random_views(4), np.random.default_rng(5).uniform([1, 0.4, 0.4], [1, 3, 3], (30, 3))
    data = scale_data(recorded(scales[:1], network_judge(made[3], None, views)))["hiding"]
    script = """const judge = Object.assign(Object.create(ScaleScore.prototype), {hiding: hidingRays(arguments[0])});
        return arguments[1].map((scales) => judge.worstHidden(scales))"""
    found = page.execute_script(script, data, scales.tolist())
    wanted = worst_hidden(views, torch.from_numpy(scales).float())
    np.testing.assert_allclose([one["share"] for one in found], wanted, atol=1e-6)
    assert data["limit"] == pytest.approx(border_error(views)) and 0.1 < wanted.mean() < 0.9


def test_valid_scales_that_hide_too_much_of_a_thing_are_doubtful(page: Any, made) -> None:
    """The right ball is 1.5 away on 10 rays of frame 5; the left one, which was seen there, 2 on four of them, else 1.2."""
    script = """window.before = scenePage.judge;
        scenePage.judge = Object.assign(Object.create(ScaleScore.prototype), before, {score: () => 0.9, hiding: {
          depth: Float32Array.from(Array.from({length: 10}, (_, ray) => [9, ray < 4 ? 2 : 1.2, 1.5]).flat()),
          seen: new Uint8Array(10).fill(1), frames: new Uint16Array(10).fill(5),
          counts: new Uint16Array(10).fill(10), limit: 0.1}});
        scenePage.change({scales: [1, 1, 1]})"""
    page.execute_script(script)
    assert part(page, "badge").text == "doubtful, score 0.900" and "caution" in part(page, "badge").get_attribute(
        "class"
    )
    assert "right ball could hide 40.0 % of what frame 5 shows of left <b>ball</b>" in part(page, "reason").text
    assert page.execute_script("return [scenePage.judge.certain([1, 1, 1]), scenePage.judge.certain([1, 1, 1.4])]") == [
        False,
        True,
    ]
    page.execute_script("scenePage.judge = before")


def test_scales_stop_at_the_border_where_that_is_asked_for(page: Any, made) -> None:
    part(page, "valid-only").click()
    assert page.execute_script("return scenePage.judge.valid(scenePage.state.scales)")
    page.execute_script("for (const scale of [0.61, 2.9, 1.2, 3]) scenePage.setScale(1, scale)")
    assert page.execute_script("return scenePage.judge.valid(scenePage.state.scales)")


def test_dot_on_the_map_sets_both_scales(page: Any, made) -> None:
    from selenium.webdriver import ActionChains

    scene = made[1]
    canvas = part(page, "map")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    ActionChains(page, duration=20).move_to_element(canvas).click().perform()
    found = page.execute_script("return scenePage.state.scales")
    middles = np.sqrt(scene.scale_range.prod(axis=1))
    np.testing.assert_allclose(found, middles, rtol=0.03)


def test_time_plays_and_stops(page: Any, made) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    page.execute_script("scenePage.data.fps = 2")
    part(page, "play").click()
    WebDriverWait(page, 20).until(lambda _: f"frame {FRAME}, of" not in part(page, "frame-text").text)
    part(page, "play").click()
    frame = page.execute_script("return scenePage.state.frame")
    assert part(page, "play").text == "Play" and page.execute_script("return scenePage.state.playing") is False
    assert frame == page.execute_script("return Number(scenePage.find('frame').value)")


def test_keys_turn_the_view_from_elsewhere(page: Any, made) -> None:
    part(page, "outside").send_keys("\ue014\ue014\ue013")  # right, right, up
    yaw, pitch = page.execute_script("return [scenePage.state.yaw - START.yaw, scenePage.state.pitch - START.pitch]")
    assert yaw == pytest.approx(0.16) and pitch == pytest.approx(0.06)


def test_packed_places_come_back_to_a_share_of_their_distance() -> None:
    places = np.random.default_rng(0).normal(size=(500, 3)) * np.geomspace(0.01, 50, 500)[:, None]
    q = squeezed(places, 1.0) / 32767
    again = q / (1 - np.abs(q))
    assert np.max(np.abs(again - places) / (0.05 + np.abs(places)) / (1 + np.abs(places))) < 1e-3


def test_of_too_many_splats_the_faint_and_small_ones_are_left_out() -> None:
    splats = surface_splats(1)
    splats.opacities[:10] = -8
    kept = packed(splats, 0.985)
    assert kept["count"] == 2462 and min(base64.b64decode(kept["colours"])[3::4]) > 200


def test_what_keeps_a_scene_from_being_shown_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = analytic_scene(analytic_truth())
    assert why_no_scene(tmp_path, scene) == "no object left any splats"
    write_object_splats(tmp_path, {1: surface_splats(1)})
    assert why_no_scene(tmp_path, scene) == ""
    blind = replace(scene, visible=np.zeros_like(scene.visible))
    assert why_no_scene(tmp_path, blind) == "no frame has a known camera"
    monkeypatch.setattr("pipeline.reporting.interactive.MOST_OBJECTS", 2)
    assert why_no_scene(tmp_path, scene) == "it shows at most 2 objects, and this scene has 3"
