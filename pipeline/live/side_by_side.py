"""Several runs side by side: one page of frames, each with its own server; time and view go together."""

import threading
import time
from collections.abc import Sequence
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cameras import inverse
from pipeline.live.field_renders import looking_pose
from pipeline.live.local_server import HOST
from pipeline.runtime.errors import StageError

if TYPE_CHECKING:
    from pipeline.live.page import LivePage

LEADS_S = 0.6  # who moved last leads for so long: what the others then say is an answer
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,"><style>
html, body {{ margin: 0; height: 100%; background: #222; font: 14px system-ui, sans-serif; color: #eee }}
main {{ display: flex; flex-wrap: wrap; height: 100% }}
section {{ flex: 1 1 0; min-width: 320px; display: flex; flex-direction: column; border-right: 2px solid #222 }}
h1 {{ font-size: 14px; margin: 6px 10px }} iframe {{ flex: 1; border: 0; background: #fff }}
</style></head><body><main>{sections}</main><script>
for (const frame of document.querySelectorAll("iframe"))
  frame.src = `${{location.protocol}}//${{location.hostname}}:${{frame.dataset.port}}/`;
</script></body></html>"""
SECTION = '<section><h1>{label}</h1><iframe data-port="{port}" title="{label}"></iframe></section>'


def page_of_frames(labels_and_ports: Sequence[tuple[str, int]]) -> str:
    """The page that holds the runs' own pages; names mean nothing in it."""
    sections = [SECTION.format(label=escape(label), port=port) for label, port in labels_and_ports]
    return PAGE.format(title=escape(" | ".join(label for label, _ in labels_and_ports)), sections="".join(sections))


class FramesHandler(BaseHTTPRequestHandler):
    """GET / gives the page; there is nothing else."""

    server: "FramesServer"
    server_version, sys_version = "view_scene", ""

    def do_GET(self) -> None:
        content = self.server.page if self.path == "/" else b"there is nothing here"
        self.send_response(HTTPStatus.OK if self.path == "/" else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", "text/html; charset=utf-8" if self.path == "/" else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """The browser's requests are nobody's business."""


class FramesServer(ThreadingHTTPServer):
    """Serves one page on a port of the loopback address; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, port: int, page: str) -> None:
        self.page = page.encode()
        try:
            super().__init__((HOST, port), FramesHandler)
        except OSError as error:
            raise StageError(f"cannot listen on port {port}: {error.strerror}; choose another --port") from error


class Together:
    """Pages whose times and views follow the one that a person moves."""

    def __init__(self, pages: Sequence["LivePage"]) -> None:
        self.pages = pages
        self.leader: LivePage | None = None
        self.moved = 0.0
        self.lock = threading.Lock()
        for page in pages:
            page.frame_set.append(partial(self.follow_time, page))
            page.server.on_client_connect(partial(self.attend, page))

    def attend(self, page: "LivePage", client: Any) -> None:
        """A client of a page may lead from now on."""
        client.camera.on_update(partial(self.follow_view, page))

    def leads(self, page: "LivePage") -> bool:
        """Whether a page is the one that a person moves."""
        with self.lock:
            now = time.monotonic()
            if self.leader is not page and now - self.moved < LEADS_S:
                return False
            self.leader, self.moved = page, now
            return True

    def follow_time(self, page: "LivePage", frame: int) -> None:
        for other in self.pages if self.leads(page) else []:
            if other is not page:
                other.set_frame(frame)

    def follow_view(self, page: "LivePage", camera: Any) -> None:
        """The same view relative to the film's camera: worlds and units of two runs are not the same."""
        if not self.leads(page):
            return
        relative = relative_view(page, camera)
        for other in self.pages:
            if other is not page:
                pose = film_pose(other) @ relative
                for client in other.server.get_clients().values():
                    other.look(client, in_scene_units(pose, other))
                    client.camera.fov = camera.fov


def film_pose(page: "LivePage") -> np.ndarray:
    """The film's camera in the units of the page."""
    pose = page.run.scene.object_from_camera[0, page.choice.frame].astype(np.float64)
    pose[:3, 3] *= page.unit
    return pose


def relative_view(page: "LivePage", camera: Any) -> np.ndarray:
    """A client's view as the film's camera sees it, in the units of the page."""
    return inverse(film_pose(page)) @ looking_pose(camera, 1.0)


def in_scene_units(pose: np.ndarray, page: "LivePage") -> np.ndarray:
    scaled = pose.copy()
    scaled[:3, 3] /= page.unit
    return scaled
