"""The pool's real work: clips prepared once for all who want them."""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

from harness.clock import run_virtual
from harness.run import stream
from harness.run.folder import read_journal, slots
from harness.secret import Secret
from harness.session.feed import Feed
from harness.wire.live import endpoint as live
from tests.run.runs import clip, directly, plan, run, utterance
from tests.session.memory import MODEL, Service, polite


def test_a_clip_is_prepared_once_for_all_models_and_repeats(tmp_path):
    """Two models and three repeats of an utterance read its clip once, however many sessions there are at a time."""
    read: Counter = Counter()

    def load(planned):
        read[planned.id] += 1
        return clip(planned)

    made = plan([utterance(n, 1.0) for n in range(8)], models=(MODEL, "another"), repeats=3)
    tally = run_virtual(run(made, tmp_path, Service(polite(" hello")), concurrency=5, load=load))
    assert 48 == tally.done
    assert {1} == set(read.values())


def test_clips_that_nobody_streams_are_held_within_a_bound(tmp_path, monkeypatch):
    """Of a thousand clips that were ready, those that nobody streams stay as far as they fit; what is streamed stays besides."""
    made = plan([utterance(n, 1.0) for n in range(1000)])
    monkeypatch.setattr(stream, "HELD_BYTES", 1_000_000)
    seen: list = []

    def held_bytes(streamed) -> int:
        ready = (ref() for ref in seen)
        return sum(one.held_bytes for one in ready if one is not None and one is not streamed)

    async def main():
        needs = dict.fromkeys(("endpoint", "connect", "journal")) | {"setups": {}, "client": "test"}
        work = stream.Streamer(plan=made, folder=tmp_path, load=clip, offload=directly, **needs)
        streamed = await work.prepare(next(iter(slots(made))))
        for slot in slots(made):
            seen.append(weakref.ref(await work.prepare(slot)))
            assert held_bytes(streamed) <= 1_000_000
        assert seen[0]() is streamed
        assert held_bytes(streamed) > 1_000_000 - streamed.held_bytes

    run_virtual(main())


def test_what_is_wrong_with_the_audio_is_in_the_row(tmp_path):
    """Audio that could be read only in part is transcribed, and its record says what is wrong with it."""

    def load(planned):
        return replace(clip(planned), faults=("damaged after 0.5 s",))

    tally = run_virtual(run(plan([utterance(1)]), tmp_path, Service(polite(" hello")), load=load))
    [kept] = read_journal(tmp_path)
    assert (1, 0) == (tally.done, tally.failed)
    assert ("ok", "the audio: damaged after 0.5 s") == (kept.outcome, kept.reason)


def test_credentials_are_asked_for_again_once_they_are_a_second_old(tmp_path):
    """Sessions that begin together are given the same credentials, and none is given any that are over a second old."""
    given = []

    def endpoint():
        given.append(asyncio.get_running_loop().time())
        return live.gemini(Secret(f"key-number-{len(given)}"), url="ws://127.0.0.1:1")

    opened = []
    service = Service(polite(" hello"))

    async def connect(to, listener):
        opened.append((asyncio.get_running_loop().time(), to))
        return await service.connect(to, listener)

    made = plan([utterance(n, 1.0) for n in range(12)])
    service_of = SimpleNamespace(connect=connect)
    tally = run_virtual(run(made, tmp_path, service_of, concurrency=3, endpoint=endpoint))
    assert (12, 0) == (tally.done, tally.failed)
    assert 1 < len(given) < 12
    for at, to in opened:
        ((_, key),) = [header for header in to.headers if isinstance(header[1], Secret)]
        assert at - given[int(key.reveal().rpartition("-")[2]) - 1] <= 1.0


def test_a_bug_in_one_session_is_that_sessions_row(tmp_path, monkeypatch):
    """Whatever sending raises ends the one session, with its reason; the others keep their times."""
    send_due = Feed.send_due

    def breaks(feed, now):
        if feed._rec._header.utterance == "u0001" and feed._span.cursor > 0:
            raise ValueError("not foreseen")
        return send_due(feed, now)

    monkeypatch.setattr(Feed, "send_due", breaks)
    made = plan([utterance(n) for n in range(3)])
    tally = run_virtual(run(made, tmp_path, Service(polite(" hello")), concurrency=3))
    kept = {record.utterance: record for record in read_journal(tmp_path) if record.final}
    assert (3, 1) == (tally.done, tally.failed)
    assert "client" == kept["u0001"].failure
    assert "ValueError: not foreseen" in kept["u0001"].reason
    assert {"ok"} == {kept[name].outcome for name in ("u0000", "u0002")}
    assert not any(kept[name].late for name in ("u0000", "u0002"))
