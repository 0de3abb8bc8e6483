"""What the page's server takes from a request, and how much of it: nothing from other pages, nothing endless."""

import json
import re
import socket
import time
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase
from typing import Any
from urllib.parse import urlsplit

ADDRESS = "127.0.0.1"
LOCAL_NAMES = (ADDRESS, "localhost")
MOST_BYTES = 1_000_000
MOST_NESTED = 8  # of lists and objects; prompts need five
PATIENCE_S = 10.0  # for a whole request
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)


class RefusedError(Exception):
    """A request that gets an error status instead of an answer."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def check_sender(headers: Message) -> None:
    """Refuse a name that an outside page made point here, and requests that come from another page."""
    hosts, origins = headers.get_all("Host", []), headers.get_all("Origin", [])
    if len(hosts) != 1 or not is_local(hosts[0]):
        said = ", ".join(map(repr, hosts)) or "no name"
        raise RefusedError(HTTPStatus.FORBIDDEN, f"this page answers to http://{ADDRESS} only, not to {said}")
    if any(origin != f"http://{hosts[0]}" for origin in origins):
        raise RefusedError(HTTPStatus.FORBIDDEN, f"requests from {', '.join(origins)} are refused")


def is_local(host: str | None) -> bool:
    """Whether a Host header names this machine; any port, because SSH may forward another one."""
    try:
        parts = urlsplit(f"//{host or ''}")
        return parts.netloc == host and parts.username is None and parts.hostname in LOCAL_NAMES and parts.port != 0
    except ValueError:
        return False


def posted_json(headers: Message, stream: BufferedIOBase, connection: socket.socket) -> Any:
    """The JSON that was posted; a page of another site cannot send this type without being asked first."""
    if headers.get_content_type() != "application/json":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
    body = read_body(stream, connection, announced_bytes(headers))
    if depth(body) > MOST_NESTED:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"at most {MOST_NESTED} lists and objects inside each other")
    try:
        return json.loads(body)
    except ValueError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"not JSON: {error}") from error


def announced_bytes(headers: Message) -> int:
    """The length of a body, which must be said once and clearly."""
    lengths = headers.get_all("Content-Length", [])
    if len(lengths) != 1 or "Transfer-Encoding" in headers or not re.fullmatch("[0-9]+", lengths[0]):
        raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "one Content-Length is needed")
    if len(lengths[0]) > len(str(MOST_BYTES)) or int(lengths[0]) > MOST_BYTES:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES} bytes")
    return int(lengths[0])


def read_body(stream: BufferedIOBase, connection: socket.socket, length: int) -> bytes:
    """A body of a known length, all of it within one deadline: a limit for each read alone never ends a slow drip."""
    deadline = time.monotonic() + PATIENCE_S
    body = b""
    while len(body) < length:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = stream.read1(length - len(body))
        except TimeoutError as error:
            reason = f"{len(body)} of {length} bytes came within {PATIENCE_S:g} seconds"
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, reason) from error
        if not part:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body ends after {len(body)} of {length} bytes")
        body += part
    return body


def depth(body: bytes) -> int:
    """How many lists and objects of a JSON text lie inside each other, told before it is parsed."""
    deepest = here = 0
    for mark in re.findall(rb"[\[{\]}]", STRING.sub(b"", body)):
        here += 1 if mark in b"[{" else -1
        deepest = max(deepest, here)
    return deepest
