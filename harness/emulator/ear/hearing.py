"""The process that hears: `python -m harness.emulator.ear.hearing EAR`, on one thread, at the lowest priority.

Requests and answers go through its `pipe` in MessagePack. It ends with its standard input, whatever it is doing, so it
never outlives the server that started it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from harness.emulator import pipe
from harness.emulator.ear.ear import Appetite
from harness.emulator.ear.ears import load
from harness.errors import HarnessError
from harness.units import SAMPLE_BYTES, SAMPLE_RATE, Seconds

if TYPE_CHECKING:
    from harness.emulator.ear.ear import Listener, Recogniser


class Hear(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Hear more of a session."""

    session: int
    request: int
    pcm: bytes
    last: bool
    languages: tuple[str, ...] = ()
    """Of the session, ISO 639-1; empty: any. The first request counts."""

    vocabulary: tuple[str, ...] = ()
    """Words that are expected in the session. The first request counts."""


class Leave(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A session is over: forget it, and what it asked."""

    session: int


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The recogniser is loaded and measured."""

    name: str
    appetite: Appetite
    real_time_factor: float
    """Seconds of processor that it takes for a second of speech."""


class Unable(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It cannot be loaded."""

    what: str
    why: str | None
    hint: str | None


class Heard(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The text that a request adds."""

    request: int
    text: str
    language: str | None = None
    """Of what was heard last, ISO 639-1."""

    audio_s: Seconds
    """How much the request brought."""

    took_s: Seconds
    """How long it took to hear that, without the wait for its turn."""


_decoder: msgspec.msgpack.Decoder[Hear | Leave] = msgspec.msgpack.Decoder(Hear | Leave)
_answers: msgspec.msgpack.Decoder[Ready | Unable | Heard] = msgspec.msgpack.Decoder(
    Ready | Unable | Heard
)
_encoder = msgspec.msgpack.Encoder()


def packed(message: msgspec.Struct) -> bytes:
    """Return `message` as it goes through the pipe."""
    return pipe.parcel(_encoder.encode(message))


def answer(data: bytes) -> Ready | Unable | Heard:
    """Return the answer in a message's bytes; msgspec.DecodeError when it is none."""
    return _answers.decode(data)


class _Hearing:
    """The sessions that are heard, and the requests that wait."""

    def __init__(self, recogniser: Recogniser, out: BinaryIO) -> None:
        self._recogniser = recogniser
        self._out = out
        self._sessions: dict[int, Listener] = {}
        self._waiting: queue.SimpleQueue[Hear | Leave] = queue.SimpleQueue()
        self._gone: set[int] = set()

    def ask(self, message: Hear | Leave) -> None:
        """Take a request; called by the thread that reads."""
        if isinstance(message, Leave):
            # Seen at once, so that what still waits of this session is passed over.
            self._gone.add(message.session)
        self._waiting.put(message)

    def run(self) -> None:
        """Answer for ever."""
        while True:
            match self._waiting.get():
                case Leave(session=session):
                    self._sessions.pop(session, None)
                    self._gone.discard(session)
                case Hear(session=session) as message if session not in self._gone:
                    listener = self._sessions.get(session)
                    if listener is None:
                        listener = self._recogniser.listener(message.languages, message.vocabulary)
                        self._sessions[session] = listener
                    began = time.perf_counter()
                    text = listener.hear(message.pcm, last=message.last)
                    heard = Heard(
                        request=message.request,
                        text=text,
                        language=listener.language,
                        audio_s=len(message.pcm) / SAMPLE_BYTES / SAMPLE_RATE,
                        took_s=time.perf_counter() - began,
                    )
                    write(self._out, heard)
                case _:
                    pass


def write(out: BinaryIO, message: msgspec.Struct) -> None:
    """Send `message` through the pipe."""
    out.write(packed(message))
    out.flush()


def _read(hearing: _Hearing) -> None:
    """Hand on every request, and end the process when there are no more."""
    for order in pipe.orders():
        hearing.ask(_decoder.decode(order))
    # In the midst of a phrase there is no other way to stop at once; nothing here needs tidying.
    os._exit(0)


def step_back() -> None:
    """Give this process the lowest priority the system lets it have."""
    if hasattr(os, "nice"):
        os.nice(19)
    if hasattr(os, "sched_setscheduler") and hasattr(os, "SCHED_IDLE"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main(ear: str, languages: tuple[str, ...] = ()) -> None:
    """Load the recogniser, say so, and hear what is asked until standard input ends."""
    out = pipe.own_output()
    step_back()
    try:
        recogniser = load(ear, languages)
        factor = recogniser.real_time_factor()
    except HarnessError as error:
        write(out, Unable(what=error.what, why=error.why, hint=error.hint))
        return
    ready = Ready(name=recogniser.name, appetite=recogniser.appetite, real_time_factor=factor)
    write(out, ready)
    hearing = _Hearing(recogniser, out)
    threading.Thread(target=_read, args=(hearing,), daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        hearing.run()


if __name__ == "__main__":
    main(sys.argv[1], tuple(sys.argv[2:]))
