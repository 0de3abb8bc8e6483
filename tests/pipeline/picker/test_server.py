"""The page's server: what it gives, what it takes, and whom it refuses."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import yaml

from pipeline.config import Prompt
from pipeline.formats.frames_folder import frame_name, frame_paths, write_image
from pipeline.picker.server import PickerScene, PickerServer
from pipeline.runtime.errors import StageError
from tests.pipeline.picker.test_mask_answers import Squares

CONFIG = "# mine\nscenes:\n  demo:\n    video: simulate  # the demo\nmethod: osn\n"
GOOD = [{"object": 1, "frame": 2, "points": [[3, 4]], "labels": [1]}]


@pytest.fixture
def scene(tmp_path: Path) -> PickerScene:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    for index in range(3):
        write_image(tmp_path / "frames" / frame_name(index), np.full((20, 30, 3), 50 * index, np.uint8))
    prompts = [Prompt(object=2, name="ball", box=(1, 2, 3, 4))]
    return PickerScene("demo", "simulate", config, frame_paths(tmp_path / "frames"), 20, 30, prompts, Squares())


@pytest.fixture
def server(scene: PickerScene) -> Iterator[PickerServer]:
    with PickerServer(scene, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def post(server: PickerServer, path: str, values: Any, **headers: str) -> tuple[int, Any]:
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(Request(server.url + path, body, named))


def answer(request: Request | str) -> tuple[int, Any]:
    """Status, and the JSON that came."""
    try:
        with urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply)
    except HTTPError as error:
        return error.code, json.load(error)


def test_page_loads_nothing_from_elsewhere(server: PickerServer) -> None:
    for path in ("", "page.js"):
        with urlopen(server.url + path, timeout=10) as reply:
            text = reply.read().decode()
            assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
            assert len(text) > 3000 and "http://" not in text and "https://" not in text


def test_state_says_what_the_page_shows(server: PickerServer) -> None:
    status, state = answer(server.url + "api/state")
    assert status == 200 and (state["frames"], state["height"], state["width"]) == (3, 20, 30)
    assert state["scene"] == "demo" and len(state["colours"]) == 256
    assert state["prompts"] == [
        {"object": 2, "frame": 0, "points": [], "labels": [], "box": [1, 2, 3, 4], "name": "ball"}
    ]


def test_frames_come_as_they_lie_in_the_folder(server: PickerServer, scene: PickerScene) -> None:
    with urlopen(server.url + "frames/2", timeout=10) as reply:
        assert reply.read() == scene.frames[2].read_bytes() and reply.headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(
    "path",
    ["frames/3", "frames/-1", "frames/../config.yaml", "frames/%C2%B2", "frames/" + "9" * 5000, "config.yaml", "api/x"],
)
def test_nothing_else_is_served(server: PickerServer, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest("GET", f"/{path}")
    connection.endheaders()
    assert connection.getresponse().status == 404
    connection.close()


def test_block_is_shown_without_saving(server: PickerServer, scene: PickerScene) -> None:
    status, content = post(server, "api/block", GOOD)
    assert status == 200 and yaml.safe_load(content["block"])["prompts"][0]["points"] == [[3, 4]]
    assert scene.config.read_text() == CONFIG


def test_save_changes_the_prompts_and_nothing_else(server: PickerServer, scene: PickerScene) -> None:
    assert post(server, "api/save", GOOD)[0] == 200
    added = "    prompts:\n      - {object: 1, frame: 2, points: [[3, 4]]}\n"
    assert scene.config.read_text() == CONFIG.replace("# the demo\n", "# the demo\n" + added)


def test_prompts_that_make_no_sense_are_refused_and_the_file_stays(server: PickerServer, scene: PickerScene) -> None:
    status, content = post(server, "api/save", [{"object": 1, "frame": 3, "points": [[3, 4]]}])
    assert status == 422 and "there are 3 frames" in content["error"] and scene.config.read_text() == CONFIG


def test_broken_configuration_is_told_and_stays(server: PickerServer, scene: PickerScene) -> None:
    scene.config.write_text(CONFIG + "mehtod: osn\n")
    status, content = post(server, "api/save", GOOD)
    assert status == 422 and "mehtod (config.yaml, line 6)" in content["error"]
    assert scene.config.read_text() == CONFIG + "mehtod: osn\n"


def test_masks_come_for_an_object_and_its_neighbouring_frames(server: PickerServer, scene: PickerScene) -> None:
    assert answer(server.url + "api/masks") == (200, {"name": "squares"})
    status, content = post(server, "api/masks", {"object": 1, "frame": 2, "reach": 2, "prompts": GOOD})
    assert status == 200 and [mask["frame"] for mask in content["masks"]] == [0, 1, 2]
    assert content["masks"][2]["picture"].startswith("data:image/png;base64,") and content["confidence"] == 0.25
    assert scene.config.read_text() == CONFIG


def test_masks_of_prompts_that_make_no_sense_are_refused(server: PickerServer) -> None:
    request = {"object": 1, "frame": 2, "prompts": GOOD}
    for change, said in (
        ({"frame": 9}, "object 1 has no click"),
        ({"object": 2}, "object 2 has no click"),
        ({"reach": 3}, "reach: Input should be less than or equal to 2"),
        ({"prompts": [{"object": 1, "frame": 2, "points": [[31, 4]]}]}, "outside the frame of 30x20"),
    ):
        status, content = post(server, "api/masks", request | change)
        assert status == 422 and said in content["error"], content


def raw(server: PickerServer, text: str) -> str:
    """The answer to bytes that no client library would send; the sender writes no more after them."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(text.encode())
        with connection.makefile() as reply:
            return reply.read()


