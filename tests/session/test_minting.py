"""Minting: whatever answers, the key goes to one host and is shown nowhere."""

from __future__ import annotations

import socket
import threading

import pytest

from harness.errors import HarnessError, RefusedError, UsageError
from harness.secret import SHORTEST, Secret
from harness.session.config import api_key
from harness.session.minting import mint
from harness.wire.live.tokens import TokenRequest

KEY = "AIzaSyQ7w8e9r0t1y2u3i4o5p6a7s8d9f0g1h2j"
BODY = f'{{"error": {{"message": "no: {KEY} {KEY[3:20]}"}}}}'


class Answering:
    """A server on loopback that says the same bytes to everyone and keeps what it was sent."""

    def __init__(self, answer: str) -> None:
        self.heard: list[bytes] = []
        self._answer = answer.encode()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                plug, _ = self._socket.accept()
            except OSError:
                return
            with plug:
                said = b""
                while not said.endswith(b"}"):
                    said += plug.recv(65536)
                self.heard.append(said)
                plug.sendall(self._answer)

    def close(self) -> None:
        """Answer nobody any more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def answering():
    """Give a maker of servers."""
    made = []

    def make(answer):
        made.append(Answering(answer))
        return made[-1]

    yield make
    for one in made:
        one.close()


def runs(text, key=KEY):
    """Return the runs of the key that a text shows."""
    return [
        key[at : at + SHORTEST]
        for at in range(len(key) - SHORTEST + 1)
        if key[at : at + SHORTEST] in text
    ]


@pytest.mark.wall
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(answering, status):
    """A redirect is a refusal that names its status and host; nobody else hears the key."""
    other = answering('HTTP/1.1 200 OK\r\n\r\n{"name": "auth_tokens/stolen"}')
    place = f"http://localhost:{other.port}/?{KEY}"
    service = answering(
        f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    )
    with pytest.raises(RefusedError) as caught:
        mint(Secret(KEY), TokenRequest(), url=f"ws://127.0.0.1:{service.port}")
    assert f"HTTP {status}: a redirect to localhost" in str(caught.value)
    assert (1, 0) == (len(service.heard), len(other.heard))
    assert [] == runs(str(caught.value))


@pytest.mark.wall
@pytest.mark.parametrize("around", ["", "\n", " "])
@pytest.mark.parametrize(
    "answer",
    [
        f"{KEY} is no status\r\n\r\n",
        f"HTTP/1.1 {KEY}\r\n\r\n",
        f"HTTP/1.1 400 {KEY}\r\n\r\n",
        f"HTTP/1.1 400 Bad\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}",
        f"HTTP/1.1 400 {KEY}\r\nContent-Length: 9999\r\n\r\ncut",
        f"HTTP/1.1 200 OK\r\n\r\n{KEY}",
        f'HTTP/1.1 200 OK\r\n\r\n{{"name": ["{KEY}"]}}',
    ],
)
def test_an_echoed_key_is_never_said(answering, answer, around):
    """No error shows a run of the key, whatever form the answer has and whatever blanks surround the key."""
    service = answering(answer)
    url = f"ws://127.0.0.1:{service.port}"
    for key in (Secret(KEY + around), api_key({"GEMINI_API_KEY": KEY + around})):
        with pytest.raises(HarnessError) as caught:
            mint(key, TokenRequest(), url=url)
        assert [] == runs(f"{caught.value!r} {caught.value} {caught.value.why}")


def test_a_url_that_may_hold_a_key_is_refused():
    """Neither a query nor a fragment is taken, and neither is repeated."""
    for mark in "?#":
        with pytest.raises(UsageError, match="--url takes no") as caught:
            mint(Secret(KEY), TokenRequest(), url=f"ws://127.0.0.1:1/{mark}k={KEY}")
        assert [] == runs(str(caught.value))
