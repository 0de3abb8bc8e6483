"""The local page of pick_prompts: frames, settings and masks out, checked prompts back. Reachable from this machine only."""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.config import Prompt
from pipeline.picker.bounded_request import ADDRESS, PATIENCE_S, RefusedError, check_sender, posted_json
from pipeline.picker.mask_answers import MaskDesk, MaskMaker, checked_request
from pipeline.picker.prompt_block import checked_prompts, prompts_block, save_prompts
from pipeline.reporting.pictures import hex_colour
from pipeline.runtime.errors import StageError

log = logging.getLogger("pipeline.pick_prompts")
PAGE = {"/": ("page.html", "text/html"), "/page.js": ("page.js", "text/javascript")}
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
    """What the page is about: a scene of a configuration file, its frames, the prompts it has, and what makes its masks."""

    name: str
    video: str
    config: Path
    frames: list[Path]
    height: int
    width: int
    prompts: list[Prompt]
    masks: MaskMaker


class PickerServer(ThreadingHTTPServer):
    """Serves one scene on a port of the loopback address; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, scene: PickerScene, port: int) -> None:
        self.scene, self.desk = scene, MaskDesk(scene.masks)
        try:
            super().__init__((ADDRESS, port), PickerHandler)
        except OSError as error:
            raise StageError(
                f"cannot listen on port {port}: {error.strerror}; leave --port out for a free one"
            ) from error

    def server_close(self) -> None:
        """Ends when no mask is being made: a thread stopped inside a numeric library can take the process down."""
        super().server_close()
        self.desk.close()

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"


class PickerHandler(BaseHTTPRequestHandler):
    """GET the page, its state and its frames; POST prompts to see them as a block, to save them, or to see masks."""

    server: PickerServer
    timeout = PATIENCE_S
    server_version, sys_version = "pick_prompts", ""

    def do_GET(self) -> None:
        self.answer(lambda: gotten(self.server, urlsplit(self.path).path))

    def do_POST(self) -> None:
        body = partial(posted_json, self.headers, self.rfile, self.connection)
        self.answer(lambda: posted(self.server, urlsplit(self.path).path, body()))

    def answer(self, content: Callable[[], tuple[str, bytes]]) -> None:
        """Send what `content` makes, or why it cannot."""
        try:
            check_sender(self.headers)
            self.send(HTTPStatus.OK, *content())
        except RefusedError as refusal:
            self.send(refusal.status, *as_json({"error": str(refusal)}))
        except StageError as error:
            self.send(HTTPStatus.UNPROCESSABLE_ENTITY, *as_json({"error": str(error)}))
        except ConnectionError:
            log.debug("the browser went away")
        except OSError as error:
            self.send(HTTPStatus.INTERNAL_SERVER_ERROR, *as_json({"error": str(error)}))

    def send(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": content_type, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


def gotten(server: PickerServer, path: str) -> tuple[str, bytes]:
    """What a GET of a path gives: type and content."""
    scene = server.scene
    if path in PAGE:
        name, content_type = PAGE[path]
        return f"{content_type}; charset=utf-8", Path(__file__).with_name(name).read_bytes()
    if path == "/api/state":
        return as_json(state(scene))
    if path == "/api/masks":
        return as_json({"name": server.desk.load()})
    index = path.removeprefix("/frames/")
    if index != path and re.fullmatch("[0-9]{1,9}", index) and int(index) < len(scene.frames):
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
        "prompts": [prompt.model_dump(mode="json", exclude={"text"}) for prompt in scene.prompts],
    }


def posted(server: PickerServer, path: str, values: Any) -> tuple[str, bytes]:
    """What a POST gives: the block that prompts make, saved or only shown; or the masks of an object."""
    scene = server.scene
    check = partial(checked_prompts, frames=len(scene.frames), height=scene.height, width=scene.width)
    if path == "/api/masks":
        request = checked_request(values)
        prompts = check(request.prompts)
        return as_json(server.desk.answer(request.object, request.frames(len(scene.frames)), prompts))
    if path not in ("/api/block", "/api/save"):
        raise RefusedError(HTTPStatus.NOT_FOUND, f"there is nothing at {path}")
    prompts = check(values)
    if path == "/api/save":
        save_prompts(scene.config, scene.name, scene.video, prompts)
        log.info("saved %d prompts of %s into %s", len(prompts), scene.name, scene.config)
    return as_json({"block": prompts_block(prompts)})


def as_json(value: Any) -> tuple[str, bytes]:
    """The type and content of a JSON answer."""
    return "application/json", json.dumps(value).encode()