JSON_TO_LOCALHOST = "POST /api/block HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_body_that_is_shorter_than_announced_times_out(server: PickerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.picker.bounded_request.PATIENCE_S", 0.2)
    reply = raw(server, JSON_TO_LOCALHOST + "Content-Length: 100\r\n\r\n[]")
    assert reply.startswith("HTTP/1.0 408") and "2 of 100 bytes came within 0.2 seconds" in reply


def test_second_host_is_refused(server: PickerServer) -> None:
    for pair in (("localhost", "evil.example"), ("evil.example", "localhost"), ("localhost", "localhost")):
        lines = "".join(f"Host: {host}\r\n" for host in pair)
        assert raw(server, f"GET /api/state HTTP/1.1\r\n{lines}\r\n").startswith("HTTP/1.0 403"), pair


def test_endless_and_deep_bodies_are_refused(server: PickerServer) -> None:
    deep = b"[" * 500_000
    status, content = post(server, "api/block", deep)
    assert status == 400 and "inside each other" in content["error"]
    for length in ("9" * 5000, "1, 2", "-1", "+1", "\u0661"):
        reply = raw(server, JSON_TO_LOCALHOST + f"Content-Length: {length}\r\n\r\n")
        assert reply.startswith(("HTTP/1.0 413", "HTTP/1.0 411")), reply
    chunked = raw(server, JSON_TO_LOCALHOST + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n[]")
    assert chunked.startswith("HTTP/1.0 411")


def test_unreadable_requests_are_refused(server: PickerServer) -> None:
    assert post(server, "api/block", b"{")[0] == 400
    assert post(server, "api/block", GOOD, Content_Type="text/plain")[0] == 415
    assert post(server, "api/block", GOOD, Content_Length="99999999")[0] == 413
    assert post(server, "api/other", GOOD)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost@evil"])
def test_other_host_names_are_refused(server: PickerServer, scene: PickerScene, host: str) -> None:
    assert answer(Request(server.url + "api/state", headers={"Host": host}))[0] == 403
    assert post(server, "api/save", GOOD, Host=host)[0] == 403 and scene.config.read_text() == CONFIG


def test_other_pages_are_refused(server: PickerServer, scene: PickerScene) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:1"):
        assert post(server, "api/save", GOOD, Origin=origin)[0] == 403
    assert scene.config.read_text() == CONFIG
    assert post(server, "api/save", GOOD, Origin=server.url.rstrip("/"))[0] == 200


def test_only_the_loopback_address_listens(server: PickerServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_taken_port_is_an_error_with_the_way_out(scene: PickerScene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(StageError, match=f"port {number}.*leave --port out"):
            PickerServer(scene, number)
