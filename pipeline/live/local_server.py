"""A viser server for this machine alone: pages of other places are turned away, and nothing is shared through others."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from typing import Any

from pipeline.runtime.errors import StageError

HOST = "127.0.0.1"
OWN_PAGES = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")


def started_server(port: int, label: str) -> Any:
    """A server at a port or the next that is free; port 0 takes any."""
    try:
        import viser
    except ImportError as error:
        raise StageError(f"view_scene needs viser ({error}); install what requirements.lock lists") from error
    with own_pages_only(), redirect_stdout(StringIO()):  # it tells its address by itself; the command does that
        server = viser.ViserServer(host=HOST, port=port, label=label, verbose=False)
    server.request_share_url = never_shared  # type: ignore[method-assign]
    server.gui.configure_theme(show_logo=False, show_share_button=False, control_width="medium")
    return server


def never_shared(verbose: bool = True) -> None:
    """viser can tunnel a page to the world through a server of its makers; here that must not be, whoever asks."""


@contextmanager
def own_pages_only() -> Iterator[None]:
    """Browsers let any page open a WebSocket to this machine, and viser asks none where it is from: this does."""
    import websockets.asyncio.server as sockets

    serve = sockets.serve
    sockets.serve = partial(serve, origins=[OWN_PAGES, None])  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        sockets.serve = serve  # type: ignore[misc]
