"""The live viewer: what it refuses, and its page on a real server."""

import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline import view_scene as command
from pipeline.formats.scene_file import write_scene
from pipeline.live.page import LivePage
from pipeline.live.scene_choice import SceneChoice
from pipeline.runtime.errors import StageError
from tests.analytic_world import analytic_method, analytic_scene, analytic_truth
from tests.pipeline.reporting.test_interactive import surface_splats


def test_run_without_splats_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"splats does not exist; run `snakemake"):
        command.trained_scene(tmp_path)


def test_run_without_a_known_camera_is_refused(tmp_path: Path) -> None:
    scene = analytic_scene(analytic_truth())
    scene.visible[0] = False
    write_scene(tmp_path / "scene.h5", scene, {})
    (tmp_path / "osn" / "splats").mkdir(parents=True)
    with pytest.raises(StageError, match="no frame with a known camera"):
        command.trained_scene(tmp_path)


def test_errors_end_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main([str(tmp_path)])
    assert ended.value.code == 1 and "does not exist" in capsys.readouterr().err


@pytest.fixture
def page():
    pytest.importorskip("viser", reason="viser is not installed: pip install -e '.[viewer]'")
    server = command.started_server(0, "test")
    choice = SceneChoice.suggested(analytic_method(analytic_scene(analytic_truth())))
    yield LivePage(server, choice, {k: surface_splats(k) for k in range(3)})
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
    page.sliders[1].value = float(np.log10(2.9))
    page.slid(1)
    place = page.choice.place(1)
    assert page.choice.scales[1] == pytest.approx(2.9)
    np.testing.assert_allclose(page.nodes[1].position, place.position * page.unit, rtol=1e-6)
    assert page.nodes[1].scale == pytest.approx(2.9) and "impossible" in page.badge.content


def test_scales_stop_at_the_border_where_that_is_asked_for(page: LivePage) -> None:
    page.only.value = True
    page.restrict()
    page.sliders[1].value = float(np.log10(2.9))
    page.slid(1)
    assert page.choice.valid(page.choice.scales)
    assert 10 ** page.sliders[1].value == pytest.approx(page.choice.scales[1], rel=2e-3)


def test_hidden_objects_and_frames_are_shown_as_chosen(page: LivePage) -> None:
    page.boxes[2].value = False
    page.set_frame(1)
    assert not page.nodes[2].visible and page.nodes[1].visible
    pose = page.choice.scene.object_from_camera[0, 1]
    np.testing.assert_allclose(page.frustum.position, pose[:3, 3] * page.unit, atol=1e-5)


def test_fields_are_rendered_from_where_one_looks(page: LivePage) -> None:
    """From the film's camera they are the frame."""
    scene = page.choice.scene
    pose = scene.object_from_camera[0, page.choice.frame].astype(float)
    from pipeline.live.scene_choice import quaternion

    looking = SimpleNamespace(
        fov=2 * np.arctan(scene.camera.height / 2 / scene.camera.fy),
        aspect=scene.camera.width / scene.camera.height,
        wxyz=quaternion(pose[:3, :3]),
        position=pose[:3, 3] * page.unit,
    )
    image = page.field_image(looking, scene.camera.height)
    difference = np.abs(image.astype(float) - scene.images[page.choice.frame]) / 255
    assert image.shape == scene.images.shape[1:] and np.median(difference) < 0.02
