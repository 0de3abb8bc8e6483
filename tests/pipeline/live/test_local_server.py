"""The server answers pages of this machine, and no others."""

from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pipeline.live.local_server import started_server


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    server = started_server(0, "test")
    yield server
    server.stop()


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "http://localhost:9000", None])
def test_own_page_may_connect(server: Any, origin: str | None) -> None:
    with connect(f"ws://127.0.0.1:{server.get_port()}", origin=origin, subprotocols=["viser-v0"]):
        pass


@pytest.mark.parametrize("origin", ["http://elsewhere.example", "http://localhost.elsewhere.example", "null"])
def test_page_from_elsewhere_is_turned_away(server: Any, origin: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://127.0.0.1:{server.get_port()}", origin=origin)


def test_nothing_is_shared_through_other_servers(server: Any) -> None:
    assert server.request_share_url() is None
