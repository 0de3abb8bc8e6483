"""The local page of pick_prompts: frames and settings out, checked prompts back. Reachable from this machine only."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.config import Prompt
from pipeline.picker.prompt_block import checked_prompts, prompts_block, save_prompts
from pipeline.reporting.pictures import hex_colour
from pipeline.runtime.errors import StageError

log = logging.getLogger("pipeline.pick_prompts")
ADDRESS = "127.0.0.1"
LOCAL_NAMES = (ADDRESS, "localhost")
PAGE = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}
MOST_BYTES = 4_000_000
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; script-src 'self'; "
        "style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class PickerScene:
    """What the page is about: a scene of a configuration file, its frames and the prompts it has."""

    name: str
    video: str
    config: Path
    frames: list[Path]
    height: int
    width: int
    prompts: list[Prompt]


class RefusedError(Exception):
    """A request that gets an error status instead of an answer."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class PickerServer(ThreadingHTTPServer):
    """Serves one scene on a port of the loopback address; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, scene: PickerScene, port: int) -> None:
        self.scene = scene
        try:
            super().__init__((ADDRESS, port), PickerHandler)
        except OSError as error:
            raise StageError(
                f"cannot listen on port {port}: {error.strerror}; leave --port out for a free one"
            ) from error

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"


class PickerHandler(BaseHTTPRequestHandler):
    """GET the page, its state and its frames; POST prompts to see them as a block or to save them."""

    server: PickerServer
    server_version, sys_version = "pick_prompts", ""

    def do_GET(self) -> None:
        self.answer(lambda: page_or_frame(self.server.scene, urlsplit(self.path).path))

    def do_POST(self) -> None:
        self.answer(lambda: posted(self.server.scene, urlsplit(self.path).path, self.body()))

    def answer(self, content: Callable[[], tuple[str, bytes]]) -> None:
        """Send what `content` makes, or why it cannot."""
        try:
            check_sender(self.headers.get("Host"), self.headers.get("Origin"))
            self.send(HTTPStatus.OK, *content())
        except RefusedError as refusal:
            self.send(refusal.status, *as_json({"error": str(refusal)}))
        except StageError as error:
            self.send(HTTPStatus.UNPROCESSABLE_ENTITY, *as_json({"error": str(error)}))
        except ConnectionError:
            log.debug("the browser went away")
        except OSError as error:
            self.send(HTTPStatus.INTERNAL_SERVER_ERROR, *as_json({"error": str(error)}))

    def body(self) -> Any:
        """The JSON that was posted; a page of another site cannot send this type without being asked first."""
        if self.headers.get_content_type() != "application/json":
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        if int(length) > MOST_BYTES:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES} bytes")
        try:
            return json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"not JSON: {error}") from error

    def send(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": content_type, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def check_sender(host: str | None, origin: str | None) -> None:
    """Refuse a name that an outside page made point here, and requests that come from another page."""
    if not is_local(host):
        raise RefusedError(HTTPStatus.FORBIDDEN, f"this page answers to http://{ADDRESS} only, not to {host!r}")
    if origin is not None and origin != f"http://{host}":
        raise RefusedError(HTTPStatus.FORBIDDEN, f"requests from {origin} are refused")


def is_local(host: str | None) -> bool:
    """Whether a Host header names this machine; any port, because SSH may forward another one."""
    try:
        parts = urlsplit(f"//{host or ''}")
        return parts.netloc == host and parts.username is None and parts.hostname in LOCAL_NAMES and parts.port != 0
    except ValueError:
        return False


def page_or_frame(scene: PickerScene, path: str) -> tuple[str, bytes]:
    """What a GET of a path gives: type and content."""
    if path in PAGE:
        name, content_type = PAGE[path]
        return f"{content_type}; charset=utf-8", Path(__file__).with_name(name).read_bytes()
    if path == "/api/state":
        return as_json(state(scene))
    index = path.removeprefix("/frames/")
    if index != path and index.isascii() and index.isdecimal() and int(index) < len(scene.frames):
        return "image/png", scene.frames[int(index)].read_bytes()
    raise RefusedError(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")


def state(scene: PickerScene) -> dict[str, Any]:
    """All the page needs to know at its start."""
    return {
        "scene": scene.name,
        "video": scene.video,
        "config": str(scene.config),
        "frames": len(scene.frames),
        "height": scene.height,
        "width": scene.width,
        "colours": [hex_colour(identity) for identity in range(256)],
        "prompts": [prompt.model_dump(mode="json") for prompt in scene.prompts],
    }


def posted(scene: PickerScene, path: str, values: Any) -> tuple[str, bytes]:
    """What a POST of prompts gives: the block they make, saved or only shown."""
    if path not in ("/api/block", "/api/save"):
        raise RefusedError(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")
    prompts = checked_prompts(values, len(scene.frames), scene.height, scene.width)
    if path == "/api/save":
        save_prompts(scene.config, scene.name, scene.video, prompts)
        log.info("saved %d prompts of %s into %s", len(prompts), scene.name, scene.config)
    return as_json({"block": prompts_block(prompts)})


def as_json(value: Any) -> tuple[str, bytes]:
    """The type and content of a JSON answer."""
    return "application/json", json.dumps(value).encode()
