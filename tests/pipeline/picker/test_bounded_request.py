"""Requests are bounded in who sends them, how long they are and how deep."""

import socket
import time
from email.message import Message

import pytest

from pipeline.picker.bounded_request import RefusedError, check_sender, depth, is_local, read_body


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("LOCALHOST:90", True),
        (None, False),
        ("[::1]:80", False),
        ("10.0.0.1", False),
        ("localhost.:80", False),
        ("user@localhost", False),
        ("localhost/x", False),
        ("localhost:x", False),
    ],
)
def test_local_names_are_known(host: str | None, local: bool) -> None:
    assert is_local(host) is local


def test_one_local_host_and_its_own_pages_may_ask() -> None:
    headers = Message()
    headers["Host"], headers["Origin"] = "localhost:80", "http://localhost:80"
    check_sender(headers)
    headers["Origin"] = "http://evil.example"
    with pytest.raises(RefusedError, match=r"evil\.example are refused"):
        check_sender(headers)


@pytest.mark.parametrize(
    ("text", "deep"), [(b"1", 0), (b"[[], {}]", 2), (b'{"a": "[[[["}', 1), (b'["\\"[[", [1]]', 2), (b'["[[[', 1)]
)
def test_depth_is_that_of_lists_and_objects_outside_of_texts(text: bytes, deep: int) -> None:
    assert depth(text) == deep


def test_slow_drip_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.picker.bounded_request.PATIENCE_S", 0.15)
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as stream:
        theirs.sendall(b"ab")
        assert read_body(stream, ours, 2) == b"ab"
        start = time.monotonic()
        theirs.sendall(b"c")
        with pytest.raises(RefusedError, match="1 of 3 bytes came within"):
            read_body(stream, ours, 3)
        assert time.monotonic() - start < 2


def test_body_that_ends_early_is_told() -> None:
    ours, theirs = socket.socketpair()
    with ours, ours.makefile("rb") as stream:
        theirs.sendall(b"ab")
        theirs.close()
        with pytest.raises(RefusedError, match="ends after 2 of 3 bytes"):
            read_body(stream, ours, 3)
